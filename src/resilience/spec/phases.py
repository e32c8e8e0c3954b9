"""The phases of a run: which one it is as steps begin and end, for the plan and for the run alike.

The phase is that of the fault that was begun last and is still in place; if none is, recovery from the one before. A
fault that is begun and followed at once by the next has no phase of its own, nor has one that is ended at once after
another: what takes no time by plan is counted to its neighbour.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from resilience.model import (
    BeginFault,
    EndFault,
    FaultGroup,
    FaultSpec,
    Json,
    Load,
    Observe,
    PhaseName,
    PlannedPhase,
    Step,
    faults_of,
)
from resilience.spec.actions import is_step
from resilience.spec.expand import times
from resilience.spec.stages import method_s

Enter = Callable[[PhaseName, str, tuple[str, ...]], None]
"""A phase begins: its name, its fault and what else the file calls that."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A fault and when it is in place by plan; of a strike, when it is done and how long it is watched."""

    fault: FaultSpec
    start_s: float
    end_s: float


class Course:
    """Follows steps, and says when a phase begins.

    Args:
        steps: those of the method, in order.
        enter: told of every phase that begins.
    """

    def __init__(self, steps: Sequence[Step], enter: Enter) -> None:
        """It is the baseline."""
        self._steps = steps
        self._enter = enter
        self._now: tuple[PhaseName, str] = (PhaseName.BASELINE, "")
        self._last: tuple[str, tuple[str, ...]] = ("", ())
        self._in_place: list[FaultSpec] = []

    @property
    def in_place(self) -> tuple[str, ...]:
        """The names of what was begun and not ended, the oldest first."""
        return tuple(fault.name for fault in self._in_place)

    def begin(self, step: FaultSpec | FaultGroup | BeginFault) -> None:
        """A fault, a strike or a group is about to be done."""
        if isinstance(step, BeginFault):
            self._in_place.append(step.begun)
        self._fault(self._named_for(step))

    def over(self) -> None:
        """A fault or a group was given back, or the consequences of a strike were watched."""
        if not self._in_place:
            self._change(PhaseName.RECOVERY, *self._last)

    def end(self, name: str) -> None:
        """What was begun was given back."""
        self._in_place = [fault for fault in self._in_place if fault.name != name]
        self.over()

    def observe(self, phase: PhaseName) -> None:
        """Time is about to pass in a phase."""
        if phase is not PhaseName.FAULT:
            self._change(phase, *(self._last if phase is PhaseName.RECOVERY else ("", ())))
        elif self._in_place:
            self._fault(self._in_place[-1])

    def _named_for(self, step: FaultSpec | FaultGroup | BeginFault) -> FaultSpec | FaultGroup:
        """Whose name the phase has in which a step begins: its own, or that of the fault that follows at once."""
        if not isinstance(step, BeginFault):
            return step
        index = self._steps.index(step) + 1 if step in self._steps else len(self._steps)
        following = self._steps[index] if index < len(self._steps) else None
        if isinstance(following, FaultSpec | FaultGroup | BeginFault):
            return self._named_for(following)
        return step.begun

    def _fault(self, fault: FaultSpec | FaultGroup) -> None:
        self._last = (fault.name, fault.called)
        self._change(PhaseName.FAULT, *self._last)

    def _change(self, phase: PhaseName, fault: str, called: tuple[str, ...]) -> None:
        if self._now != (phase, fault):
            self._now = (phase, fault)
            self._enter(phase, fault, called)


def phases(load: Load, steps: Sequence[Step], chaos: Mapping[str, Json]) -> tuple[PlannedPhase, ...]:
    """Warm-up and baseline, then those of the steps, without gaps from 0 on.

    A pause that the file asks for lengthens the phase in which it falls; activities that are not ours count as taking
    no time. A phase that takes no time is left out.

    Args:
        load: gives the lengths of the first two phases; there is no warm-up if it is 0 s long.
        steps: those of the method, in order.
        chaos: the file, whose method has the pauses.
    """
    return _walk(load, steps, chaos).planned()


