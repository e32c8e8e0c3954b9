"""The figures of a phase: of every operation, tenant and region what became of it, how quickly, and how many at once.

An operation is *in flight* from its actual start until its end. The mean number in flight is exact: the time that
operations spent in flight within the phase, divided by its length (Little's law read from the left). The largest number
is the largest of what was in flight at whole milliseconds; of phases longer than 200 s, at 200,000 instants evenly
spaced. Operations that began before the phase and were still in flight count.
"""

import math

import numpy as np
import numpy.typing as npt

from resilience.columns import Samples
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
    whole = case.traffic.samples
    # Whoever arrived earlier than the longest response time before the phase has ended by then.
    longest_s = float((whole.end_ns - whole.arrival_ns).max(initial=0)) / 1e9
    samples = case.traffic.between(phase.start_s - longest_s - 1e-9, phase.end_s)
    step_ns = max(MS, math.ceil((end_ns - begin_ns) / MOST_INSTANTS))
    together, found = np.zeros(-(-(end_ns - begin_ns) // step_ns), np.int64), {}
    spent_ns = 0
    for index, name in enumerate(names):
        own_ns, level = _level(samples, index, begin_ns, end_ns, step_ns)
        found[name] = (own_ns / (end_ns - begin_ns), int(level.max()))
        together += level
        spent_ns += own_ns
    return {"all": (spent_ns / (end_ns - begin_ns), int(together.max())), **found}


def _level(
    samples: Samples, operation: int, begin_ns: int, end_ns: int, step_ns: int
) -> tuple[int, npt.NDArray[np.int64]]:
    """Nanoseconds spent in flight within the phase, and how many were in flight at each of its instants."""
    chosen = (samples.operation == operation) & (samples.outcome != DROPPED)
    starts = np.clip(samples.start_ns[chosen], begin_ns, end_ns) - begin_ns
    ends = np.clip(samples.end_ns[chosen], begin_ns, end_ns) - begin_ns
    instants = -(-(end_ns - begin_ns) // step_ns)
    # In flight at instant k: started at or before k steps, ended after.
    first, last = -(-starts // step_ns), -(-ends // step_ns)
    change = np.bincount(first, minlength=instants + 1) - np.bincount(last, minlength=instants + 1)
    level: npt.NDArray[np.int64] = np.cumsum(change)[:instants]
    return int((ends - starts).sum()), level
