"""A strike is struck only if it says what was measured."""

import pytest

from resilience.errors import FaultError
from resilience.model import Event, EventKind, FaultSpec
from resilience.runtime.clock import MonotonicClock
from resilience.runtime.strike import do_strike

SPEC = FaultSpec(name="cold", kind="redis.flush", on="redis", duration_s=1.0, settings={}, strike=True)


class Kept:
    """Keeps events."""

    def __init__(self):
        self.events = []

    def emit(self, kind, name="", /, **detail):
        """Keep one."""
        event = Event(0.0, kind, name, detail)
        self.events.append(event)
        return event


class Says:
    """A strike that says it measured this."""

    kind = "redis.flush"

    def __init__(self, proof):
        self.proof = proof

    def prepare(self):
        """Nothing is in the way."""

    def strike(self):
        """Nothing is done."""
        return self.proof


def test_a_strike_that_measured_something_is_struck():
    """Its proof is in the record and is what the caller gets."""
    kept = Kept()
    assert (
        do_strike(Says("7 keys before, 0 after"), SPEC, sink=kept, clock=MonotonicClock()) == "7 keys before, 0 after"
    )
    assert [event.kind for event in kept.events] == [EventKind.REQUESTED, EventKind.STRUCK]
    assert kept.events[-1].detail["proof"] == "7 keys before, 0 after"


@pytest.mark.parametrize("proof", ["", "  ", None])
def test_a_strike_without_a_proof_is_a_problem_and_not_struck(proof):
    """A strike that does nothing and says nothing must not count as one that was survived."""
    kept = Kept()
    with pytest.raises(FaultError, match="measured nothing"):
        do_strike(Says(proof), SPEC, sink=kept, clock=MonotonicClock())
    assert [event.kind for event in kept.events] == [EventKind.REQUESTED, EventKind.FAULT_PROBLEM]
