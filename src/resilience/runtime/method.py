"""The steps of the method as they are carried out: phases entered, leases held, strikes done, time let pass.

Which step is meant is found by its name in the experiment, whose parts are drawn already; what a name stands for
several times is done several times, with its rests.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, replace

from resilience.errors import DebtsOutstanding, FaultError, Interrupted, ResilienceError
from resilience.model import (
    BeginFault,
    Experiment,
    FaultGroup,
    FaultSpec,
    Json,
    Observe,
    PhaseName,
    Place,
    Problem,
    Undo,
)
from resilience.ports import Clock, EventSink, Fault, Strike
from resilience.runtime.debts import DebtBook
from resilience.runtime.lease import Limits, lease
from resilience.runtime.radius import Radius
from resilience.runtime.strike import do_strike
from resilience.spec.phases import Course, Enter

Build = Callable[[FaultSpec, Place], Fault | Strike]
Mechanism = Callable[[FaultSpec, Place], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What carries the steps out.

    Attributes:
        build: makes a fault or strike.
        mechanism: by which means it is done here; empty where there is only one.
        places: the parts of the running stack, asked for each time: a restart changes them.
        enter: told of every phase that begins.
    """

    build: Build
    mechanism: Mechanism
    places: Callable[[], Mapping[str, Place]]
    book: DebtBook
    clock: Clock
    sink: EventSink
    enter: Enter


