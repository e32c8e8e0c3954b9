"""The blast radius of a run, checked whenever a fault or strike is about to be done: which parts, how many, how long.

The file was checked for the same before the run. This is the second lock: whatever asks for a lease, with whatever it
was told, gets none for a part that the plan does not name.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from resilience.errors import FaultError
from resilience.model import Experiment, FaultSpec, Problem
from resilience.spec.overlaps import clash, parts_at_most


class Radius:
    """What may be touched, and what is.

    Args:
        parts: the parts that the plan names.
        max_at_once: on so many of them faults may be in place at the same time.
        max_fault_s: no lease lasts longer.
    """

    def __init__(self, parts: frozenset[str], *, max_at_once: int, max_fault_s: float) -> None:
        """Nothing is in place."""
        self._parts, self._max_at_once, self._max_fault_s = parts, max_at_once, max_fault_s
        self._held: list[FaultSpec] = []
        self._lock = threading.Lock()

    @classmethod
    def of(cls, experiment: Experiment) -> "Radius":
        """That of an experiment."""
        parts = frozenset(part for fault in experiment.faults for part in fault.parts)
        safety = experiment.safety
        return cls(parts, max_at_once=safety.max_at_once, max_fault_s=safety.max_fault_s)

    @classmethod
    def of_one(cls, spec: FaultSpec) -> "Radius":
        """That of a single fault."""
        return cls(frozenset(spec.parts), max_at_once=1, max_fault_s=length_of(spec))

    def enter(self, spec: FaultSpec) -> None:
        """Take a fault in; it counts until `leave`.

        Raises:
            FaultError: with every reason why it may not be done now. Nothing is taken in.
        """
        with self._lock:
            if problems := tuple(self._against(spec)):
                raise FaultError(problems)
            self._held.append(spec)

    def leave(self, spec: FaultSpec) -> None:
        """A fault is seen to be gone. Harmless if it was not there."""
        with self._lock:
            self._held = [held for held in self._held if held is not spec]

    @contextmanager
    def inside(self, spec: FaultSpec) -> Iterator[None]:
        """For a strike: it counts while it is done."""
        self.enter(spec)
        try:
            yield
        finally:
            self.leave(spec)

    def _against(self, spec: FaultSpec) -> Iterator[Problem]:
        if spec.on not in self._parts:
            known = ", ".join(sorted(self._parts)) or "none"
            yield Problem(spec.name, f"the plan does not name {spec.on!r}; the parts it may touch: {known}")
        if length_of(spec) > self._max_fault_s:
            yield Problem(spec.name, f"{length_of(spec):g} s are longer than safety.max_fault, {self._max_fault_s:g} s")
        count = parts_at_most((spec, *self._held))
        if count > self._max_at_once:
            yield Problem(
                spec.name,
                f"faults would be in place on {count} parts at once, safety.max_at_once is {self._max_at_once}",
            )
        for held in self._held:
            if why := clash(spec, held):
                yield Problem(spec.name, f"must not be done while {held.name} ({held.kind}) is in place: {why}")


def length_of(spec: FaultSpec) -> float:
    """How long its lease is, seconds."""
    return spec.duration_s if spec.at_most_s is None else spec.at_most_s
