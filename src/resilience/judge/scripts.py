"""What a load by somebody's script leaves unknown, and what that does to a verdict: nothing unknown becomes a pass.

Such a script says nothing of its operations beforehand. Those that it was seen to do in the baseline are what is
judged, each as critical, with the longest that it took as its time limit.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from resilience.columns import Record
from resilience.judge.quantiles import NS, to_ns
from resilience.model import EventKind, Json, Operation, Phase, PhaseName, Role

SCRIPTS = frozenset({"k6", "artillery"})
NOT_JUDGED = frozenset({"dropped-iterations", "checks", "other"})
"""Operations by which only what went wrong is told, or several in one."""

STEP_S = 0.02
"""As in `load.health`: of a program that tells instants by the wall clock, more would be judged as of another time."""


def of_script(record: Record) -> bool:
    """Whether the load was somebody's script."""
    return record.experiment.load.driver in SCRIPTS


def with_operations(record: Record) -> Record:
    """The record of a script's load, its operations being those that were seen in the baseline; others as they are."""
    load, samples = record.experiment.load, record.samples
    if not of_script(record) or load.operations:
        return record
    begin_ns, end_ns = to_ns(load.warm_up_s), to_ns(load.warm_up_s + load.baseline_s)
    there = (samples.arrival_ns >= begin_ns) & (samples.arrival_ns < end_ns)
    found = []
    for number, name in enumerate(samples.operations):
        own = samples.operation == number
        count = int(np.count_nonzero(own & there))
        if count and name not in NOT_JUDGED:
            longest_s = float((samples.end_ns - samples.start_ns)[own].max()) / NS
            found.append(
                Operation(name=name, weight=count, method="", path="", role=Role.READ, timeout_s=max(longest_s, 0.001))
            )
    return replace(record, experiment=replace(record.experiment, load=replace(load, operations=tuple(found))))


def script_problems(record: Record, phases: Iterable[Phase], end_s: float) -> Iterable[str]:
    """What keeps such a load from being believed.

    Args:
        record: of the run.
        phases: of it.
        end_s: the end of the last one.
    """
    if not of_script(record):
        return
    said = said_of(record)
    name = record.experiment.load.driver
    for phase in phases:
        if phase.name is not PhaseName.WARM_UP and not _any(record, phase):
            yield f"{phase.label} had no operation of the script of {name} at all"
    problems = said.get("problems", [])
    yield from (str(one) for one in (problems if isinstance(problems, list | tuple) else [problems]))
    ended_s = said.get("ended_s")
    if isinstance(ended_s, int | float) and ended_s < end_s:
        why = f": {said['ended_because']}" if said.get("ended_because") else ""
        yield f"{name} ended by itself at {ended_s:.1f} s, before the last phase was over at {end_s:.1f} s{why}"
    first_s, warm_s = said.get("first_s"), record.experiment.load.warm_up_s
    if isinstance(first_s, int | float) and first_s > warm_s:
        yield (
            f"the script of {name} sent its first operation at {first_s:.1f} s, when the baseline had begun at "
            f"{warm_s:g} s: lengthen load.warm_up"
        )
    if said.get("wall_clock"):
        yield from _steps(record, name)


def said_of(record: Record) -> Mapping[str, Any]:
    """The part `script` of the generator's account; empty if there is none."""
    accounts = [event.detail for event in record.events if event.kind is EventKind.LOAD]
    said = accounts[0].get("script") if len(accounts) == 1 else None
    return said if isinstance(said, Mapping) else {}


def waiting_users(record: Record) -> int:
    """How many virtual users of a script wait for their answers before they go on; 0 if there are none, or no script.

    They ask less of a target that stalls, as the users of a closed load do: see `judge.closed`.
    """
    users = said_of(record).get("waiting_users") if of_script(record) else 0
    return users if isinstance(users, int) else 0


def not_told(record: Record) -> list[str]:
    """What a verdict about such a load does not cover, in sentences."""
    if not of_script(record):
        return []
    said, name = said_of(record), record.experiment.load.driver
    sent = (
        f"The load was a script of {name}. It does not tell when an operation was meant to start, so response times "
        "count from when it was sent: what a waiting virtual user would have sent, and how late, is not in them."
    )
    found = [
        sent,
        f"What an answer of it meant is known by its status and the checks of the script: {name} tells no more.",
    ]
    if name == "k6":
        found.append(
            "k6 does not tell what was in flight at the end, only how many iterations were cut off "
            f"({said.get('interrupted_iterations', 'unknown')}); instants are by the wall clock, read within "
            f"{_number(said.get('clock_uncertainty_s')) * 1e6:.0f} µs of ours."
        )
    return found


def _steps(record: Record, name: str) -> Iterable[str]:
    accounts = [event.detail for event in record.events if event.kind is EventKind.LOAD]
    generator: Json = accounts[0].get("generator") if len(accounts) == 1 else None
    steps = generator.get("clock_steps", []) if isinstance(generator, Mapping) else []
    for step in steps if isinstance(steps, list | tuple) else ():
        if isinstance(step, list | tuple) and len(step) == 2 and abs(_number(step[1])) > STEP_S:  # noqa: PLR2004
            yield (
                f"the wall clock stepped by {_number(step[1]):+.3f} s at {_number(step[0]):.1f} s, and {name} tells "
                "instants by it"
            )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def _any(record: Record, phase: Phase) -> bool:
    at_ns = record.samples.arrival_ns
    return bool(((at_ns >= to_ns(phase.start_s)) & (at_ns < to_ns(phase.end_s))).any())
