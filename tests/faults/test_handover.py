"""Open connections go to the holder that was started, and to nobody else."""

import os
import socket
import subprocess
import sys

import pytest

from resilience.errors import FaultError
from resilience.faults import handover, holder
from resilience.faults.handover import Handover
from resilience.host import processes
from resilience.model import Identity

TAKER = """
import sys
from resilience.faults.handover import taken
sockets = taken(sys.argv[1])
for one in sockets:
    one.sendall(b"taken")
print(len(sockets))
"""


def taker(name: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", TAKER, name], stdout=subprocess.PIPE, text=True)


def identity_of(process: "subprocess.Popen[str]") -> Identity:
    found = processes.identify(process.pid)
    assert found is not None
    return found


@pytest.mark.parametrize("count", [1, 450])
def test_all_are_passed_on(count: int):
    """What is passed on works for the holder after the giver has closed its own; many go in several messages."""
    name = holder.new_name()
    pairs = [socket.socketpair() for _ in range(count)]
    with Handover(name) as waiting, taker(name) as process:
        waiting.give(identity_of(process), [theirs for _, theirs in pairs], lambda: None)
        for _, theirs in pairs:
            theirs.close()
        assert process.communicate(timeout=30)[0] == f"{count}\n"
    assert {ours.recv(16) for ours, _ in pairs} == {b"taken"}
    for ours, _ in pairs:
        ours.close()


def test_a_stranger_gets_nothing(monkeypatch: pytest.MonkeyPatch):
    """Whoever comes and is not the process that was started leaves without; what must go on goes on meanwhile."""
    monkeypatch.setattr(handover, "WITHIN_S", 2.0)
    name, meanwhile = holder.new_name(), []
    ours, theirs = socket.socketpair()
    myself = processes.identify(os.getpid())
    assert myself is not None
    with ours, theirs, Handover(name) as waiting, taker(name) as stranger:
        with pytest.raises(FaultError, match="was not up within 2 s"):
            waiting.give(myself, [theirs], lambda: meanwhile.append(1))
        assert stranger.communicate(timeout=30)[0] == "0\n"
    assert meanwhile


def test_a_holder_that_is_gone_is_not_waited_for():
    """It was ended by a revert, say: the giver stops at once, and does not go on with what keeps the fault in place."""
    name, meanwhile = holder.new_name(), []
    ours, theirs = socket.socketpair()
    with ours, theirs, Handover(name) as waiting, subprocess.Popen([sys.executable, "-c", "input()"]) as process:
        identity = identity_of(process)
        process.kill()
        process.wait()
        with pytest.raises(FaultError, match="has ended before it was up"):
            waiting.give(identity, [theirs], lambda: meanwhile.append(1))
    assert meanwhile == []
