"""The method: faults, groups, beginnings and ends; what undoes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from resilience.model.basics import Json
from resilience.model.events import PhaseName


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSpec:
    """A fault or strike of the method: what is done to which part of the stack, and for how long.

    What the file repeats stands here once for each time, under a name of its own (`redis-down-2`).

    Attributes:
        name: unique in the experiment; objectives refer to it.
        kind: `toxiproxy.down`, `process.pause`, …
        on: a part of the stack: `redis`, `postgres`, `service`; empty until it is drawn from `among`.
        duration_s: how long it is in place; of a strike, how long its consequences are watched.
        settings: of that kind of fault.
        of: the name as written, if it is one of several times; else empty.
        group: the group that it is held in; else empty.
        among: the parts from which the plan's seed draws one; empty if the file names one.
        strike: done once and not given back.
        at_most_s: the length of its lease, of a fault that is begun and ended by steps of their own.
        mechanism: by which means it is done here, once the running stack is known; empty where there is only one.
    """

    name: str
    kind: str
    on: str
    duration_s: float
    settings: Mapping[str, Json] = field(default_factory=dict)
    of: str = ""
    group: str = ""
    among: tuple[str, ...] = ()
    strike: bool = False
    at_most_s: float | None = None
    mechanism: str = ""

    @property
    def detail(self) -> Mapping[str, Json]:
        """What the record says of it when it is requested."""
        always: dict[str, Json] = {"kind": self.kind, "on": self.on, "settings": dict(self.settings)}
        known: dict[str, Json] = {"of": self.of, "group": self.group, "mechanism": self.mechanism}
        known["strike"] = self.strike
        return always | {name: value for name, value in known.items() if value}

    @property
    def written(self) -> str:
        """The name as it stands in the file."""
        return self.of or self.name

    @property
    def parts(self) -> tuple[str, ...]:
        """The part it is done to, or those that it may be done to."""
        return (self.on,) if self.on else self.among

    @property
    def called(self) -> tuple[str, ...]:
        """What else the file calls it."""
        return (self.of,) if self.of else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultGroup:
    """Several faults at once: injected in order, reverted in reverse, in one phase under the group's name.

    Attributes:
        name: unique in the experiment.
        of: the name as written, if it is one of several times; else empty.
    """

    name: str
    faults: tuple[FaultSpec, ...]
    duration_s: float
    of: str = ""

    @property
    def written(self) -> str:
        """The name as it stands in the file."""
        return self.of or self.name

    @property
    def called(self) -> tuple[str, ...]:
        """What else the file calls it, or its members."""
        names = [self.of, *(name for fault in self.faults for name in (fault.name, fault.of))]
        return tuple(dict.fromkeys(name for name in names if name))


@dataclass(frozen=True, slots=True)
class BeginFault:
    """A step that puts a fault in place, which stays there until `EndFault`."""

    begun: FaultSpec


@dataclass(frozen=True, slots=True)
class EndFault:
    """A step that gives a fault back that was begun; the name is as written."""

    ended: str


@dataclass(frozen=True, slots=True)
class Observe:
    """A step that only lets time pass under load: phase `recovery` or `after`, or `fault` while one is in place.

    Attributes:
        of: the fault, or group, after each of whose times it is a rest; empty if it is a step of its own.
    """

    phase: PhaseName
    duration_s: float
    of: str = ""


Step = FaultSpec | FaultGroup | BeginFault | EndFault | Observe


def faults_of(step: Step) -> tuple[FaultSpec, ...]:
    """The faults and strikes that a step does."""
    match step:
        case FaultSpec():
            return (step,)
        case FaultGroup():
            return step.faults
        case BeginFault():
            return (step.begun,)
        case _:
            return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """What must be put back, as JSON: enough to revert from another process, after a restart of everything."""

    kind: str
    data: Mapping[str, Json]
