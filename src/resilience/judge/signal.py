"""The signal that recovery is read from: full-service goodput per bin, and the band that baseline traffic stays in.

An operation is *good* if it was ok, not degraded, and answered within the latency band, counted from its intended
start. The band is the baseline's p95 times the experiment's latency factor, or its floor if that is more. A bin of n
operations is good enough if at least `L = BinomialQuantile(0.001; n, q0)` of them are good, with q0 Wilson's lower
bound of the baseline's share of good ones, and if the schedule's arrivals were in fact offered. It has left the band
if it is two points (of a hundred) below L. Time is the intended start of operations, so it does not depend on how they
went.

There are two lower levels of service, each with a band of its own: *useful* is ok and in time, degraded or not, and
*answered* is ok, however late. From them come the instants of mitigation and of full throughput.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
import numpy.typing as npt

from resilience.columns import Bool, Int64, Samples
from resilience.judge.case import Case
from resilience.judge.quantiles import NS, OK, nearest_rank, response_ns, to_ns
from resilience.judge.statistics import binomial_quantile, wilson_lower
from resilience.model import Load

MIN_BASELINE = 500
"""Fewer operations in the baseline say too little about what is normal."""

MIN_OPERATION = 150
"""The same of one kind of operation, where the baseline of all is known to be normal."""

PER_BIN = 50
"""Operations that a bin should hold."""

MIN_BIN_S, MAX_BIN_S = 0.1, 1.0
LEAVE_POINTS = 0.02
RARE = 0.001
SAME_POINTS = 0.02
"""Halves of the baseline whose shares of good operations differ by more than this are not the same."""


class Level(Enum):
    """How well an operation was served; what is well at one level is well at all after it."""

    FULL = "ok, not degraded, in time"
    USEFUL = "ok, in time"
    ANSWERED = "ok"


@dataclass(frozen=True, slots=True)
class Band:
    """What is normal.

    Attributes:
        q0: lower bound of the share of operations that are well, `usual` the share itself.
        limit_ns: the longest good response time.
        served: lower bound of the share of operations that were ok and not degraded, however slow.
        bin_s: width of the bins.
        rate: operations per second.
        coarse_s: how exact an instant is from bins alone: their width, the time between two operations, and p99.
        share: of the load's arrivals that the band is about: 1, or one operation's part of the mix.
        level: what *well* means.
        excused: time is counted from when an operation was really sent, which excuses a generator that was late.
    """

    q0: float
    usual: float
    limit_ns: int
    served: float
    bin_s: float
    rate: float
    coarse_s: float
    share: float = 1.0
    level: Level = Level.FULL
    excused: bool = False

    def well(self, samples: Samples) -> Bool:
        """Which operations were well, at the level of this band."""
        answered: Bool = samples.outcome == OK
        if self.level is Level.ANSWERED:
            return answered
        since_ns = samples.start_ns if self.excused else samples.arrival_ns
        quick: Bool = samples.end_ns - since_ns <= self.limit_ns
        useful = answered & quick
        return useful if self.level is Level.USEFUL else useful & ~samples.degraded


@dataclass(frozen=True, slots=True)
class Bins:
    """Bins of equal width from `start_s`: offered, good, whether in the band, and whether clearly out of it.

    Attributes:
        asked: whether as many operations were offered as the schedule has; of others nothing can be demanded.
    """

    start_s: float
    width_s: float
    offered: Int64
    good: Int64
    inside: Bool
    outside: Bool
    asked: Bool

    def until(self, count: int) -> "Bins":
        """The first bins."""
        offered, well = self.offered[:count], self.good[:count]
        inside, outside, asked = self.inside[:count], self.outside[:count], self.asked[:count]
        return Bins(self.start_s, self.width_s, offered, well, inside, outside, asked)

    def at(self, index: int) -> float:
        """When a bin begins."""
        return self.start_s + index * self.width_s


def expected(load: Load, start_s: float, end_s: float) -> float:
    """How many arrivals the profile has between two instants; 0 of a closed load (see `judge.closed`)."""
    return 0.0 if load.closed else level_integral(load, start_s, end_s)


def level_integral(load: Load, start_s: float, end_s: float) -> float:
    """The integral of the level, exact for straight stages: arrivals, or of a closed load the time of all users."""

    def until(at_s: float) -> float:
        done, begun, level = 0.0, 0.0, load.level
        for stage in load.stages:
            spent = min(max(at_s - begun, 0.0), stage.duration_s)
            share = spent / stage.duration_s if stage.duration_s > 0 else 0.0
            done += spent * (level + level + (stage.rate - level) * share) / 2
            begun += stage.duration_s
            level = stage.rate
        return done + max(at_s - begun, 0.0) * level

    return until(end_s) - until(start_s)


def too_few(offered: float, due: float) -> bool:
    """Whether fewer operations were offered than 95 % of what was due, beyond what random arrivals explain (0.1 %)."""
    return offered < min(0.95 * due, due - 3.1 * math.sqrt(due))


def served(samples: Samples) -> Bool:
    """Which operations were ok and not degraded, however slow."""
    right: Bool = (samples.outcome == OK) & ~samples.degraded
    return right


def find_band(case: Case, share: float = 1.0, overall: Band | None = None) -> Band | str:
    """The band of the baseline, or one sentence that says why it cannot be told.

    With the band of all operations as `overall`, the case is that of one kind, which has `share` of the arrivals. Its
    band is then not narrower than that of all, and its baseline was found even with that of all.
    """
    recovery = case.record.experiment.recovery
    pieces = [case.during(phase) for phase in case.baselines]
    seconds = sum(phase.end_s - phase.start_s for phase in case.baselines)
    count = sum(len(piece) for piece in pieces)
    least = MIN_BASELINE if overall is None else MIN_OPERATION
    if count < least:
        return f"the baseline has {count:,} operations, at least {least} are needed to know what is normal"
    times = np.sort(np.concatenate([response_ns(piece) for piece in pieces]))
    if len(times) == 0:
        return f"none of the {count:,} operations of the baseline was sent"

    def limit(p95_ns: int) -> int:
        narrowest_ns = 0 if overall is None else overall.limit_ns
        return max(round(p95_ns * recovery.latency_factor), to_ns(recovery.latency_floor_s), narrowest_ns)

    p95_ns = nearest_rank(times, 0.95)
    rate = count / seconds
    band = Band(
        q0=0.0,
        usual=0.0,
        limit_ns=limit(p95_ns),
        served=wilson_lower(sum(int(np.count_nonzero(served(piece))) for piece in pieces), count),
        bin_s=min(max(math.ceil(PER_BIN / rate * 20) / 20, MIN_BIN_S), MAX_BIN_S),
        rate=rate,
        coarse_s=0.0,
        share=share,
    )
    uneven = _uneven(case, band, limit) if overall is None else None
    if uneven is not None:
        return uneven
    band = replace(band, coarse_s=band.bin_s + 1 / rate + nearest_rank(times, 0.99) / NS)
    well = _well(pieces, band)
    if well < count / 2:
        return f"only {well / count:.1%} of the baseline's {count:,} operations had full service"
    return replace(band, q0=wilson_lower(well, count), usual=well / count)


def at_level(case: Case, band: Band, level: Level) -> Band:
    """The band of the same baseline at another level of service."""
    pieces = [case.during(phase) for phase in case.baselines]
    count, lower = sum(len(piece) for piece in pieces), replace(band, level=level)
    well = _well(pieces, lower)
    return replace(lower, q0=wilson_lower(well, count), usual=well / max(count, 1))


def _well(pieces: Sequence[Samples], band: Band) -> int:
    return sum(int(np.count_nonzero(band.well(piece))) for piece in pieces)


def _uneven(case: Case, band: Band, limit: Callable[[int], int]) -> str | None:
    """In what the first and the second half of the (last) baseline phase are not alike: share of good ones, or p95."""
    phase = case.baselines[-1]
    middle_s = (phase.start_s + phase.end_s) / 2
    shares, p95s = [], []
    for piece in (case.traffic.between(phase.start_s, middle_s), case.traffic.between(middle_s, phase.end_s)):
        times = response_ns(piece)
        shares.append(float(np.mean(band.well(piece))) if len(piece) else 0.0)
        p95s.append(nearest_rank(times, 0.95) if len(times) else 0)
    if abs(shares[0] - shares[1]) > SAME_POINTS:
        return (
            "the halves of the baseline are not alike: "
            f"{shares[0]:.1%} and {shares[1]:.1%} of their operations had full service"
        )
    slow, quick = max(p95s), min(p95s)
    if slow > limit(quick):
        return (
            "the halves of the baseline are not alike: "
            f"p95 {quick / NS * 1000:.0f} ms in one, {slow / NS * 1000:.0f} ms in the other"
        )
    return None


def find_bins(case: Case, band: Band, start_s: float, end_s: float) -> Bins:
    """The whole bins between two instants."""
    count = max(math.floor((end_s - start_s) / band.bin_s + 1e-9), 0)
    offered, well = _counts(case, band, start_s, count)
    load = case.record.experiment.load
    due = np.diff([expected(load, start_s, start_s + i * band.bin_s) for i in range(count + 1)]) * band.share
    there = _of_mix(case, band, start_s, count, offered)
    starved = np.asarray([too_few(int(n), float(m)) for n, m in zip(there, due, strict=True)], dtype=np.bool_)
    return _judged(Bins(start_s, band.bin_s, offered, well, starved, starved, (offered > 0) & ~starved), band)


def _of_mix(case: Case, band: Band, start_s: float, count: int, offered: Int64) -> Int64:
    """How many operations of each bin the load's profile accounts for: all of them, unless others come in addition."""
    if all(operation.weight > 0 for operation in case.record.experiment.load.operations):
        return offered
    edges = np.asarray([to_ns(start_s + i * band.bin_s) for i in range(count + 1)], dtype=np.int64)
    samples = case.of_mix(case.traffic.between(start_s, start_s + count * band.bin_s))
    return np.diff(np.searchsorted(samples.arrival_ns, edges)).astype(np.int64)


