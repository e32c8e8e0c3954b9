"""Cycles of fault and recovery, and the mean of several with an honest interval."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

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
        resolution_s: how far from the truth an instant or the outage may be.
        because: one sentence.
    """

    fault: str
    kind: str
    answer: Answer
    because: str
    impact: str = "unknown"
    degraded_s: float | None = None
    detected_s: float | None = None
    recovered_s: float | None = None
    time_to_degrade_s: float | None = None
    outage_s: float | None = None
    clear_to_recovered_s: float | None = None
    resolution_s: float | None = None
    relapses: int = 0
    lost_service_s: float | None = None
    faults: tuple[str, ...] = ()
    like: str = ""

    def json(self) -> dict[str, Json]:
        """As in `verdict.json`."""
        document: dict[str, Json] = {name: getattr(self, name) for name in self.__slots__}
        return {**document, "answer": self.answer.value}


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its bounds, and one sentence on what the bounds are."""

    mean_s: float | None = None
    low_s: float | None = None
    high_s: float | None = None
    meaning: str = "no cycle with visible impact"
    bound_s: float = 0.0


def find_interval(cycles: Sequence[Cycle], bin_s: float) -> Interval:
    """The mean outage and its bounds.

    Cox's log-normal interval needs at least three cycles of one fault as it was written, or of one kind of fault on one
    part: times of different kinds are no sample of one distribution. Otherwise the bounds are the shortest and the
    longest cycle, and say so. `bound_s` is the largest upper bound of any kind with three cycles.
    """
    felt = [cycle for cycle in cycles if cycle.impact not in {"none", "unknown"}]
    if not felt:
        return Interval()
    if any(cycle.outage_s is None for cycle in felt):
        return Interval(meaning="no mean: a cycle did not recover while it was observed")
    times = [cycle.outage_s or 0.0 for cycle in felt]
    kinds: dict[str, list[float]] = defaultdict(list)
    for cycle, time_s in zip(felt, times, strict=True):
        # Below the width of a bin a ratio of two times says nothing, and the logarithm is all about ratios.
        kinds[cycle.like or cycle.kind].append(max(time_s, bin_s))
    bounds = [cox_bounds(values) for values in kinds.values() if len(values) >= MIN_FOR_INTERVAL]
    bound_s = max((high for _, high in bounds), default=0.0)
    mean_s = math.fsum(times) / len(times)
    if len(times) == 1:
        return Interval(mean_s, None, None, "no interval: a single cycle says nothing about the spread", bound_s)
    if len(kinds) == 1 and bounds:
        low, high = bounds[0]
        meaning = f"bounds of the mean of {len(times)} cycles, each one-sided 95 %, log-normal (Cox)"
        return Interval(mean_s, low, high, meaning, bound_s)
    meaning = f"not a confidence interval: shortest and longest of {len(times)} cycles"
    if len(kinds) > 1:
        meaning += f" of {len(kinds)} kinds of fault, whose times are not comparable"
    return Interval(mean_s, min(times), max(times), meaning, bound_s)
