"""Threads beside the run: ended when told, left behind when they hang."""

import threading

from resilience.observe import beside
from resilience.observe.beside import Beside


def test_every_thread_ends_when_told():
    """Each is told by its event, and waited for."""
    began, ended = threading.Semaphore(0), []

    def work(told):
        began.release()
        told.wait()
        ended.append(True)

    both = Beside([("a", work), ("b", work)])
    both.start()
    began.acquire(timeout=30)
    began.acquire(timeout=30)
    assert both.stop()
    assert ended == [True, True]
    assert both.stop()


def test_a_thread_that_hangs_is_left_behind(monkeypatch):
    """The run goes on without it, and is told."""
    monkeypatch.setattr(beside, "PATIENCE_S", 0.05)
    free = threading.Event()
    one = Beside([("a", lambda _told: free.wait(60))])
    one.start()
    assert not one.stop()
    free.set()


def test_what_was_never_started_can_be_stopped():
    """Nothing to wait for."""
    assert Beside([("a", lambda told: told.wait())]).stop()
