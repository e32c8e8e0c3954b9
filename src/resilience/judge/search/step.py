"""What one step showed: each objective as a share of operations that may be bad, with an interval.

`p(95)<250` says that at most 5 % of what was sent may take 250 ms or longer; `rate<0.01` that at most 1 % of what was
offered may not be ok. So every objective of a search is a share and its limit. Operations that come together fare
alike, so they are not independent: the share is a ratio estimate over slices of time, with the variance between slices
(Cochran, Sampling Techniques, 1977, section 6.3) and Student's t, and never narrower than Wilson's interval.

    holds    the upper bounds of all shares are within their limits, and no latency is rising towards its limit
    breaks   the lower bound of one is beyond its limit, also counted from when the generator really began
    unsure   neither: the step is extended, a few times
    spoiled  the generator was late, or offered less than it should have
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from resilience.columns import Bool, Float64, Int64, Samples
from resilience.judge.generator import LAG_LIMIT_S, OUT_OF, lag_s
from resilience.judge.quantiles import DROPPED, MS, NS, OK, nearest_rank, of_operation, response_ns, to_ns
from resilience.judge.search.machine import Seen
from resilience.judge.signal import too_few
from resilience.judge.statistics import student, wilson
from resilience.model import Comparison, Json, Objective, allowed_share

SURE = 0.995
"""Confidence of each bound, one-sided."""
SLICES = 12
"""Slices of a step; Student's t has one degree of freedom less."""
LEAST = 20
"""Fewer operations tell nothing."""

_Z = NormalDist().inv_cdf(SURE)


@dataclass(frozen=True, slots=True)
class Bound:
    """An objective in a step: the share of operations that were bad, and how much of it is allowed.

    Attributes:
        value: the metric itself, in its own unit; None if there was nothing to measure.
        bad, low, high, allowed: shares; `low` and `high` are one-sided 99.5 % bounds of `bad`.
        rising: a latency that goes up so surely that it would be beyond its limit within the time of a confirmation.
    """

    expression: str
    operation: str
    value: float | None
    bad: float
    low: float
    high: float
    allowed: float
    rising: bool = False

    @property
    def seen(self) -> Seen:
        """What it showed."""
        if self.low > self.allowed:
            return Seen.BREAKS
        return Seen.HOLDS if self.high <= self.allowed and not self.rising else Seen.UNSURE

    def json(self) -> dict[str, Json]:
        """As in `verdict.json`."""
        told: dict[str, Json] = {name: getattr(self, name) for name in self.__slots__}
        return {**told, "seen": self.seen.value}


@dataclass(frozen=True, slots=True)
class Judged:
    """A step, judged.

    Attributes:
        offered, ok: operations of the stretch that was measured, and those that were ok.
        rps: ok per second.
        p50_ms, p95_ms, p99_ms, mean_ms: response times of what was sent; None without any.
        late_ms: p99 of how late the generator began.
        why: what spoiled it, or what broke; empty if it held.
    """

    seen: Seen
    start_s: float
    end_s: float
    offered: int
    ok: int
    rps: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    mean_ms: float | None
    late_ms: float | None
    bounds: tuple[Bound, ...]
    why: str = ""

    def json(self) -> dict[str, Json]:
        """As in `verdict.json`."""
        told: dict[str, Json] = {name: getattr(self, name) for name in self.__slots__ if name not in {"seen", "bounds"}}
        objectives: list[Json] = [bound.json() for bound in self.bounds]
        return {"seen": self.seen.value, **told, "objectives": objectives}


