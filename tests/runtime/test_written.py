"""A run that goes on is read once what was asked for is on disk, however late the generator's flush."""

import threading
import time
from pathlib import Path

import pytest

from resilience.errors import Interrupted
from resilience.record.documents import save_experiment, save_plan
from resilience.record.samples import SampleWriter
from resilience.runtime.clock import MonotonicClock
from resilience.runtime.written import FLUSH_S, LONGEST_S, SILENCE_S, written
from resilience.spec.parse import parse
from resilience.spec.plan import plan
from tests.program import SHIPPED


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run without samples yet."""
    experiment = parse(SHIPPED.read_bytes(), str(SHIPPED), str(SHIPPED.parent))
    save_experiment(tmp_path, experiment)
    save_plan(tmp_path, plan(experiment, seed=1, run="abcdef01", undo={}))
    return tmp_path


def flushed(samples: SampleWriter, arrivals_s: list[float]) -> None:
    for arrival_s in arrivals_s:
        samples.add(round(arrival_s * 1e9), round(arrival_s * 1e9), round(arrival_s * 1e9) + 1, 0, 0)
    samples.flush()


def test_a_late_flush_is_waited_for(folder: Path):
    """What was due before it was asked is there, though it is written a second later than usual (Requirement J3)."""
    clock = MonotonicClock(time.monotonic_ns() - 10_000_000_000)
    samples = SampleWriter(folder, "load", ("read",))
    flushed(samples, [8.0, 8.5])
    late = threading.Timer(FLUSH_S + 1.0, flushed, (samples, [9.0, 9.5, 10.0]))
    late.start()
    try:
        record = written(folder, clock)
    finally:
        late.join()
        samples.close()
    assert [round(at / 1e9, 1) for at in record.samples.arrival_ns] == [8.0, 8.5, 9.0, 9.5, 10.0]


def test_a_flush_that_never_comes_is_not_waited_for_for_ever(folder: Path):
    """The record is taken as it is, and its judge sees that operations are missing."""
    clock = MonotonicClock(time.monotonic_ns() - 10_000_000_000)
    samples = SampleWriter(folder, "load", ("read",))
    flushed(samples, [8.0, 10.0 - SILENCE_S - 0.5])
    began = time.monotonic()
    record = written(folder, clock)
    samples.close()
    assert time.monotonic() - began >= LONGEST_S
    assert len(record.samples) == 2


def test_a_run_that_is_stopped_waits_for_nothing(folder: Path):
    """The reason is told at once."""
    clock = MonotonicClock()
    clock.cancel("enough")
    with pytest.raises(Interrupted, match="enough"):
        written(folder, clock)
