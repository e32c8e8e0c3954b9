"""Experiment → Plan: what would be done, without touching anything."""

from collections.abc import Mapping

from resilience.model import Experiment, Plan
from resilience.spec.phases import phases
from resilience.spec.profile import expected_count
from resilience.spec.resolve import resolve


def plan(experiment: Experiment, *, seed: int, run: str, undo: Mapping[str, str]) -> Plan:
    """Lay out a run.

    Args:
        experiment: as parsed.
        seed: for everything random in the run.
        run: eight hexadecimal characters, new for each run.
        undo: fault name → one sentence that says how it is taken back.
    """
    experiment = resolve(experiment, seed)
    planned = phases(experiment.load, experiment.steps, experiment.chaos)
    duration_s = planned[-1].end_s
    return Plan(
        run=run,
        seed=seed,
        phases=planned,
        duration_s=duration_s,
        arrivals=round(expected_count(experiment.load, duration_s)),
        undo=dict(undo),
        parts={fault.name: fault.on for fault in experiment.faults},
    )
