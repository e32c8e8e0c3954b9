"""The machine and the processes of parts, on this machine itself."""

import json
import os
import subprocess
import sys
from dataclasses import asdict

import pytest

from resilience.host.processes import identify
from resilience.model import Place
from resilience.observe.system import LOOK_S, System

WAITS = "import sys; print('up', flush=True); sys.stdin.read()"
WORKS = """
import sys
print('up', flush=True)
for line in sys.stdin:
    sum(i * i for i in range(2_000_000))
    print('done', flush=True)
"""


@pytest.fixture
def start():
    """Starts programs that end with the test."""
    begun = []

    def starter(code):
        process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        begun.append(process)
        assert process.stdout.readline() == b"up\n"
        return process

    yield starter
    for process in begun:
        process.stdin.close()
        process.wait(timeout=30)
        process.stdout.close()


class Clock:
    """A clock that goes as it is told."""

    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        """What it shows."""
        return self.now_s


def part(name, process, state=""):
    return Place(name=name, host="", port=0, via_port=0, identity=identify(process.pid), state=str(state))


def values(system, of):
    return {one.name: one for one in system.read() if one.of == of}


def test_the_machine_is_read(tmp_path):
    """Processor time, memory and disk space, each beside the most that it can be."""
    found = values(System({}, tmp_path), "host")
    assert found["host.cpu"].limit == len(os.sched_getaffinity(0))
    assert found["host.cpu"].counter
    assert 0 < found["host.memory.used"].value < found["host.memory.used"].limit
    assert 0 < found["host.disk.space.used"].value <= found["host.disk.space.used"].limit
    assert found["host.network.received"].value >= 0


def test_work_of_a_part_is_its_processor_time(start, tmp_path):
    """What it did between two readings, and nothing else's."""
    process, other = start(WORKS), start(WAITS)
    system = System({"worker": part("worker", process), "idle": part("idle", other)}, tmp_path)
    before = values(system, "worker")["process.cpu"].value
    process.stdin.write(b"go\n")
    process.stdin.flush()
    process.stdout.readline()
    after = values(system, "worker")["process.cpu"].value
    assert after - before > 0.05
    idle = values(system, "idle")
    assert idle["process.cpu"].value < after - before
    assert idle["process.count"].value == 1
    assert idle["process.files"].limit is not None


def test_a_process_that_ends_takes_nothing_away(start, tmp_path):
    """The sum of counters only grows, also where one of two processes is gone."""
    parent = start(
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'sum(i * i for i in range(2_000_000)); input()'],"
        " stdin=subprocess.PIPE)\n"
        "import time\n"
        "print('up', flush=True)\n"
        "sys.stdin.readline(); child.stdin.close(); child.wait(); print('gone', flush=True); sys.stdin.read()"
    )
    clock = Clock()
    system = System({"both": part("both", parent)}, tmp_path, clock)
    for _ in range(500):
        clock.now_s += LOOK_S + 1
        seen = values(system, "both")
        if seen["process.count"].value == 2 and seen["process.cpu"].value > 0.1:
            break
    parent.stdin.write(b"\n")
    parent.stdin.flush()
    parent.stdout.readline()
    clock.now_s += LOOK_S + 1
    later = values(system, "both")
    assert later["process.count"].value == 1
    assert later["process.cpu"].value >= seen["process.cpu"].value


def test_a_part_that_was_started_again_is_found_in_the_state_file(start, tmp_path):
    """Its new process is read at once, and what it uses is added."""
    state = tmp_path / "state.json"
    first = start(WAITS)

    def write(process):
        state.write_text(json.dumps({"places": {"service": {"identity": asdict(identify(process.pid))}}}))

    write(first)
    system = System({"service": part("service", first, state)}, tmp_path, Clock())
    before = values(system, "service")["process.cpu"].value
    first.stdin.close()
    first.wait(timeout=30)
    assert values(system, "service") == {}
    second = start(WORKS)
    second.stdin.write(b"go\n")
    second.stdin.flush()
    second.stdout.readline()
    write(second)
    os.utime(state, (1, 1))  # another instant than the first, however coarse the clock of files is
    assert values(system, "service")["process.cpu"].value > before


def test_a_part_without_a_process_of_this_machine_is_not_read(tmp_path):
    """Nothing is made up."""
    system = System({"far": Place(name="far", host="", port=0, via_port=0)}, tmp_path)
    assert values(system, "far") == {}
    assert system.close() == {}
