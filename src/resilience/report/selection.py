"""Which samples an export has: a stretch of the run, phases, operations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from resilience.judge.phases import end_s, phases
from resilience.judge.quantiles import to_ns
from resilience.model import Event, Phase, Problem

Bool = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Selection:
    """What is wanted of a run. What is empty or None selects everything.

    Attributes:
        from_s, to_s: arrivals from this instant on, and before that one; seconds since the run's zero.
        phases: kinds of phases (`fault`), or single ones as reports name them (`fault(redis-down)`).
        operations: their names.
    """

    from_s: float | None = None
    to_s: float | None = None
    phases: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self == Selection()

    def problems(self, runs: Iterable["Timeline"], operations: Iterable[str]) -> list[Problem]:
        """What none of the runs has, and a stretch that ends before it begins: an empty export would look quiet."""
        known = sorted(set(operations))
        labels = dict.fromkeys(label for run in runs for label in (*run.names, *run.labels))
        found = [
            Problem("--operation", f"{name!r} is not one of {', '.join(known) or 'none'}")
            for name in self.operations
            if name not in known
        ]
        found += [
            Problem("--phase", f"{name!r} is not one of {', '.join(labels) or 'none'}")
            for name in self.phases
            if name not in labels
        ]
        if self.from_s is not None and self.to_s is not None and self.from_s >= self.to_s:
            found.append(Problem("--to", f"{self.to_s:g} s is not after {self.from_s:g} s, where it begins"))
        return found

    def of(self, arrival_ns: Int64, phase: npt.NDArray[np.int32], run: "Timeline") -> Bool:
        """Which arrivals are in the stretch and in the phases; `phase` is what `Timeline.where` said of them."""
        wanted = np.ones(len(arrival_ns), bool)
        if self.from_s is not None:
            wanted &= arrival_ns >= to_ns(self.from_s)
        if self.to_s is not None:
            wanted &= arrival_ns < to_ns(self.to_s)
        if self.phases:
            chosen = [
                index
                for index, (name, label) in enumerate(zip(run.names, run.labels, strict=True))
                if name in self.phases or label in self.phases
            ]
            wanted &= np.isin(phase, np.array(chosen, np.int32))
        return wanted


@dataclass(frozen=True, slots=True)
class Timeline:
    """The phases of a run, for whoever has to say in which one an arrival lies.

    Attributes:
        names: `fault`. labels: `fault(redis-down)`, or the name where no fault belongs to it.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    begins_ns: Int64
    end_ns: int

    @staticmethod
    def of(events: Sequence[Event]) -> "Timeline":
        """From a run's events; a run that was cut short ends with its last one."""
        try:
            found: tuple[Phase, ...] = phases(events, end_s(events))
        except ValueError:
            found = ()  # damaged: the reader of the record says so
        names = tuple(phase.name.value for phase in found)
        labels = tuple(f"{phase.name.value}({phase.fault})" if phase.fault else phase.name.value for phase in found)
        begins = np.array([to_ns(phase.start_s) for phase in found], np.int64)
        return Timeline(names, labels, begins, to_ns(found[-1].end_s) if found else 0)

    def where(self, arrival_ns: Int64) -> npt.NDArray[np.int32]:
        """The index of the phase of each arrival; −1 for none."""
        found = np.searchsorted(self.begins_ns, arrival_ns, side="right") - 1
        return np.where(arrival_ns < self.end_ns, found, -1).astype(np.int32)
