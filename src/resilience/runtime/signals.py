"""Signals that end a program: turned into `Interrupted`, or made to wait while something must run to its end."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from resilience.errors import Interrupted


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into `Interrupted`, as Ctrl-C is into KeyboardInterrupt, so that everything is reverted.

    chaostoolkit takes SIGTERM over while it plays; what it raises then passes through our leases as well.
    """

    def stop(number: int, _frame: FrameType | None) -> None:
        msg = f"told to stop by {signal.Signals(number).name}"
        raise Interrupted(msg)

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, stop) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def signals_wait() -> Iterator[None]:
    """Let signals that end a program wait: what is in the block runs to its end, and they arrive after it.

    Handlers are exchanged, since blocking them for one thread would only let another one take them. SIGKILL cannot
    wait; for that there is the reaper. In another thread than the main one nothing is done: signals do not interrupt
    those.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, lambda came_now, _frame: came.append(came_now)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
