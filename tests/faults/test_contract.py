"""What every fault that is held must do, whatever its mechanism; on real servers."""

import pytest

from resilience.faults import registry
from resilience.faults.toxiproxy import Toxic
from tests.faults.parts import SETTINGS, Parts, eventually, fault_on, over_json

pytestmark = pytest.mark.stack

KINDS = pytest.mark.parametrize("kind", sorted(registry.KINDS))


def test_every_kind_is_tried():
    """A kind that is added must be added here: the contract is not optional."""
    assert set(SETTINGS) == set(registry.KINDS)


@KINDS
def test_comes_and_goes(running: Parts, kind: str):
    """Absent, injected, observed, reverted, absent; reverting again changes nothing (Requirement F7)."""
    fault = fault_on(kind, running.place)
    undo = fault.prepare()
    assert fault.active(undo) is False
    assert running.healthy()
    fault.inject(undo)
    eventually(lambda: fault.active(undo), 2.0)
    assert not running.healthy(), "the effect must be there for a client that knows nothing of the fault"
    fault.revert(undo)
    eventually(lambda: fault.active(undo) is False)
    fault.revert(undo)
    assert fault.active(undo) is False
    assert running.healthy()


@KINDS
def test_revert_without_inject_is_harmless(running: Parts, kind: str):
    """The runner may die between writing the debt and injecting; then the revert finds nothing to do."""
    fault = fault_on(kind, running.place)
    undo = fault.prepare()
    before = running.recorded()
    fault.revert(undo)
    assert running.recorded() == before
    assert running.healthy()


@KINDS
def test_reverts_from_what_another_process_knows(running: Parts, kind: str):
    """The undo, as JSON, is all that a revert needs."""
    fault = fault_on(kind, running.place)
    undo = fault.prepare()
    fault.inject(undo)
    eventually(lambda: fault.active(undo), 2.0)
    read = over_json(undo)
    other = registry.from_undo(read)
    assert other is not fault
    assert other.active(read) is True
    other.revert(read)
    eventually(lambda: other.active(read) is False)
    assert running.healthy()


@KINDS
def test_somebody_elses_toxic_survives(running: Parts, kind: str):
    """Only what this run added is removed: another team's toxic of the same type stays, through it all."""
    theirs = Toxic("somebody", "latency", "downstream", 1.0, {"latency": 1, "jitter": 0})
    running.server.add_toxic("redis", theirs)
    try:
        fault = fault_on(kind, running.place)
        undo = fault.prepare()
        fault.inject(undo)
        eventually(lambda: fault.active(undo), 2.0)
        fault.revert(undo)
        eventually(lambda: fault.active(undo) is False)
        assert set(running.server.toxics("redis")) == {"somebody"}
    finally:
        running.server.remove_toxic("redis", "somebody")


@KINDS
def test_says_what_it_saw(running: Parts, kind: str):
    """The record's proof is a measurement in words, not a claim."""
    fault = fault_on(kind, running.place)
    undo = fault.prepare()
    fault.active(undo)
    assert getattr(fault, "proof", "")
