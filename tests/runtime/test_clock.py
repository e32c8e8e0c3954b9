"""The run's clock, and sleeps that an abort ends."""

import threading
import time

import pytest

from resilience.errors import Interrupted
from resilience.runtime.clock import MonotonicClock


def test_counts_from_zero():
    """Zero is where it was put, on the clock that all processes share."""
    clock = MonotonicClock(time.monotonic_ns() - 5_000_000_000)
    assert 5.0 <= clock.now_s() < 5.5


def test_sleeps_until_then_and_not_less():
    """A sleep ends at its time, never before; one in the past returns at once."""
    clock = MonotonicClock()
    clock.sleep_until(0.1)
    assert 0.1 <= clock.now_s() < 0.3
    before = clock.now_s()
    clock.sleep_until(0.0)
    assert clock.now_s() - before < 0.05


def test_cancel_ends_sleeps_now_and_later():
    """A cancelled run does not sleep on: the sleep under way ends soon, every later one at once."""
    clock = MonotonicClock()
    timer = threading.Timer(0.05, clock.cancel, args=("told to stop",))
    timer.start()
    with pytest.raises(Interrupted, match="told to stop"):
        clock.sleep_until(10.0)
    assert clock.now_s() < 0.3
    clock.cancel("a second reason")
    with pytest.raises(Interrupted, match="told to stop"):
        clock.sleep_until(0.0)
    assert clock.cancelled == "told to stop"
    timer.join()