def judge_step(
    samples: Samples,
    start_s: float,
    end_s: float,
    objectives: Sequence[Objective],
    *,
    due: float | None = None,
    ahead_s: float = 0.0,
) -> Judged:
    """Judge the operations that were to begin from `start_s` until before `end_s`.

    Args:
        samples: in any order, all of which have ended.
        start_s: when the stretch that is measured begins; what settles before it is not in it.
        end_s: when it ends.
        objectives: each about a share: see `model.allowed_share`.
        due: how many operations the load was to offer in it; None of a closed load.
        ahead_s: how far a rising latency is looked ahead.
    """
    at = samples.arrival_ns
    piece = samples.where((at >= to_ns(start_s)) & (at < to_ns(end_s)))
    bounds = tuple(_bound(piece, one, start_s, end_s, ahead_s) for one in objectives)
    late_s = lag_s(piece)
    times = response_ns(piece)
    ok = int(np.count_nonzero(piece.outcome == OK))
    seen, why = _seen(bounds)
    spoiled = _spoiled(piece, due, late_s)
    if not spoiled and seen is Seen.BREAKS:
        spoiled = _excused(piece, objectives, start_s, end_s)
    if spoiled:
        seen, why = Seen.SPOILED, spoiled
    elif len(piece) < LEAST:
        seen, why = Seen.UNSURE, f"only {len(piece)} operations in {end_s - start_s:.1f} s"

    def at_ms(quantile: float) -> float | None:
        return nearest_rank(times, quantile) / MS if len(times) else None

    return Judged(
        seen=seen,
        start_s=start_s,
        end_s=end_s,
        offered=len(piece),
        ok=ok,
        rps=ok / (end_s - start_s),
        p50_ms=at_ms(0.5),
        p95_ms=at_ms(0.95),
        p99_ms=at_ms(0.99),
        mean_ms=float(np.mean(times)) / MS if len(times) else None,
        late_ms=None if late_s is None else late_s * 1000,
        bounds=bounds,
        why=why,
    )


def needed(allowed: float) -> int:
    """So many operations, none of them bad, are needed before it can be certain that no more than that share is bad."""
    return math.ceil(_Z * _Z * (1 - allowed) / allowed) if allowed > 0 else math.inf  # type: ignore[return-value]


def share_bounds(bad: Float64 | Int64, count: Float64 | Int64) -> tuple[float, float, float]:
    """The share of bad ones among all, with its lower and upper bound, from counts per slice of time."""
    total, hits = float(np.sum(count)), float(np.sum(bad))
    if total <= 0:
        return 0.0, 0.0, 1.0
    share = hits / total
    low, high = wilson(round(hits), round(total), _Z)
    slices = len(count)
    if slices > SLICES // 2 + 2:
        left = np.asarray(bad, dtype=np.float64) - share * np.asarray(count, dtype=np.float64)
        error = math.sqrt(float(np.sum(left * left)) * slices / (slices - 1)) / total
        wide = student(SURE, slices - 1) * error
        low, high = min(low, share - wide), max(high, share + wide)
    return share, max(low, 0.0), min(high, 1.0)


def _seen(bounds: Sequence[Bound]) -> tuple[Seen, str]:
    """All objectives together: the worst, and which it was."""
    order = [Seen.HOLDS, Seen.UNSURE, Seen.BREAKS]
    if not bounds:
        return Seen.HOLDS, ""
    worst = max(bounds, key=lambda one: (order.index(one.seen), one.low - one.allowed))
    if worst.seen is Seen.HOLDS:
        return Seen.HOLDS, ""
    value = "nothing was answered" if worst.value is None else f"{worst.value:.4g}"
    about = "" if worst.operation == "all" else f"{worst.operation}: "
    rising = " and rising" if worst.rising else ""
    doubt = "not certain: " if worst.seen is Seen.UNSURE else ""
    return worst.seen, f"{doubt}{about}{worst.expression} was {value}{rising}"


def _spoiled(piece: Samples, due: float | None, late_s: float | None) -> str:
    if any(text.startswith(OUT_OF) and np.any(piece.detail == i) for i, text in enumerate(piece.details)):
        return "the generator ran out of ports, files or memory"
    if late_s is not None and late_s > LAG_LIMIT_S:
        return (
            f"the generator began {late_s * 1000:.0f} ms late at p99, at most {LAG_LIMIT_S * 1000:.0f} ms were expected"
        )
    if due is not None and too_few(len(piece), due):
        return f"the generator offered {len(piece):,} operations where {due:,.0f} were due"
    return ""


