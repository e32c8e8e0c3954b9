"""Phases, and what happens in a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from resilience.model.basics import Json


class PhaseName(StrEnum):
    """The five kinds of phase."""

    WARM_UP = "warm-up"
    BASELINE = "baseline"
    FAULT = "fault"
    RECOVERY = "recovery"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of the run.

    Attributes:
        fault: the fault, or the group of faults, of a fault phase, or what is recovered from; else empty.
        called: what else the file calls that fault: its name as written, the members of the group.
    """

    name: PhaseName
    start_s: float
    end_s: float
    fault: str = ""
    called: tuple[str, ...] = ()

    def about(self, fault: str) -> bool:
        """Whether a name stands for the fault of this phase; no name stands for every fault."""
        return fault in {"", self.fault, *self.called}

    @property
    def label(self) -> str:
        """`baseline`, `fault(redis-down)`."""
        return f"{self.name.value}({self.fault})" if self.fault else self.name.value


class EventKind(StrEnum):
    """What can stand in `events.jsonl`. `name` and `detail` of the event depend on it (see `record.events`)."""

    HEADER = "header"  # detail: format, run, experiment, seed, wall clock, versions, zero_ns
    PHASE = "phase"  # name: phase name; detail: {"fault": …, "called": […]}; it ends where the next begins, or at END
    REQUESTED = "fault-requested"  # name: fault name; detail: kind, on, settings, of, group, mechanism, strike
    CONFIRMED = "fault-confirmed"  # the effect was observed; detail: {"proof": …}
    REVERTING = "fault-reverting"  # the undo was asked for
    CLEAR = "fault-clear"  # the effect was observed to be gone; detail: {"proof": …}
    FAULT_PROBLEM = "fault-problem"  # detail: {"kind": …, "step": prepare|inject|active|revert|clear, "message": …}
    STRUCK = "struck"  # a strike was done; detail: {"proof": …}
    MARK = "mark"  # a note by a person or a program; detail: {"text": …}
    PROBLEM = "problem"  # anything that keeps the verdict from passing; name: source; detail: {"message": …}
    INTERRUPTED = "interrupted"  # signal, abort; detail: {"reason": …}
    LOAD = "load"  # the generator's own account at its end; detail: offered, ok, failed, unknown, dropped, …
    END = "end"  # the last phase is over
    FOOTER = "footer"  # detail: {"events": n}; a record without a footer was cut short


@dataclass(frozen=True, slots=True)
class Event:
    """One line of `events.jsonl`."""

    at_s: float
    kind: EventKind
    name: str = ""
    detail: Mapping[str, Json] = field(default_factory=dict)
