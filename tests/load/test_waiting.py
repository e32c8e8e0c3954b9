"""Time limits: as long as they were asked for, however often, and only where they were started."""

import os
import time

import gevent
import pytest

from resilience.load.waiting import ExpiredError, Limit, Watched


def test_a_limit_is_as_long_as_it_was_asked_for_however_often_it_was_used():
    """Neither what an earlier use left over nor one that expired shortens it."""
    limit = Limit()
    for _ in range(3):
        limit.start(0.2)
        gevent.sleep(0.1)
        limit.stop()
    for _ in range(2):
        began = time.monotonic()
        limit.start(0.2)
        with pytest.raises(ExpiredError):
            gevent.sleep(30)
        limit.stop()
        assert 0.19 < time.monotonic() - began < 5


def test_a_limit_that_was_stopped_never_comes():
    """It is raised once at most, and not in what follows."""
    limit = Limit()
    limit.start(0.05)
    limit.stop()
    gevent.sleep(0.15)
    limit.start(0.05)
    with pytest.raises(ExpiredError):
        gevent.sleep(30)
    limit.stop()
    gevent.sleep(0.15)


def test_a_limit_ends_the_greenlet_that_started_it():
    """And no other, though both wait."""
    limit = Limit()

    def limited() -> str:
        limit.start(0.1)
        try:
            gevent.sleep(30)
        except ExpiredError:
            return "expired"
        finally:
            limit.stop()
        return "not"

    first, other = gevent.spawn(limited), gevent.spawn(lambda: gevent.sleep(0.3) or "slept")
    assert (first.get(), other.get()) == ("expired", "slept")


def test_a_limit_counts_from_its_start_though_the_loop_was_held_up():
    """What held up the loop before is not a part of it."""
    limit = Limit()
    gevent.sleep(0)
    time.sleep(0.3)
    limit.start(0.2)
    gevent.sleep(0.05)
    limit.stop()


def test_a_descriptor_is_watched():
    """Nothing to read, then something; `readable` returns when it is there."""
    reading, writing = os.pipe()
    watched = Watched(reading)
    assert not watched.said_something()
    gevent.spawn_later(0.05, os.write, writing, b"x")
    watched.readable()
    assert watched.said_something()
    watched.close()
    os.close(reading)
    os.close(writing)