def _excused(piece: Samples, objectives: Sequence[Objective], start_s: float, end_s: float) -> str:
    """Whether it breaks only because the generator was late: then nothing is known."""
    late_ns = piece.start_ns - piece.arrival_ns
    from_start = _shifted(piece, late_ns)
    bounds = [_bound(from_start, one, start_s, end_s, 0.0) for one in objectives]
    if any(one.seen is Seen.BREAKS for one in bounds):
        return ""
    return "it breaks only if the generator's own lateness is counted"


def _shifted(piece: Samples, by_ns: Int64) -> Samples:
    return replace(piece, end_ns=piece.end_ns - by_ns)


def _bound(piece: Samples, objective: Objective, start_s: float, end_s: float, ahead_s: float) -> Bound:
    allowed = allowed_share(objective)
    if allowed is None:
        raise ValueError(f"{objective.expression} is not about a share of operations")
    if objective.operation != "all":
        index = list(piece.operations).index(objective.operation) if objective.operation in piece.operations else -1
        piece = of_operation(piece, index)
    about, bad = _bad(piece, objective)
    edges = np.linspace(to_ns(start_s), to_ns(end_s), SLICES + 1).astype(np.int64)
    place = np.clip(np.searchsorted(edges, piece.arrival_ns, side="right") - 1, 0, SLICES - 1)
    count = np.bincount(place[about], minlength=SLICES)
    hits = np.bincount(place[about & bad], minlength=SLICES)
    share, low, high = share_bounds(hits, count)
    value = _value(piece, objective, share)
    rising = ahead_s > 0 and objective.aggregate in {"p", "med"} and _rising(piece, objective, edges, place, ahead_s)
    return Bound(objective.expression, objective.operation, value, share, low, high, allowed, rising)


def _bad(piece: Samples, objective: Objective) -> tuple[Bool, Bool]:
    """Which operations an objective is about, and which of them are bad.

    A dropped operation has no response time. That there was no room for it is not quick either: to an objective about
    latency it is bad.
    """
    everything = np.ones(len(piece), dtype=np.bool_)
    ok = piece.outcome == OK
    match objective.aggregate:
        case "p" | "med":
            took_ms = (piece.end_ns - piece.arrival_ns) / MS
            slow = took_ms >= objective.limit if objective.comparison is Comparison.LT else took_ms > objective.limit
            return everything, slow | (piece.outcome == DROPPED)
        case "degraded":
            return ok, piece.degraded
        case "shed":
            return everything, piece.shed
        case _:
            return everything, ~ok


def _value(piece: Samples, objective: Objective, share: float) -> float | None:
    """The metric itself."""
    if objective.aggregate in {"p", "med"}:
        times = response_ns(piece)
        quantile = 0.5 if objective.aggregate == "med" else (objective.quantile or 0.0) / 100
        return nearest_rank(times, quantile) / MS if len(times) else None
    return 1 - share if objective.aggregate == "availability" else share


def _rising(piece: Samples, objective: Objective, edges: Int64, place: Int64, ahead_s: float) -> bool:
    """Whether the quantile goes up from slice to slice, surely, and fast enough to be beyond the limit in that time."""
    quantile = 0.5 if objective.aggregate == "med" else (objective.quantile or 0.0) / 100
    values, when = [], []
    for index in range(SLICES):
        times = response_ns(piece.where(place == index))
        if len(times):
            values.append(nearest_rank(times, quantile) / MS)
            when.append((edges[index] + edges[index + 1]) / 2 / NS)
    if len(values) < SLICES - 2:
        return False
    x, y = np.asarray(when) - np.mean(when), np.asarray(values)
    slope = float(np.sum(x * (y - np.mean(y))) / np.sum(x * x))
    left = y - np.mean(y) - slope * x
    error = math.sqrt(float(np.sum(left * left)) / (len(y) - 2) / float(np.sum(x * x)))
    sure = slope - student(SURE, len(y) - 2) * error
    return bool(sure > 0 and y[-1] + sure * ahead_s > objective.limit)