class Method:
    """See the module. Every step raises what `lease` and `do_strike` raise; `release` gives back what is in place."""

    def __init__(self, experiment: Experiment, means: Means) -> None:
        """Nothing is done yet."""
        self._experiment = experiment
        self._with = means
        self._course = Course(experiment.steps, means.enter)
        self._radius = Radius.of(experiment)
        self._in_place: dict[str, AbstractContextManager[Undo]] = {}
        self._releasing = threading.Lock()

    def hold(self, name: str) -> dict[str, Json]:
        """Hold a fault, or a group of faults, as often as the file says, with the rests in between.

        Returns:
            When the first was confirmed and the last was clear, seconds since the run began; and each one's part.
        """
        done: list[dict[str, Json]] = []
        for step in self._experiment.steps:
            if isinstance(step, FaultSpec | FaultGroup) and step.written == name:
                done.append(self._hold(step))
            elif isinstance(step, Observe) and step.of == name:
                self.observe(step.phase, step.duration_s)
        if not done:
            raise FaultError(Problem(name, "is no fault of the experiment"))
        return {"confirmed_s": done[0]["confirmed_s"], "clear_s": done[-1]["clear_s"], "times": list(done)}

    def lease_of(self, spec: FaultSpec) -> AbstractContextManager[Undo]:
        """A lease of a fault that is no step by itself: of one of the plan's, with settings of its own."""
        self._go_on(spec.name)
        return self._lease(spec)

    def strike(self, name: str) -> dict[str, Json]:
        """Do a strike, and watch its consequences.

        Returns:
            When it was done, seconds since the run began, and what was measured.
        """
        spec = next(step for step in self._experiment.steps if isinstance(step, FaultSpec) and step.name == name)
        spec, strike = self._built(spec)
        if not isinstance(strike, Strike):
            raise FaultError(Problem(name, f"{spec.kind} is no strike", "use hold_fault"))
        self._go_on(spec.name)
        self._course.begin(spec)
        try:
            with self._radius.inside(spec):
                proof = do_strike(strike, spec, sink=self._with.sink, clock=self._with.clock)
            struck_s = self._with.clock.now_s()
            self._with.clock.sleep_until(struck_s + spec.duration_s)
        finally:
            self._course.over()
        return {"struck_s": round(struck_s, 3), "proof": proof}

    def begin(self, name: str) -> dict[str, Json]:
        """Put a fault in place, until it is ended.

        Returns:
            When it was confirmed, seconds since the run began.
        """
        step = next(step for step in self._experiment.steps if isinstance(step, BeginFault) and step.begun.name == name)
        spec = step.begun
        at_most_s = spec.duration_s if spec.at_most_s is None else spec.at_most_s
        held = self._lease(replace(spec, duration_s=at_most_s))
        self._go_on(name)
        self._course.begin(step)
        try:
            held.__enter__()
            self._in_place[name] = held
        except BaseException:
            self._course.end(name)
            raise
        self._with.clock.sleep_until(self._with.clock.now_s())  # raises if it was told to stop meanwhile
        return {"confirmed_s": round(self._with.clock.now_s(), 3)}

    def end(self, name: str) -> dict[str, Json]:
        """Give a fault back that was begun.

        Returns:
            When it was clear, seconds since the run began.
        """
        held = self._in_place.pop(name, None)
        if held is None:
            self._with.clock.sleep_until(self._with.clock.now_s())  # raises if the run was told to stop
            raise FaultError(Problem(name, "is not in place: it was not begun, or was given back already"))
        try:
            held.__exit__(None, None, None)
        finally:
            self._course.end(name)
        return {"clear_s": round(self._with.clock.now_s(), 3)}

    def observe(self, phase: PhaseName, duration_s: float) -> dict[str, Json]:
        """Let time pass under load.

        Returns:
            When it began and ended, seconds since the run began.
        """
        begin_s = self._with.clock.now_s()
        self._with.clock.sleep_until(begin_s)  # raises if the run was told to stop: a phase of no length says nothing
        self._course.observe(phase)
        self._with.clock.sleep_until(begin_s + duration_s)
        return {"begin_s": round(begin_s, 3), "end_s": round(self._with.clock.now_s(), 3)}

    def release(self, reason: str) -> tuple[str, ...]:
        """Give everything back that was begun and not ended, the last first. From any thread; raises nothing.

        Returns:
            The names of what was given back, or at least tried: what could not be is in the book of debts.
        """
        released = []
        with self._releasing:
            for name in reversed(list(self._in_place)):
                held = self._in_place.pop(name, None)
                if held is not None:
                    ending = Interrupted(reason)
                    with suppress(ResilienceError):
                        held.__exit__(Interrupted, ending, None)
                    released.append(name)
        return tuple(released)

    def _hold(self, step: FaultSpec | FaultGroup) -> dict[str, Json]:
        members = step.faults if isinstance(step, FaultGroup) else (step,)
        leases = [self._lease(spec, others=len(members) - 1) for spec in members]
        self._go_on(step.name)
        self._course.begin(step)
        try:
            with ExitStack() as held:
                for one in leases:
                    held.enter_context(one)
                confirmed_s = self._with.clock.now_s()
                self._with.clock.sleep_until(confirmed_s + step.duration_s)
        finally:
            self._course.over()
        clear_s = self._with.clock.now_s()
        on: Json = [spec.on for spec in members]
        return {"name": step.name, "on": on, "confirmed_s": round(confirmed_s, 3), "clear_s": round(clear_s, 3)}

    def _lease(self, spec: FaultSpec, others: int = 0) -> AbstractContextManager[Undo]:
        """A lease that is long enough for others to come and go inside it."""
        spec, fault = self._built(spec)
        if not isinstance(fault, Fault):
            raise FaultError(Problem(spec.name, f"{spec.kind} is a strike, which is not held", "use strike"))
        usual = Limits(grace_s=self._experiment.safety.grace_s)
        limits = replace(usual, grace_s=usual.grace_s + others * (usual.confirm_s + usual.clear_s))
        return lease(
            fault,
            spec,
            book=self._with.book,
            sink=self._with.sink,
            clock=self._with.clock,
            limits=limits,
            radius=self._radius,
            place=self._with.places()[spec.on],
        )

    def _built(self, spec: FaultSpec) -> tuple[FaultSpec, Fault | Strike]:
        """The fault or strike, and what is known of it now that the stack runs."""
        place = self._with.places()[spec.on]
        built = self._with.build(spec, place)
        return replace(spec, mechanism=self._with.mechanism(spec, place)), built

    def _go_on(self, name: str) -> None:
        """Refuse to go on when the run was told to stop, or with a target that something could not be given back to."""
        self._with.clock.sleep_until(self._with.clock.now_s())
        if self._with.book.abandoned:
            owed = ", ".join(sorted(self._with.book.abandoned))
            raise DebtsOutstanding(f"{name} is not done: {owed} could not be given back")
