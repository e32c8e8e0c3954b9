"""Faults of processes and links on parts beside the service: a program that listens, one that does not, a copy."""

import signal
from pathlib import Path

import pytest

from resilience.faults.process_stop import Restart
from resilience.host import processes
from resilience.model import Program, Service
from tests.faults.parts import eventually, fault_on, over_json
from tests.faults.world import world

pytestmark = pytest.mark.stack

TESTS = Path(__file__).parents[1] / "stack"
TELLS = ("python", str(TESTS / "plain_program.py"))
COPY = ("python", str(TESTS / "plain_copy.py"))
PROGRAMS = (Program(name="worker", command=TELLS), Program(name="far-away", command=TELLS, ready="/ready"))


@pytest.fixture(scope="module")
def whole():
    """A stack with two programs."""
    with world(Service(command=COPY), PROGRAMS) as running:
        yield running


@pytest.mark.parametrize("kind", ["process.kill", "process.pause", "process.stop"])
@pytest.mark.parametrize("part", ["worker", "far-away"])
def test_a_program_is_hit_and_comes_back(whole, kind, part):
    """Requirement F4: also one that does not listen, of which only its process can be looked at."""
    fault = fault_on(kind, whole.place(part))
    undo = fault.prepare()
    assert fault.active(undo) is False
    fault.inject(undo)
    eventually(lambda: fault.active(undo) is True, 5.0)
    other = fault_on(kind, whole.place(part))
    other.revert(over_json(undo))
    eventually(lambda: other.active(over_json(undo)) is False, 10.0)
    identity = whole.place(part).identity
    assert processes.alive(identity)
    assert processes.running(whole.place(part).launch) == identity


def test_a_program_that_does_not_listen_is_restarted(whole):
    """Requirement F4: as a strike; the new process is another one."""
    before = whole.place("worker").identity
    strike = Restart({"patience_s": 3.0}, whole.place("worker"))
    strike.prepare()
    assert str(before.pid) in strike.strike()
    after = whole.place("worker").identity
    assert after != before
    assert processes.alive(after)


def test_the_link_to_a_program_is_cut_and_mended(whole):
    """Requirement F3: every program that listens has a proxy in front of it."""
    fault = fault_on("toxiproxy.down", whole.place("far-away"))
    undo = fault.prepare()
    fault.inject(undo)
    eventually(lambda: fault.active(undo) is True, 5.0)
    fault.revert(undo)
    eventually(lambda: fault.active(undo) is False, 5.0)


def test_one_copy_is_killed_and_comes_back():
    """Requirement F4: the others are not touched."""
    with world(Service(command=COPY, copies=2)) as running:
        other = running.place("service-1").identity
        fault = fault_on("process.kill", running.place("service-2"))
        undo = fault.prepare()
        fault.inject(undo)
        eventually(lambda: fault.active(undo) is True, 5.0)
        fault.revert(undo)
        eventually(lambda: fault.active(undo) is False, 10.0)
        assert running.place("service-1").identity == other
        assert processes.send(running.place("service-2").identity, signal.SIGCONT)
