"""What the readings of one resource say about a window: how near its limit, what changed and when, what it follows.

Nothing here is proof. A resource that was at its limit before response times rose, and rises and falls with them, is
the best candidate that observation can give; that it is the cause only an intervention shows.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from resilience.judge.anomaly import Usual
from resilience.judge.bottlenecks.windows import Course
from resilience.model.resources import Series

Float64 = npt.NDArray[np.float64]

LEAST_READINGS = 3
"""Fewer in a window say nothing."""

LEAST_BASELINE = 8
"""The same of the baseline, which also has to say how much varies by itself."""

REACHED = 0.9
"""A resource is at its limit from this share on: a processor that is at 90 % over a second made somebody wait."""

HELD = 0.5
"""So much of a window it has to be there: at least half."""

BEFORE_S = 15.0
"""So long before a window a change can be part of how it came about."""

CLEAR = 2.0
"""So many spreads from the baseline's median is clearly another value: of 12 readings, more than three deviations."""

FEWEST_PAIRS = 8
MOST_LAG = 3
"""How many readings the two may be apart in time, either way."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One resource in one window.

    Attributes:
        series: what was read.
        before: median in the baseline. during: median in the window.
        mean_before, mean: their means, for what is a small number of things at an instant.
        most: the highest reading in the window.
        limit: the one that held in the window; None if none is known.
        share, share_before: `during` and `before` as shares of the limit; None if no limit is known.
        held: share of the window's readings at 90 % of the limit or beyond.
        reached_s: since when it has been there, the first time that held; None if it never was, or always had been.
        changed_s: when it left its baseline, up or down; None if it did not, clearly.
        period_s: time between two readings: no instant is known better.
        follows: rank correlation with the response time around the window, by its sign; None if there are too few.
        lag_s: of that, how much later the response time is.
    """

    series: Series
    before: float
    during: float
    mean_before: float
    mean: float
    most: float
    limit: float | None
    share: float | None
    share_before: float | None
    held: float
    reached_s: float | None
    changed_s: float | None
    period_s: float
    follows: float | None
    lag_s: float

    @property
    def rose(self) -> bool:
        """Whether it was clearly more than in the baseline."""
        return self.changed_s is not None and self.during > self.before

    @property
    def fell(self) -> bool:
        """Whether it was clearly less than in the baseline."""
        return self.changed_s is not None and self.during < self.before

    @property
    def begun_s(self) -> float | None:
        """Since when it was as it was in the window: at its limit, or no longer as in the baseline."""
        return self.reached_s if self.at_limit and self.reached_s is not None else self.changed_s

    @property
    def at_limit(self) -> bool:
        """Whether it was at its limit for at least half of the window, and had not been in the baseline."""
        usual = self.share_before
        return self.share is not None and self.held >= HELD and (usual is None or usual < REACHED or self.rose)


def find_evidence(
    series: Series,
    baseline: tuple[float, float],
    window: tuple[float, float],
    course: Course,
    absent: float | None = None,
) -> Evidence | None:
    """What a series says of a window; None if too little was read.

    Args:
        series: what was read.
        baseline: the stretch it is compared with.
        window: the stretch in question.
        course: of the whole run.
        absent: what it was in the baseline if it could not be read then, because there was nothing to read.
    """
    start_s, end_s = window
    inside, usual = series.between(start_s, end_s), series.between(*baseline).value
    if len(usual) < LEAST_BASELINE and absent is not None and not len(usual):
        usual = np.full(LEAST_BASELINE, absent)
    if len(inside) < LEAST_READINGS or len(usual) < LEAST_BASELINE:
        return None
    before, during = float(np.median(usual)), float(np.median(inside.value))
    around = series.between(max(baseline[0], start_s - BEFORE_S), end_s)
    shares, reached_s, held = shares_of(around), None, 0.0
    limit = _limit(inside)
    if limit is not None:
        there = shares_of(inside) >= REACHED
        held = float(np.count_nonzero(there)) / len(inside)
        reached_s = lasting(around.at_s, shares >= REACHED)
    share_before = None
    if limit is not None and len(series.between(*baseline)):
        share_before = float(np.median(shares_of(series.between(*baseline))))
    follows, lag_s = correlate(around, course.between(max(baseline[0], start_s - BEFORE_S), end_s))
    return Evidence(
        series=series,
        before=before,
        during=during,
        mean_before=float(usual.mean()),
        mean=float(inside.value.mean()),
        most=float(inside.value.max()),
        limit=limit,
        share=None if limit is None else float(np.nanmedian(shares_of(inside))),
        share_before=share_before,
        held=held,
        reached_s=reached_s,
        changed_s=changed(around.at_s, around.value, usual, inside.value),
        period_s=float(np.median(np.diff(around.at_s))) if len(around) > 1 else math.inf,
        follows=follows,
        lag_s=lag_s,
    )


