"""Whether a quantity that is read again and again grows for good: of a leak, a backlog, a response time that creeps up.

What makes this hard is that readings near each other in time are alike, that programs warm up, fill caches and level
off, and that collectors of garbage draw saw teeth. So nothing is asked of single readings, and "grows" is said only if
every one of these says so, on what is left after the first third (a warm-up nobody declared):

1. *The slope*: generalised least squares of block medians on time, with errors of the first order (Prais and Winsten
   1954) whose autocorrelation is corrected for its bias in short series with a trend (Marriott and Pope 1954; Kendall
   1954: φ̂ + (2 + 4 φ̂) / n). For independent errors that is a regression; for a random walk it is the mean step.
2. *The steps between twelve levels*: their mean against their own scatter, by Student's t. That holds for a random
   walk exactly, and is careful for everything that returns: one step up, one saw tooth or a few stand out as scatter.
3. *It goes on*: the last half grew at least three quarters as much as the half before. A logarithm, or a cache that
   fills, has grown by less than that by then; "levelling off" is not "grows", and not "flat" either.

"Flat" is a claim, and has to be shown: the upper bound of the slope lies within what is tolerated, over all of the
stretch and, if it grew before, over its last part. Whatever is neither is not enough data. Bounds are one-sided at
99 % each. How often each is wrong, on noise of many kinds, is measured in `tests/judge/test_trend.py` and told
in docs/explanation/how-trends-are-judged.md.

The slope that is told is Theil's and Sen's (Sen 1968), the median of the slopes between all pairs of blocks.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np

from resilience.columns import Float64
from resilience.judge.statistics import student
from resilience.model.soak import SHORTEST_S

CONFIDENCE = 0.99
"""Of each bound by itself."""

WARMING = 1 / 3
"""The share of the stretch, at its beginning, that is left out."""

BLOCKS, FEWEST_BLOCKS, PER_BLOCK = 48, 36, 3
"""As many block medians as there are readings for, each of at least `PER_BLOCK`, within these bounds."""

STEPS = 12
"""Levels whose differences are the steps."""

PRESENT = 0.8
"""The share of blocks that must have readings."""

LEVELLING = 0.75
"""A second half that grew by a smaller share of the first levels off. Between 1, a straight line, and 0.585, the
logarithm of the time since the start after a third of it is left out."""

_CLOSE_TO_ONE = 0.995


class Course(StrEnum):
    """How a quantity goes."""

    GROWS = "grows"
    LEVELS_OFF = "levels off"
    FLAT = "flat"
    UNCLEAR = "not enough data"


@dataclass(frozen=True, slots=True)
class Trend:
    """How a quantity went over a stretch. Rates are per hour, in the quantity's own unit.

    Attributes:
        per_hour: Theil's and Sen's slope; None if there is too little to say.
        low, high: of the slope, each one-sided at `CONFIDENCE`.
        level: the median of the last twelfth of the stretch; None without readings.
        from_s, to_s: what was judged, without its warm-up.
        readings: how many there were in it.
        why: in words, what the answer rests on.
    """

    course: Course
    why: str
    per_hour: float | None = None
    low: float | None = None
    high: float | None = None
    level: float | None = None
    from_s: float = 0.0
    to_s: float = 0.0
    readings: int = 0


@dataclass(frozen=True, slots=True)
class Exhaustion:
    """When a limit is reached if it goes on like this: seconds after the stretch; None is never."""

    after_s: float | None
    soonest_s: float | None
    latest_s: float | None


@dataclass(frozen=True, slots=True)
class _Bounds:
    low: float
    high: float


def family(several: int, wrong: float = 1 - CONFIDENCE) -> float:
    """The confidence of each of several alarms that are together wrong as often as one would be (Bonferroni)."""
    return min(1 - wrong / max(several, 1), 0.9999)  # beyond that the quantile of Student's t is not exact enough


def trend(
    at_s: Float64, value: Float64, start_s: float, end_s: float, tolerated: float, alarm: float = CONFIDENCE
) -> Trend:
    """How a quantity went over a stretch.

    Args:
        at_s: when it was read, ascending.
        value: what was read; NaN counts as not read.
        start_s: the beginning of the stretch, with its warm-up.
        end_s: its end.
        tolerated: growth per hour that does no harm, at least 0.
        alarm: the confidence at which growth is told: more if several quantities are looked at, see `family`. Flatness
            is claimed at `CONFIDENCE`, whatever this is.
    """
    seen = (at_s >= start_s) & (at_s <= end_s) & np.isfinite(value)
    length_s = end_s - start_s
    if length_s < SHORTEST_S:
        return Trend(Course.UNCLEAR, f"{length_s:.0f} s are too short to say, at least {SHORTEST_S:.0f} s are needed")
    from_s = start_s + WARMING * length_s
    kept = seen & (at_s >= from_s)
    at_s, value = at_s[kept], value[kept]
    count = min(BLOCKS, len(value) // PER_BLOCK)
    if count < FEWEST_BLOCKS:
        why = f"{len(value)} readings are too few to say, at least {FEWEST_BLOCKS * PER_BLOCK} are needed"
        return Trend(Course.UNCLEAR, why, from_s=from_s, to_s=end_s, readings=len(value))
    block = count // STEPS * STEPS  # so that twelve levels are whole blocks
    middles, medians = _blocks(at_s, value, from_s, end_s, block)
    _, levels = _blocks(at_s, value, from_s, end_s, STEPS)
    read = np.isfinite(medians)
    if min(np.mean(read), np.mean(read[-block // 3 :])) < PRESENT or not np.isfinite(levels).all():
        why = f"in {np.count_nonzero(~read)} of {block} stretches nothing was read"
        return Trend(Course.UNCLEAR, why, from_s=from_s, to_s=end_s, readings=len(value))
    course, why, whole = _course(middles, medians, levels, (end_s - from_s) / STEPS, tolerated, alarm)
    hour = 3600.0
    return Trend(
        course,
        why,
        per_hour=sen_slope(middles, medians) * hour,
        low=whole.low * hour,
        high=whole.high * hour,
        level=float(levels[-1]),
        from_s=from_s,
        to_s=end_s,
        readings=len(value),
    )


def _course(
    middles: Float64, medians: Float64, levels: Float64, step_s: float, tolerated: float, alarm: float
) -> tuple[Course, str, _Bounds]:
    """The answer, why, and the bounds of the slope per second."""
    most = tolerated / 3600
    last = slice(-len(middles) // 3, None)
    whole = _slope_bounds(middles, medians, CONFIDENCE)
    recent = _slope_bounds(middles[last], medians[last], CONFIDENCE)
    sure = min(_slope_bounds(middles, medians, alarm).low, _mean_low(np.diff(levels) / step_s, alarm))
    half = len(middles) // 2
    before, after = sen_slope(middles[:half], medians[:half]), sen_slope(middles[half:], medians[half:])
    if sure > most:
        if after >= LEVELLING * before:
            return Course.GROWS, "it grew all the while, by more than is tolerated", whole
        if recent.high <= most:
            return Course.FLAT, "it has levelled off", whole
        share = after / before if before > 0 else 0.0
        return Course.LEVELS_OFF, f"it grew in the second half by {share:.0%} of what it grew in the first", whole
    if whole.high <= most:
        if recent.low > most:
            return Course.UNCLEAR, "it began to grow late", whole
        return Course.FLAT, "it cannot have grown by more than is tolerated", whole
    if whole.low > most:
        return Course.UNCLEAR, "it grew, but not steadily: in steps, or in saw teeth", whole
    return Course.UNCLEAR, "it varies too much to say whether it grows", whole


def sen_slope(at_s: Float64, value: Float64) -> float:
    """The median of the slopes between all pairs (Theil 1950, Sen 1968); NaN values are left out."""
    known = np.isfinite(value)
    x, y = at_s[known], value[known]
    first, second = np.triu_indices(len(x), 1)
    return float(np.median((y[second] - y[first]) / (x[second] - x[first])))


def _blocks(at_s: Float64, value: Float64, start_s: float, end_s: float, count: int) -> tuple[Float64, Float64]:
    """The middles of `count` equal stretches, and the median of each; NaN where nothing was read."""
    edges = np.linspace(start_s, end_s, count + 1)
    places = np.searchsorted(at_s, edges)
    places[-1] = len(at_s)
    medians = np.asarray([np.median(value[one:two]) if two > one else math.nan for one, two in pairwise(places)])
    return (edges[1:] + edges[:-1]) / 2, medians


def _mean_low(values: Float64, confidence: float) -> float:
    """The lower bound of a mean of independent values."""
    spread = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return float(np.mean(values)) - student(confidence, len(values) - 1) * spread


def _slope_bounds(at_s: Float64, value: Float64, confidence: float) -> _Bounds:
    """Bounds of the slope by generalised least squares with errors of the first order."""
    known = np.isfinite(value)
    x, y = at_s[known] - at_s[0], value[known]
    n = len(y)
    design = np.column_stack((np.ones(n), x))
    fitted = np.linalg.lstsq(design, y, rcond=None)[0]
    rho = 0.0
    for _ in range(2):
        rho = _autocorrelation(y - design @ fitted)
        first = math.sqrt(1 - rho * rho)
        turned = np.vstack((first * design[:1], design[1:] - rho * design[:-1]))
        target = np.concatenate((first * y[:1], y[1:] - rho * y[:-1]))
        fitted = np.linalg.lstsq(turned, target, rcond=None)[0]
    left = target - turned @ fitted
    variance = float(left @ left) / (n - 2) * float(np.linalg.pinv(turned.T @ turned)[1, 1])
    reach = student(confidence, n - 2) * math.sqrt(max(variance, 0.0))
    return _Bounds(float(fitted[1]) - reach, float(fitted[1]) + reach)


def _autocorrelation(errors: Float64) -> float:
    """Of the first order, corrected for its bias; never below 0, which would make bounds narrower, and below 1."""
    n, power = len(errors), float(errors @ errors)
    if power <= 0.0:
        return 0.0
    rho = float(errors[1:] @ errors[:-1]) / power
    rho += (2 + 4 * rho) / n
    return min(max(rho + math.sqrt(max(1 - rho * rho, 0.0) / n), 0.0), _CLOSE_TO_ONE)


def exhaustion(found: Trend, limit: float) -> Exhaustion | None:
    """When a limit is reached if it goes on like this, with the bounds of the slope; None unless it grows."""
    if found.course is not Course.GROWS or found.per_hour is None or found.level is None:
        return None
    room = limit - found.level

    def after(per_hour: float | None) -> float | None:
        if room <= 0:
            return 0.0
        return room / per_hour * 3600 if per_hour is not None and per_hour > 0 else None

    return Exhaustion(after(found.per_hour), after(found.high), after(found.low))
