"""Signals that end a program."""

import os
import signal

import pytest

from resilience.errors import Interrupted
from resilience.runtime.signals import interruptible, signals_wait


def test_signals_wait_for_the_end_of_the_block():
    """A signal inside the block arrives after it, once, and the handlers are those of before."""
    came: list[str] = []
    before = signal.signal(signal.SIGTERM, lambda *_: came.append("term"))
    try:
        with signals_wait():
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)
            assert came == []
        assert came == ["term"]
        os.kill(os.getpid(), signal.SIGTERM)
        assert came == ["term", "term"]
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_become_interruptions_and_the_handlers_come_back(number):
    """Requirement F7: a terminal that is lost and a polite kill end a run through its leases, not past them."""
    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match=signal.Signals(number).name), interruptible():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before
