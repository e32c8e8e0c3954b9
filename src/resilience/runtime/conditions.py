"""Abort conditions, judged on what the load generator reports a few times a second.

A condition is met as soon as the value over its last full window meets its comparison. Rates are exact; a quantile
comes from a histogram and is within 2 %. Operations count when they end, or are dropped: one that hangs counts when its
time limit is over.
"""

from collections import Counter
from collections.abc import Sequence

from resilience.model import HISTOGRAM_BASE, AbortWhen, Comparison, Outcome, Phase, Slice


def met(condition: AbortWhen, slices: Sequence[Slice], phase: Phase | None) -> str:
    """Why the run must be aborted; empty if it need not.

    Args:
        condition: from the experiment.
        slices: in order of time, as far back as the condition's window at least.
        phase: the present one; None before the first.
    """
    if phase is None:
        return ""
    if condition.phase is not None:
        if condition.phase is not phase.name or not phase.about(condition.fault):
            return ""
        slices = [piece for piece in slices if piece.start_s >= phase.start_s]
    value = live_value(condition, slices)
    if value is None or not holds(condition.comparison, value, condition.limit):
        return ""
    about = "" if condition.operation == "all" else f" of {condition.operation}"
    return f"abort condition met: {condition.expression}{about} (is {value:.4g})"


def holds(comparison: Comparison, value: float, limit: float) -> bool:
    """Whether a value and a limit compare so."""
    return {
        Comparison.LT: value < limit,
        Comparison.LE: value <= limit,
        Comparison.GT: value > limit,
        Comparison.GE: value >= limit,
        Comparison.EQ: value == limit,
        Comparison.NE: value != limit,
    }[comparison]


def live_value(condition: AbortWhen, slices: Sequence[Slice]) -> float | None:
    """The value over the last full window; None before one is full, or if nothing ended in it.

    Args:
        condition: says which value: `rate`, `rps`, `degraded` or, in milliseconds, `p`.
        slices: in order of time.
    """
    if not slices or slices[-1].end_s - slices[0].start_s < condition.window_s:
        return None
    begin_s = slices[-1].end_s - condition.window_s
    window = [piece for piece in slices if piece.end_s > begin_s]
    if condition.aggregate == "p":
        return _quantile_ms(window, condition.quantile or 0.0)
    total = well = 0
    for piece in window:
        for operation, counts in piece.counts.items():
            if condition.operation in ("all", operation):
                total += sum(counts.values())
                well += counts.get(Outcome.OK, 0)
    if condition.aggregate == "rps":
        return well / condition.window_s
    if condition.aggregate == "degraded":
        return sum(piece.degraded for piece in window) / well if well else None
    return (total - well) / total if total else None


def _quantile_ms(slices: Sequence[Slice], percent: float) -> float | None:
    """Nearest rank, as the lower bound of its bucket: it is never said to be more than it was."""
    buckets: Counter[int] = Counter()
    for piece in slices:
        buckets.update(piece.histogram)
    left = max(1.0, buckets.total() * percent / 100)
    for bucket in sorted(buckets):
        left -= buckets[bucket]
        if left <= 0:
            return float(HISTOGRAM_BASE**bucket / 1e3)
    return None
