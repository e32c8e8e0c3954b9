"""Recovery of each kind of operation by itself: what is rare in the mix may stay broken while nearly all is well.

The rules are those of all operations together, on the operations of one kind: its own share of full service in the
baseline, bins as wide as its rate needs, and a latency band that is not narrower than that of all. An operation that is
too rare for that is unknown by itself, and said to be; it still counts among all.

An operation is said not to have recovered only if that does not hang on where its few operations fell: over the last
`hold_s` that were watched, too, fewer of them had full service than chance allows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from resilience.judge.case import Case
from resilience.judge.cycles import Cycle, Interval, find_interval
from resilience.judge.disturbances import Disturbance
from resilience.judge.outages import find_cycle
from resilience.judge.quantiles import Traffic
from resilience.judge.residue import UNLIKELY
from resilience.judge.signal import LEAVE_POINTS, RARE, Band, find_band
from resilience.judge.statistics import binomial_quantile
from resilience.model import Answer, Json

LEAST_RATE = 10.0
"""Fewer of them a second leave bins of a second empty by chance."""


@dataclass(frozen=True, slots=True)
class OperationRecovery:
    """How one kind of operation came through all cycles."""

    name: str
    critical: bool
    answer: Answer
    because: str
    cycles: tuple[Cycle, ...] = ()
    interval: Interval = field(default_factory=Interval)

    def json(self) -> dict[str, Json]:
        """As in `verdict.json`."""
        return {
            "answer": self.answer.value,
            "because": self.because,
            "critical": self.critical,
            "mttr_s": self.interval.mean_s,
            "mttr_low_s": self.interval.low_s,
            "mttr_high_s": self.interval.high_s,
            "interval": self.interval.meaning,
            "cycles": [cycle.json() for cycle in self.cycles],
        }


def _only(case: Case, name: str) -> Case:
    """The case with the operations of one kind alone: the columns that recovery is read from, and no more of them.

    A record can have many millions of samples, and each column that is cut costs as much as judging it.
    """
    number, whole = case.traffic.index(name), case.traffic.samples
    own = whole.operation == number
    arrival_ns = whole.arrival_ns[own]
    count = len(arrival_ns)
    lean = replace(
        whole,
        arrival_ns=arrival_ns,
        start_ns=whole.start_ns[own],
        end_ns=whole.end_ns[own],
        outcome=whole.outcome[own],
        status=whole.status[own],
        degraded=whole.degraded[own],
        operation=np.broadcast_to(np.int16(number), count),
        detail=np.broadcast_to(np.int32(0), count),
        shed=np.broadcast_to(np.bool_(0), count),
        tenant=None,
        region=None,
    )
    return replace(case, traffic=Traffic(lean))


def find_operations(case: Case, overall: Band) -> Mapping[str, OperationRecovery]:
    """Every operation of the mix by its name, given the band of all together."""
    load = case.record.experiment.load
    operations = load.operations
    weights = sum(one.weight for one in operations) + sum(one.weight for one in load.journeys)
    found = {}
    for operation in operations:
        share = operation.weight / weights
        cycles, why = _cycles(_only(case, operation.name), overall, share, UNLIKELY / len(operations))
        answer = Answer.worst(cycle.answer for cycle in cycles) if cycles else Answer.UNKNOWN
        worst = next((cycle for cycle in cycles if cycle.answer is answer), None)
        interval = find_interval(cycles, overall.bin_s)
        because = why if worst is None else worst.because
        if answer is Answer.PASS and (interval.mean_s or 0.0) >= case.record.experiment.recovery.limit_s:
            answer = Answer.FAIL  # the gate asks for no more than the mean, and that is too long
        if interval.mean_s is not None and worst is not None and worst.answer is Answer.PASS:
            longest_s = max(cycle.outage_s or 0.0 for cycle in cycles)
            because = f"full service was back after {interval.mean_s:.2f} s on average, {longest_s:.2f} s at most"
        found[operation.name] = OperationRecovery(operation.name, operation.critical, answer, because, cycles, interval)
    return found


def _cycles(case: Case, overall: Band, share: float, unlikely: float) -> tuple[tuple[Cycle, ...], str]:
    """The cycles as one kind of operation saw them; or none, and why."""
    band = find_band(case, share, overall)
    if isinstance(band, str):
        return (), band
    if not case.disturbances:
        return (), "no fault was requested"
    if band.rate < LEAST_RATE:
        return (), f"{band.rate:.1f} operations a second are too few to tell by themselves (at least {LEAST_RATE:g})"
    return tuple(
        _sure(case, band, window, find_cycle(case, band, window, unlikely)) for window in case.disturbances
    ), ""


def _sure(case: Case, band: Band, window: Disturbance, cycle: Cycle) -> Cycle:
    """The cycle; unknown instead of fail if it did not recover and its last operations by themselves do not show it."""
    if cycle.answer is not Answer.FAIL or cycle.recovered_s is not None or cycle.impact == "none":
        return cycle
    last = case.traffic.between(window.until_s - case.record.experiment.recovery.hold_s, window.until_s)
    well, count = int(np.count_nonzero(band.well(last))), len(last)
    if well < binomial_quantile(RARE, count, band.q0) - LEAVE_POINTS * count:
        return cycle
    because = f"{cycle.because}, but {well} of the last {count} operations were well: too few to tell"
    return replace(cycle, answer=Answer.UNKNOWN, because=because)


def worst_critical(found: Sequence[OperationRecovery]) -> OperationRecovery | None:
    """The first critical operation that did not recover."""
    return next((one for one in found if one.critical and one.answer is Answer.FAIL), None)