def placements(load: Load, steps: Sequence[Step], chaos: Mapping[str, Json]) -> tuple[Placement, ...]:
    """When each fault is in place by plan, in the order in which they come; arguments as for `phases`."""
    return tuple(_walk(load, steps, chaos).placed)


def most_at_once(placed: Sequence[Placement]) -> tuple[Placement, ...]:
    """Those that are in place together where most parts are touched at once."""
    together = [
        tuple(each for each in placed if each.start_s <= one.start_s < each.end_s or each is one) for one in placed
    ]
    return max(together, key=lambda those: len({each.fault.parts for each in those}), default=())


def lasting_s(step: Step) -> float:
    """How long a step takes by plan."""
    return 0.0 if isinstance(step, BeginFault | EndFault) else step.duration_s


def _walk(load: Load, steps: Sequence[Step], chaos: Mapping[str, Json]) -> "_Line":
    line = _Line(load)
    course = Course(steps, line.enter)
    left = list(steps)
    method: Any = chaos.get("method")
    for activity in method if isinstance(method, Sequence) else ():
        line.last(_pause(activity, "before"))
        if is_step(activity):
            count = _steps_of(activity)
            for step in left[:count]:
                _follow(course, step, line)
            left = left[count:]
        line.last(_pause(activity, "after"))
    return line


class _Line:
    """Phases one after the other, with their lengths, and the faults in them."""

    def __init__(self, load: Load) -> None:
        self._stretches: list[tuple[PhaseName, str, tuple[str, ...], float]] = [
            (PhaseName.WARM_UP, "", (), load.warm_up_s),
            (PhaseName.BASELINE, "", (), method_s(load) - load.warm_up_s),
        ]
        self.placed: list[Placement] = []

    @property
    def now_s(self) -> float:
        return sum(length_s for *_, length_s in self._stretches)

    def place(self, step: Step) -> None:
        """The faults of a step come; how long those stay that are begun turns out at their end."""
        length_s = 0.0 if isinstance(step, BeginFault) else lasting_s(step)
        self.placed += [Placement(fault, self.now_s, self.now_s + length_s) for fault in faults_of(step)]

    def end(self, name: str) -> None:
        """A fault that was begun goes."""
        self.placed = [replace(each, end_s=self.now_s) if each.fault.name == name else each for each in self.placed]

    def enter(self, phase: PhaseName, fault: str, called: tuple[str, ...]) -> None:
        self._stretches.append((phase, fault, called, 0.0))

    def last(self, length_s: float) -> None:
        """The phase that was entered last goes on for so long."""
        phase, fault, called, before_s = self._stretches[-1]
        self._stretches[-1] = (phase, fault, called, before_s + length_s)

    def planned(self) -> tuple[PlannedPhase, ...]:
        found, start_s = [], 0.0
        for phase, fault, called, length_s in self._stretches:
            if length_s > 0:
                end_s = start_s + length_s
                found.append(PlannedPhase(name=phase, start_s=start_s, end_s=end_s, fault=fault, called=called))
                start_s = end_s
        return tuple(found)


def _follow(course: Course, step: Step, line: _Line) -> None:
    """What a step does to the course of a run, if every fault takes no time to come and go."""
    match step:
        case BeginFault():
            course.begin(step)
            line.place(step)
        case EndFault():
            course.end(step.ended)
            line.end(step.ended)
        case Observe():
            course.observe(step.phase)
            line.last(step.duration_s)
        case _:
            course.begin(step)
            line.place(step)
            line.last(step.duration_s)
            course.over()


def _steps_of(activity: Mapping[str, Any]) -> int:
    """How many steps an activity of ours stands for."""
    arguments = activity["provider"].get("arguments", {})
    if activity["provider"].get("func") not in {"hold_fault", "hold_faults"}:
        return 1
    return times(arguments) * (2 if "rest" in arguments else 1)


def _pause(activity: Any, when: str) -> float:  # noqa: ANN401 - whatever the file has
    pauses = activity.get("pauses") if isinstance(activity, Mapping) else None
    pause_s = pauses.get(when, 0) if isinstance(pauses, Mapping) else 0
    return pause_s if isinstance(pause_s, int | float) and pause_s > 0 else 0.0
