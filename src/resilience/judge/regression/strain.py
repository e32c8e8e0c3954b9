"""Whether the machine itself was slower, by a witness that the target does not serve: the load generator's own clock.

The generator begins operations at instants that were fixed before the run. How late it is (p99) says how long programs
waited for a processor. Where target and generator share a machine, or a host, a busy neighbour makes both late; and in
many runs of the reference target beside other work, medians grew about as the generator's lateness did. So a slower
operation in a run in which the generator, too, was later is no evidence against the target, unless it is slower by far
more than that. It is not called worse then, and not the same either: it cannot be told.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from resilience.judge.regression.rows import Row
from resilience.model import Change, Measured

LAG = "generator.lag_p99_ms"
"""Of `Measured.counts`: how late operations were begun in the baseline, p99."""

RATIO = 1.2
LEAST_MS = 0.5
"""A difference of lateness below either is none."""

POWER, POWER_OF_TAILS = 1.5, 2.5
"""A ratio of medians, or of tails, up to the ratio of lateness to this power may come from the machine."""


def strain(before: Sequence[Measured], after: Sequence[Measured]) -> tuple[float, float] | None:
    """Mean lateness of both sides in milliseconds; None if one is not known, or they are alike."""
    was, now = (_mean(side) for side in (before, after))
    if was is None or now is None or abs(now - was) < LEAST_MS or max(now, was) < RATIO * min(now, was):
        return None
    return was, now


def _mean(runs: Sequence[Measured]) -> float | None:
    known = [run.counts[LAG] for run in runs if LAG in run.counts]
    return math.fsum(known) / len(known) if known and len(known) == len(runs) else None


def excused(row: Row, strained: tuple[float, float] | None) -> Row:
    """A row that says no more than what may not be the machine's doing."""
    if strained is None or row.answer not in {Change.WORSE, Change.BETTER} or row.change is None:
        return row
    if not row.metric.endswith("_ms"):
        return row
    was, now = strained
    power = POWER if row.metric == "p50_ms" else POWER_OF_TAILS
    explained = power * math.log(max(now, 0.1) / max(was, 0.1))
    seen = math.log1p(row.change)
    if seen * explained <= 0 or abs(seen) > abs(explained):
        return row
    because = (
        f"the generator itself began operations {now:.3g} ms late beside {was:.3g} ms (p99), so the machine may have "
        "been slower or quicker as a whole: repeat it, or use a control group"
    )
    return replace(row, answer=Change.UNKNOWN, because=because)
