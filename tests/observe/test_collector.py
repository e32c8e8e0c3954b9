"""The collector beside a run: it reads, it says what it could not read, and nothing holds anybody up."""

import threading
import time

from resilience.model import Dependency, Place
from resilience.observe.beside import PATIENCE_S
from resilience.observe.calls import Count
from resilience.observe.collector import Collector
from resilience.record.readings import path_of, read_readings
from resilience.record.redact import Redactor

PLACE = Place(name="redis", host="", port=1, via_port=1)
REDIS = Dependency(name="redis", part="redis")


class Counts:
    """A counter that says one more each time, fails at the second, and hangs when it is told to."""

    def __init__(self, hang=None):
        self.asked = 0
        self.closed = False
        self.hang = hang

    def read(self):
        """One more, or why not."""
        self.asked += 1
        if self.hang is not None:
            self.hang.wait(30)
        if self.asked == 2:
            raise OSError("no answer")
        return Count(float(self.asked), "e")

    def close(self):
        """It was."""
        self.closed = True


def collect(folder, counter, *dependencies):
    began = time.monotonic_ns()
    return Collector(
        dependencies or (REDIS,),
        {"redis": PLACE},
        folder,
        lambda: time.monotonic_ns() - began,
        Redactor(),
        make=lambda _dependency, _place: counter,
        period_s=0.01,
    )


def test_readings_are_written_down_and_what_was_missed_is_counted(tmp_path):
    """Requirement J1: again and again until it is stopped, and once more at the end."""
    counter = Counts()
    collector = collect(tmp_path, counter)
    collector.start()
    while counter.asked < 5:
        time.sleep(0.005)
    collector.stop()
    collector.stop()
    found = read_readings(tmp_path, "redis")
    assert found.problems == ()
    assert found.missed == 1
    assert found.count.tolist() == [1.0, *(float(n) for n in range(3, counter.asked + 1))]
    assert counter.closed


def test_a_dependency_that_hangs_delays_nobody(tmp_path):
    """Its thread is left behind, and its readings have no end."""
    hang = threading.Event()
    collector = collect(tmp_path, Counts(hang))
    collector.start()
    began = time.monotonic()
    collector.stop()
    assert time.monotonic() - began < PATIENCE_S + 2
    assert read_readings(tmp_path, "redis").problems == ("redis: the readings were cut short",)
    hang.set()


def test_a_part_that_is_not_there_and_a_disk_that_takes_nothing(tmp_path):
    """Neither raises into the run; there are simply no readings."""
    other = Dependency(name="other", part="nowhere")
    path_of(tmp_path, "redis").parent.mkdir()
    path_of(tmp_path, "redis").write_text("somebody else's")
    collector = collect(tmp_path, Counts(), REDIS, other)
    collector.start()
    collector.stop()
    assert (len(read_readings(tmp_path, "other")), read_readings(tmp_path, "other").missed) == (0, 1)
    assert path_of(tmp_path, "redis").read_text() == "somebody else's"
