"""Processes are found, told apart and ended surely."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from resilience.errors import EnvironmentNotReady
from resilience.host import processes
from resilience.model import Launch


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    tag = f"tests-{os.getpid()}-{time.monotonic_ns()}"
    words = (sys.executable, "-c", "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])")
    argv = (*words, "import time; time.sleep(60)")
    yield Launch(name="part", argv=argv, environment={}, folder=str(tmp_path), log=str(tmp_path / "log"), tag=tag)
    processes.end(processes.tagged(tag), patience_s=1.0)


def family(launch: Launch) -> tuple:
    root = processes.start(launch)
    deadline = time.monotonic() + 10
    while not processes.descendants(root) and time.monotonic() < deadline:
        time.sleep(0.02)
    return root, *processes.descendants(root)


def test_found_by_tag_and_by_family(launch: Launch):
    """The tag is inherited; the family is found from its root; `running` finds the root again."""
    root, child = family(launch)
    assert set(processes.tagged(launch.tag)) == {root, child}
    assert processes.running(launch) == root
    assert processes.running(replace(launch, name="other")) is None
    assert os.getsid(root.pid) == root.pid


def test_a_recycled_number_is_not_signalled(launch: Launch):
    """Same number, other start or other boot: another process, which must not be hit."""
    root, _ = family(launch)
    for stranger in (replace(root, start_ticks=root.start_ticks + 1), replace(root, boot="another")):
        assert not processes.alive(stranger)
        assert processes.send(stranger, signal.SIGKILL) is False
        assert processes.state_of(stranger) == ""
    assert processes.alive(root)


def test_stopped_ones_are_ended_too(launch: Launch):
    """A process that is stopped cannot act on SIGTERM; it is continued, or killed in the end."""
    everyone = family(launch)
    for identity in everyone:
        processes.send(identity, signal.SIGSTOP)
    processes.end(everyone, patience_s=1.0)
    assert not any(processes.alive(identity) for identity in everyone)


def test_ended_one_is_gone(launch: Launch):
    """A process that only waits to be reaped does not count as running, has no family, and gets no signal."""
    root, child = family(launch)
    processes.send(root, signal.SIGKILL)
    assert processes.wait_gone([root], 2.0) == ()
    assert processes.identify(root.pid) != root
    assert processes.descendants(root) == ()
    assert processes.send(root, signal.SIGCONT) is False
    processes.end([child])


def test_program_that_is_not_there(launch: Launch):
    """One message with the program's name."""
    with pytest.raises(EnvironmentNotReady, match="/no/such/program"):
        processes.start(replace(launch, argv=("/no/such/program",)))
