"""The figures of a phase: of every operation, tenant and region what became of it, how quickly, and how many at once.

An operation is *in flight* from its actual start until its end. The mean number in flight is exact: the time that
operations spent in flight within the phase, divided by its length (Little's law read from the left). The largest number
is the largest of what was in flight at whole milliseconds; of phases longer than 200 s, at 200,000 instants evenly
spaced. Operations that began before the phase and were still in flight count.
"""

import math

import numpy as np
import numpy.typing as npt

from resilience.columns import Int64
from resilience.judge.case import Case
from resilience.judge.quantiles import DROPPED, MS, of_segment, stats, to_ns
from resilience.model import Json, Phase

MOST_INSTANTS = 200_000


def phase_figures(case: Case, phase: Phase) -> dict[str, Json]:
    """A row of `phases` in `verdict.json`."""
    samples, seconds = case.during(phase), phase.end_s - phase.start_s
    operations: dict[str, Json] = {"all": stats(samples, seconds).json()}
    for index, name in enumerate(case.traffic.samples.operations):
        operations[name] = stats(samples, seconds, index).json()
    flying = in_flight(case, phase)
    for name, (mean, most) in flying.items():
        row = operations[name]
        assert isinstance(row, dict)  # noqa: S101 - for the type checker
        row |= {"in_flight_mean": mean, "in_flight_max": most}
    load = case.record.experiment.load
    return {
        "name": phase.name.value,
        "fault": phase.fault,
        "start_s": phase.start_s,
        "end_s": phase.end_s,
        "operations": operations,
        "tenants": {one.name: stats(of_segment(samples, "tenant", one.name), seconds).json() for one in load.tenants},
        "regions": {one.name: stats(of_segment(samples, "region", one.name), seconds).json() for one in load.regions},
    }


def in_flight(case: Case, phase: Phase) -> dict[str, tuple[float | None, int | None]]:
    """Mean and largest number in flight, for `all` and each operation; None if the phase has no length."""
    names = list(case.traffic.samples.operations)
    begin_ns, end_ns = to_ns(phase.start_s), to_ns(phase.end_s)
    if end_ns <= begin_ns:
        return dict.fromkeys(("all", *names), (None, None))
    # Whoever arrived earlier than the longest response time before the phase has ended by then.
    samples = case.traffic.between(phase.start_s - case.traffic.longest_s - 1e-9, phase.end_s)
    sent = samples.outcome != DROPPED
    operation = samples.operation[sent].astype(np.int64)
    starts = np.clip(samples.start_ns[sent], begin_ns, end_ns) - begin_ns
    ends = np.clip(samples.end_ns[sent], begin_ns, end_ns) - begin_ns
    step_ns = max(MS, math.ceil((end_ns - begin_ns) / MOST_INSTANTS))
    level = _levels(operation, starts, ends, len(names), -(-(end_ns - begin_ns) // step_ns), step_ns)
    spent = np.bincount(operation, weights=ends - starts, minlength=len(names)) / (end_ns - begin_ns)
    found = {name: (float(spent[index]), int(level[index].max())) for index, name in enumerate(names)}
    return {"all": (float(spent.sum()), int(level.sum(axis=0).max())), **found}


def _levels(
    operation: Int64, starts: Int64, ends: Int64, operations: int, instants: int, step_ns: int
) -> npt.NDArray[np.int64]:
    """How many of each operation were in flight at each instant: started at or before it, and ended after."""
    change = np.zeros(operations * (instants + 1), np.int64)
    for sign, times in ((1, starts), (-1, ends)):
        # Exact: an integer below 2^53 over another is never rounded up to a whole number that it does not reach.
        first = np.ceil(times / step_ns).astype(np.int64)
        change += sign * np.bincount(operation * (instants + 1) + first, minlength=len(change))
    level: npt.NDArray[np.int64] = np.cumsum(change.reshape(operations, instants + 1), axis=1)[:, :instants]
    return level
