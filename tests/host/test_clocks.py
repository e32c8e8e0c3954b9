"""Clocks of single processes."""

import os
import subprocess
import sys
import time

import pytest

from resilience.host import clocks, processes

TELL = "import sys, time\nfor _ in sys.stdin: print(time.time(), time.monotonic(), flush=True)"


@pytest.fixture
def started(tmp_path):
    """A process with a clock of its own, and the file that moves it."""
    found = clocks.faketime()
    if found is None:
        pytest.skip(f"libfaketime is not installed: {clocks.HOW}")
    file = tmp_path / "clock"
    clocks.move(file, clocks.REAL)
    environment = {**os.environ, **clocks.environment(found, file)}
    with subprocess.Popen(
        [sys.executable, "-c", TELL], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process, file
        process.stdin.close()


def shown(process):
    """The process's wall clock and its monotonic one, less ours."""
    process.stdin.write("\n")
    process.stdin.flush()
    wall_s, monotonic_s = map(float, process.stdout.readline().split())
    return wall_s - time.time(), monotonic_s - time.monotonic()


def test_a_clock_is_moved_and_put_right_while_the_process_runs(started):
    """The wall clock alone, ahead and behind, as soon as the file says so."""
    process, file = started
    for text, off_s in ((clocks.REAL, 0), ("+300\n", 300), ("-7200\n", -7200), (clocks.REAL, 0)):
        clocks.move(file, text)
        wall_s, monotonic_s = shown(process)
        assert wall_s == pytest.approx(off_s, abs=3.0)
        assert monotonic_s == pytest.approx(0, abs=3.0)


def test_the_file_of_a_process_is_known(started):
    """From the process itself; of one that was started without, nothing."""
    process, file = started
    shown(process)
    assert clocks.file_of(processes.identify(process.pid)) == file
    assert clocks.file_of(processes.identify(os.getpid())) is None


def test_without_the_library_it_is_said_how_to_get_it(monkeypatch):
    """What is missing stands in the problem, and how to get it."""
    monkeypatch.setattr(clocks, "FOLDERS", ("/nowhere",))
    assert clocks.faketime() is None
    assert "apt install libfaketime" in str(clocks.lacking())
