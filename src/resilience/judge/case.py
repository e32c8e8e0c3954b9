"""What every checker looks at: the record, with its phases, faults and traffic worked out once."""

from dataclasses import dataclass

import numpy as np

from resilience.columns import Record, Samples
from resilience.judge.disturbances import Disturbance, find_disturbances
from resilience.judge.phases import FaultWindow, end_s, fault_windows, phases
from resilience.judge.quantiles import NS, Traffic
from resilience.judge.scripts import with_operations
from resilience.model import Phase, PhaseName

SLACK_S = 0.25
"""How much later than its timeout a client may notice that it has passed."""


@dataclass(frozen=True, slots=True)
class Case:
    """A record, prepared for judging.

    Attributes:
        faults: each by itself; `disturbances` are those that were in place together, as one.
        end_s: the end of the last phase; for a run in progress, the instant up to which every outcome is known.
        finished: whether the run is over.
    """

    record: Record
    phases: tuple[Phase, ...]
    faults: tuple[FaultWindow, ...]
    disturbances: tuple[Disturbance, ...]
    traffic: Traffic
    end_s: float
    finished: bool = True

    @property
    def baselines(self) -> tuple[Phase, ...]:
        """The baseline phases."""
        return self.named(PhaseName.BASELINE)

    def named(self, name: PhaseName, fault: str = "") -> tuple[Phase, ...]:
        """The phases of a name; only those about a fault or group, if one is given."""
        return tuple(phase for phase in self.phases if phase.name is name and phase.about(fault))

    def of_mix(self, samples: Samples) -> Samples:
        """Those that the load's profile accounts for.

        What subscribers are given, and when, is not the generator's; later steps of journeys, and operations that get
        tokens, come in addition to the arrivals.
        """
        load = self.record.experiment.load
        begin = {journey.first for journey in load.journeys}
        given = [one.name for one in load.operations if one.subscription or (one.weight == 0 and one.name not in begin)]
        if not given:
            return samples
        return samples.where(~np.isin(samples.operation, [self.traffic.index(name) for name in given]))

    def during(self, phase: Phase) -> Samples:
        """The samples that arrived in a phase."""
        return self.traffic.between(phase.start_s, phase.end_s)


def prepare(record: Record, *, finished: bool = True) -> Case:
    """Work out phases, fault windows and the order of samples.

    While a run is in progress, operations that arrived less than the longest timeout before the last known end may
    still be under way, and the slow ones among them would be missing. So the run is judged up to that instant only.
    """
    record = with_operations(record)
    samples = record.samples
    last_s = float(samples.end_ns.max()) / NS if len(samples) else 0.0
    if finished:
        until_s = end_s(record.events, last_s)
    else:
        longest_s = max((operation.timeout_s for operation in record.experiment.load.operations), default=0.0)
        until_s = last_s - longest_s - SLACK_S
    windows = fault_windows(record.events, until_s)
    return Case(
        record=record,
        phases=phases(record.events, until_s),
        faults=windows,
        disturbances=find_disturbances(windows, until_s),
        traffic=Traffic(samples),
        end_s=until_s,
        finished=finished,
    )
