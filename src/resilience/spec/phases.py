"""The phases of a run as planned, before anything ran."""

from collections.abc import Mapping, Sequence
from typing import Any

from resilience.model import FaultSpec, Json, Load, PhaseName, PlannedPhase, Step

ACTIONS = "resilience.ctk.actions"
"""The module of the actions that are steps of ours."""


def is_step(activity: Any) -> bool:  # noqa: ANN401 - whatever the file has
    """Whether an activity of the method is one of our steps."""
    provider = activity.get("provider") if isinstance(activity, Mapping) else None
    return isinstance(provider, Mapping) and provider.get("module") == ACTIONS


def phases(load: Load, steps: Sequence[Step], chaos: Mapping[str, Json]) -> tuple[PlannedPhase, ...]:
    """Warm-up and baseline, then one phase for each step, without gaps from 0 on.

    A pause that the file asks for lengthens the phase in which it falls; activities that are not ours count as taking
    no time. The fault of a recovery is the one before it.

    Args:
        load: gives the lengths of the first two phases; there is no warm-up if it is 0 s long.
        steps: those of the method, in order.
        chaos: the file, whose method has the pauses.
    """
    stretches: list[tuple[PhaseName, str, float]] = []
    if load.warm_up_s > 0:
        stretches.append((PhaseName.WARM_UP, "", load.warm_up_s))
    stretches.append((PhaseName.BASELINE, "", load.baseline_s))
    left, fault = list(steps), ""
    method: Any = chaos.get("method")
    for activity in method if isinstance(method, Sequence) else ():
        _lengthen(stretches, activity, "before")
        if is_step(activity) and left:
            step = left.pop(0)
            if isinstance(step, FaultSpec):
                fault = step.name
                stretches.append((PhaseName.FAULT, fault, step.duration_s))
            else:
                of = fault if step.phase is PhaseName.RECOVERY else ""
                stretches.append((step.phase, of, step.duration_s))
        _lengthen(stretches, activity, "after")
    planned, start_s = [], 0.0
    for name, of, length_s in stretches:
        planned.append(PlannedPhase(name=name, start_s=start_s, end_s=start_s + length_s, fault=of))
        start_s += length_s
    return tuple(planned)


def _lengthen(stretches: list[tuple[PhaseName, str, float]], activity: Any, when: str) -> None:  # noqa: ANN401 - as above
    pauses = activity.get("pauses") if isinstance(activity, Mapping) else None
    pause_s = pauses.get(when, 0) if isinstance(pauses, Mapping) else 0
    if isinstance(pause_s, int | float) and pause_s > 0:
        name, fault, length_s = stretches[-1]
        stretches[-1] = (name, fault, length_s + pause_s)
