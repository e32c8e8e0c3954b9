"""Cycles of fault and recovery, and the mean of several with an honest interval."""

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from resilience.judge.statistics import cox_bounds
from resilience.model import Answer, Json

MIN_FOR_INTERVAL = 3


@dataclass(frozen=True, slots=True)
class Cycle:
    """What one disturbance did to clients. Instants are seconds since the run began; None is what did not happen.

    Attributes:
        fault: the name of the disturbance, `faults` those of the faults in it.
        kind: of what kind on which part.
        like: what was written, which several cycles can be times of.
        impact: `none`, `degraded` (ok or degraded answers went on), `outage` (less than half were answered), `unknown`.
        detected_by: what the target said of itself by which it is known to have noticed.
        resolution_s: how far from the truth the outage and its ends may be; `milestones_resolution_s` the same of
            throughput and mitigation.
        lost_so_long_s: of a cycle that did not recover, for how long service had been lost when the watch ended.
        robustness: the smallest share of the usual service that any bin had.
        because: one sentence; `notes`: more of them.
    """

    fault: str
    kind: str
    answer: Answer
    because: str
    impact: str = "unknown"
    degraded_s: float | None = None
    detected_s: float | None = None
    detected_by: str = ""
    first_success_s: float | None = None
    full_throughput_s: float | None = None
    mitigated_s: float | None = None
    recovered_s: float | None = None
    time_to_degrade_s: float | None = None
    time_to_detect_s: float | None = None
    time_to_first_success_s: float | None = None
    time_to_full_throughput_s: float | None = None
    time_to_mitigate_s: float | None = None
    outage_s: float | None = None
    clear_to_recovered_s: float | None = None
    resolution_s: float | None = None
    milestones_resolution_s: float | None = None
    lost_so_long_s: float | None = None
    relapses: int = 0
    lost_service_s: float | None = None
    lost_operations: int | None = None
    robustness: float | None = None
    faults: tuple[str, ...] = ()
    like: str = ""
    notes: tuple[str, ...] = ()

    @property
    def felt(self) -> bool:
        """Whether it had an impact that clients could see."""
        return self.impact not in {"none", "unknown"}

    @property
    def alike(self) -> str:
        """What cycles have in common whose times are a sample of one thing."""
        return self.like or self.kind

    def json(self) -> dict[str, Json]:
        """As in `verdict.json`."""
        document: dict[str, Json] = {name: getattr(self, name) for name in self.__slots__}
        return {**document, "answer": self.answer.value}


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its bounds, and one sentence on what the bounds are.

    Attributes:
        bound_s: the largest upper bound of any kind of fault with enough cycles for one; 0 if there is none.
        at_least_s: without a mean, because a cycle did not recover: what the mean is at least.
        few: kinds of fault with too few cycles for an interval.
    """

    mean_s: float | None = None
    low_s: float | None = None
    high_s: float | None = None
    meaning: str = "no cycle with visible impact"
    bound_s: float = 0.0
    at_least_s: float | None = None
    few: tuple[str, ...] = ()


def find_interval(cycles: Sequence[Cycle], bin_s: float) -> Interval:
    """The mean outage and its bounds.

    Cox's log-normal interval needs at least three cycles of one fault as it was written, or of one kind of fault on one
    part: times of different kinds are no sample of one distribution. Otherwise the bounds are the shortest and the
    longest cycle, and say so. A cycle that did not recover has no length, only a least one, and is never left out.
    """
    felt = [cycle for cycle in cycles if cycle.felt]
    if not felt:
        return Interval()
    if any(cycle.outage_s is None for cycle in felt):
        least = [cycle.outage_s or cycle.lost_so_long_s or 0.0 for cycle in felt]
        at_least_s = math.fsum(least) / len(least)
        meaning = f"no mean: a cycle did not recover while it was observed; it is at least {at_least_s:.2f} s"
        return Interval(meaning=meaning, at_least_s=at_least_s)
    times = [cycle.outage_s or 0.0 for cycle in felt]
    kinds: dict[str, list[float]] = defaultdict(list)
    for cycle, time_s in zip(felt, times, strict=True):
        # Below the width of a bin a ratio of two times says nothing, and the logarithm is all about ratios.
        kinds[cycle.alike].append(max(time_s, bin_s))
    bounds = [cox_bounds(values) for values in kinds.values() if len(values) >= MIN_FOR_INTERVAL]
    few = tuple(name for name, values in kinds.items() if len(values) < MIN_FOR_INTERVAL)
    plain = Interval(
        mean_s=math.fsum(times) / len(times), bound_s=max((high for _, high in bounds), default=0.0), few=few
    )
    if len(times) == 1:
        return replace(plain, meaning="no interval: a single cycle says nothing about the spread")
    if len(kinds) == 1 and bounds:
        low, high = bounds[0]
        meaning = f"bounds of the mean of {len(times)} cycles, each one-sided 95 %, log-normal (Cox)"
        return replace(plain, low_s=low, high_s=high, meaning=meaning)
    meaning = f"not a confidence interval: shortest and longest of {len(times)} cycles"
    if len(kinds) > 1:
        meaning += f" of {len(kinds)} kinds of fault, whose times are not comparable"
    return replace(plain, low_s=min(times), high_s=max(times), meaning=meaning)


@dataclass(frozen=True, slots=True)
class Trend:
    """How outages changed from cycle to cycle, of cycles that are alike.

    Attributes:
        times_s: the outages in turn. The fault is held equally long in each, so what changes is the target's own.
        per_cycle_s: the median of the slopes between every two cycles (Theil and Sen).
        longer: whether each cycle took longer than the one before by more than the resolution of both.
    """

    like: str
    times_s: tuple[float, ...]
    per_cycle_s: float
    longer: bool

    def json(self) -> dict[str, Json]:
        """As in `verdict.json`."""
        return {
            "like": self.like,
            "times_s": list(self.times_s),
            "per_cycle_s": self.per_cycle_s,
            "longer_each_time": self.longer,
        }

    def said(self, limit_s: float) -> str:
        """One sentence."""
        times = ", ".join(f"{time_s:.2f}" for time_s in self.times_s)
        if not self.longer:
            return (
                f"{self.like}: {times} s in turn, {self.per_cycle_s:+.2f} s from one to the next: not longer each time"
            )
        more = math.ceil((limit_s - self.times_s[-1]) / self.per_cycle_s)
        return (
            f"{self.like}: it took longer each time ({times} s, {self.per_cycle_s:+.2f} s from one to the next): "
            f"something is used up; if that goes on, the limit of {limit_s:g} s is passed {max(more, 1)} cycles later"
        )


def find_trends(cycles: Sequence[Cycle]) -> tuple[Trend, ...]:
    """The trend of each kind of fault with at least three cycles that were felt and recovered from."""
    kinds: dict[str, list[Cycle]] = defaultdict(list)
    for cycle in cycles:
        if cycle.felt and cycle.outage_s is not None:
            kinds[cycle.alike].append(cycle)
    return tuple(_trend(like, own) for like, own in kinds.items() if len(own) >= MIN_FOR_INTERVAL)


def _trend(like: str, cycles: Sequence[Cycle]) -> Trend:
    times = [cycle.outage_s or 0.0 for cycle in cycles]
    slopes = [(times[later] - times[early]) / (later - early) for later in range(len(times)) for early in range(later)]
    longer = all(
        after_s - before_s > (before.resolution_s or 0.0) + (after.resolution_s or 0.0)
        for (before_s, before), (after_s, after) in pairwise(zip(times, cycles, strict=True))
    )
    return Trend(like, tuple(times), statistics.median(slopes), longer)