def bins_at(case: Case, band: Band, bins: Bins) -> Bins:
    """The same bins at another level of service; the very same if no operation tells the levels apart."""
    _, well = _counts(case, band, bins.start_s, len(bins.offered))
    return bins if np.array_equal(well, bins.good) else _judged(replace(bins, good=well), band)


def _counts(case: Case, band: Band, start_s: float, count: int) -> tuple[Int64, Int64]:
    """How many operations were offered in each of some bins, and how many of them were well."""
    edges = np.asarray([to_ns(start_s + i * band.bin_s) for i in range(count + 1)], dtype=np.int64)
    samples = case.traffic.between(start_s, start_s + count * band.bin_s)
    marks = np.searchsorted(samples.arrival_ns, edges)
    offered = np.diff(marks).astype(np.int64)
    # Those that are not well are few, so they are what is counted.
    bad = np.diff(np.searchsorted(np.flatnonzero(~band.well(samples)), marks))
    return offered, offered - bad


def _judged(bins: Bins, band: Band) -> Bins:
    """The bins, each with whether it is in the band and whether clearly out of it."""
    floors = {int(n): binomial_quantile(RARE, int(n), band.q0) for n in np.unique(bins.offered)}
    least: npt.NDArray[np.int64] = np.asarray([floors[int(n)] for n in bins.offered], dtype=np.int64)
    inside = (bins.good >= least) & bins.asked
    outside = (bins.good < least - LEAVE_POINTS * bins.offered) | ~bins.asked
    return replace(bins, inside=inside, outside=outside)