def shares_of(series: Series) -> Float64:
    """Readings as shares of the limit that there was then; NaN where none was known."""
    limits = series.limits
    if limits is None:
        limits = np.full(len(series), math.nan if series.limit is None else series.limit)
    shares = np.full(len(series), math.nan)
    np.divide(series.value, limits, out=shares, where=np.isfinite(limits) & (limits > 0))
    return shares


def _limit(series: Series) -> float | None:
    """The limit that held for most of a stretch."""
    limits = series.limits
    if limits is None:
        limits = np.asarray([] if series.limit is None else [series.limit])
    known = limits[np.isfinite(limits) & (limits > 0)]
    return float(np.median(known)) if len(known) else None


def lasting(at_s: Float64, there: npt.NDArray[np.bool_]) -> float | None:
    """Since when a state has held: the first reading of which, with the four after it, more than half are in it."""
    for index in np.flatnonzero(there).tolist():
        if np.mean(there[index : index + 5]) > HELD:
            return float(at_s[index])
    return None


def changed(at_s: Float64, value: Float64, usual: Float64, inside: Float64) -> float | None:
    """When a series left its baseline, if in the window it is clearly another one.

    Clearly: its median there is further from the baseline's than `CLEAR` spreads (see `judge.anomaly`: robust, widened
    for few readings and for ones that resemble each other), beyond all of the baseline's readings, and by more than a
    tenth. The instant is the first from which most readings are beyond half of the way.
    """
    after, known = float(np.median(inside)), Usual.of(usual, 1e-12, LEAST_BASELINE)
    if known is None:
        return None
    middle = known.middle
    beyond = after > float(usual.max()) if after > middle else after < float(usual.min())
    if not beyond or abs(after - middle) <= max(CLEAR * known.spread, 0.1 * abs(middle)):
        return None
    halfway = (middle + after) / 2
    return lasting(at_s, value > halfway if after > middle else value < halfway)


def correlate(around: Series, course: Course) -> tuple[float | None, float]:
    """Spearman's rank correlation of a series with the response time, and the lag at which it is strongest.

    Both are taken per bin of the course, the series as the mean of its readings in it. Lags are tried from `MOST_LAG`
    bins either way; trying several makes the strongest one too strong, so it is shrunk by what chance alone would give:
    the expected largest of so many correlations of independent noise, sqrt(2 ln k / (n - 1)).
    """
    if not len(course.at_s) or not len(around):
        return None, 0.0
    place = np.floor((around.at_s - course.at_s[0]) / course.width_s).astype(np.int64)
    fits = (place >= 0) & (place < len(course.at_s))
    many = np.bincount(place[fits], minlength=len(course.at_s))
    sums = np.bincount(place[fits], weights=around.value[fits], minlength=len(course.at_s))
    value = np.full(len(course.at_s), np.nan)
    np.divide(sums, many, out=value, where=many > 0)
    best, at_lag, pairs = 0.0, 0, 0
    for lag in range(-MOST_LAG, MOST_LAG + 1):
        first, then = (
            (value[: len(value) - lag], course.mean_s[lag:]) if lag >= 0 else (value[-lag:], course.mean_s[:lag])
        )
        known = np.isfinite(first) & np.isfinite(then)
        if np.count_nonzero(known) < FEWEST_PAIRS:
            continue
        found = spearman(first[known], then[known])
        if abs(found) > abs(best):
            best, at_lag, pairs = found, lag, int(np.count_nonzero(known))
    if not pairs:
        return None, 0.0
    chance = math.sqrt(2 * math.log(2 * MOST_LAG + 1) / (pairs - 1))
    return math.copysign(
        max(0.0, (abs(best) - chance) / (1 - chance)) if chance < 1 else 0.0, best
    ), at_lag * course.width_s


def spearman(one: Float64, other: Float64) -> float:
    """Spearman's rank correlation: Pearson's of the ranks, equal values with their mean rank; 0 if one never varies."""
    ranks = [_ranks(values) for values in (one, other)]
    deviations = [rank - rank.mean() for rank in ranks]
    scale = math.sqrt(float(np.sum(deviations[0] ** 2) * np.sum(deviations[1] ** 2)))
    return float(np.sum(deviations[0] * deviations[1])) / scale if scale > 0 else 0.0


def _ranks(values: Float64) -> Float64:
    _, where, many = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(many)
    ranks: Float64 = (last - (many - 1) / 2)[where]
    return ranks
