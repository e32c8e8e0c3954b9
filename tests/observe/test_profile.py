"""Profiles of a program while a phase lasts, by py-spy itself; and what is told where there can be none."""

import itertools
import json
import subprocess
import sys
import threading

import pytest

from resilience.host.processes import identify
from resilience.model import PhaseName, Place, ProfileOf
from resilience.observe.profile import Profiler, program
from resilience.observe.system import Roots
from resilience.record.redact import Redactor
from resilience.record.resources import ResourcesWriter, read_resources

BUSY = """
def serve():
    return sum(i * i for i in range(1000))
print('up', flush=True)
while True:
    serve()
"""


@pytest.fixture
def busy():
    """A Python program that works until the test is over."""
    process = subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"up\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def events(folder, *lines):
    """Events as the record has them."""
    with (folder / "events.jsonl").open("a") as file:
        for at_s, kind, name, detail in lines:
            file.write(json.dumps({"at_s": at_s, "kind": kind, "name": name, "detail": detail}) + "\n")


def profiler(folder, process, *, asked=None, **more):
    places = {}
    if process is not None:
        places["service"] = Place(name="service", host="", port=0, via_port=0, identity=identify(process.pid))
    asked = asked or ProfileOf(part="service", phase=PhaseName.BASELINE, rate=100)
    writer = ResourcesWriter(folder, Redactor())
    clock = itertools.count(1_000_000_000, 1_000_000)
    return Profiler(asked, Roots(places), folder, lambda: next(clock), writer, **more)


def gaps(folder):
    return [(gap.collector, gap.of, gap.why) for gap in read_resources(folder).gaps]


def test_a_program_is_profiled_while_the_phase_lasts(tmp_path, busy):
    """Requirement M3: its stacks are in the record, under the part and the phase."""
    if program() is None:
        pytest.skip("needs py-spy")
    events(tmp_path, (0.0, "phase", "warm-up", {}), (4.0, "phase", "baseline", {}))
    one = profiler(tmp_path, busy, asked=ProfileOf(part="service", duration_s=1.0, rate=100))
    one(threading.Event())
    if gaps(tmp_path):
        assert "ermission" in gaps(tmp_path)[0][2], gaps(tmp_path)  # where nobody may attach, that is what is told
        return
    (found,) = read_resources(tmp_path).profiles
    assert (found.of, found.phase) == ("service", "baseline")
    assert found.samples > 10
    assert any("serve" in frame for frames, _ in found.stacks for frame in frames)


def test_a_phase_that_ends_ends_the_profile(tmp_path, busy):
    """What there is until then is written."""
    if program() is None:
        pytest.skip("needs py-spy")
    events(tmp_path, (4.0, "phase", "baseline", {}))
    one = profiler(tmp_path, busy, asked=ProfileOf(part="service", duration_s=600.0, rate=100))
    thread = threading.Thread(target=one, args=(threading.Event(),))
    thread.start()
    folder = tmp_path / "resources" / "profiles"
    while not folder.is_dir() and thread.is_alive():
        thread.join(0.05)
    thread.join(2.0)
    events(tmp_path, (9.0, "phase", "fault", {"fault": "redis-down"}))
    thread.join(90)
    assert not thread.is_alive()
    assert read_resources(tmp_path).profiles or gaps(tmp_path)


@pytest.mark.parametrize(
    ("process", "find", "why"),
    [
        (True, lambda: None, "py-spy is not installed"),
        (False, lambda: "/bin/true", "no process of this machine"),
        (True, lambda: "/nonexistent/py-spy", "cannot be started"),
        (True, lambda: "/bin/false", "py-spy ended with 1: it said nothing"),
    ],
)
def test_where_there_can_be_no_profile_that_is_a_gap(tmp_path, busy, process, find, why):
    """With its reason, of the part that was to be profiled."""
    events(tmp_path, (4.0, "phase", "baseline", {}))
    profiler(tmp_path, busy if process else None, find=find)(threading.Event())
    ((collector, of, told),) = gaps(tmp_path)
    assert (collector, of) == ("profile", "service")
    assert why in told


def test_a_phase_that_does_not_come_is_told(tmp_path, busy):
    """Of another fault than the one that was named, too."""
    events(tmp_path, (4.0, "phase", "fault", {"fault": "redis-down"}))
    ended = threading.Event()
    ended.set()
    asked = ProfileOf(part="service", phase=PhaseName.FAULT, fault="another")
    profiler(tmp_path, busy, asked=asked, find=lambda: "/bin/true")(ended)
    assert gaps(tmp_path) == [("profile", "service", "the phase did not come")]
