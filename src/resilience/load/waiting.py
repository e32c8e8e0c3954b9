"""How a caller waits: for its connection, within one time limit for everything that one call does.

Both are made once and started for each call. A `gevent.Timeout` and `gevent.socket.wait_read` make new ones each time,
which costs more than the rest of a call (1.6 µs beside 0.1 for the limit alone).
"""

from collections.abc import Callable

import gevent
from gevent import get_hub, monkey

READ, WRITE = 1, 2

# gevent's `poll` would yield to other greenlets; this one only asks the kernel.
_poll = monkey.get_original("select", "poll")
_SAID = 0x001 | 0x2000  # POLLIN, POLLRDHUP


class ExpiredError(BaseException):
    """The time limit has passed. Not an `Exception`, so that no library takes it for a failure of its own."""


class Limit:
    """A time limit for the greenlet that starts it; used by one at a time."""

    __slots__ = ("_after_s", "_timer")

    def __init__(self) -> None:
        self._after_s = 1.0
        self._timer = get_hub().loop.timer(1.0, 1.0)

    def start(self, timeout_s: float) -> None:
        """From now on, `ExpiredError` is raised where this greenlet waits once so many seconds have passed."""
        if timeout_s != self._after_s:
            self._timer.close()
            self._timer = get_hub().loop.timer(timeout_s, timeout_s)
            self._after_s = timeout_s
        # `start` would go on with what was left when it was stopped; `again` begins anew, with the repeat's length.
        # The loop's own idea of now is as old as its last round: without `update` a limit could end too early.
        self._timer.again(gevent.getcurrent().throw, ExpiredError, update=True)

    def stop(self) -> None:
        """It is not raised any more. Idempotent."""
        self._timer.stop()


def anything(descriptor: int) -> bool:
    """Whether there is something to read, or an end, at this moment; does not wait."""
    poller = _poll()
    poller.register(descriptor, _SAID)
    return bool(poller.poll(0))


class Watched:
    """The readiness of one descriptor, which somebody else opens and closes.

    Args:
        descriptor: of a socket. `close` this before that is closed.
    """

    __slots__ = ("_both", "_descriptor", "_poller", "_read", "_wait")

    def __init__(self, descriptor: int) -> None:
        hub = get_hub()
        self._descriptor = descriptor
        self._read = hub.loop.io(descriptor, READ)
        self._both = hub.loop.io(descriptor, READ | WRITE)
        self._wait: Callable[[object], None] = hub.wait
        self._poller = _poll()
        self._poller.register(descriptor, _SAID)

    def readable(self) -> None:
        """Wait until there is something to read, or an end."""
        self._wait(self._read)

    def either(self) -> None:
        """Wait until there is something to read, or room to write."""
        self._wait(self._both)

    def said_something(self) -> bool:
        """Whether there is something to read, or an end, at this moment; does not wait."""
        return bool(self._poller.poll(0))

    def close(self) -> None:
        """Watch no more. Idempotent."""
        self._read.close()
        self._both.close()
