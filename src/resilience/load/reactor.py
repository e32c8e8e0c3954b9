"""Waiting for many connections at once, without a greenlet for each.

A greenlet, a timer and a switch there and back for every operation cost more than the operation itself. Here a
connection that waits for an answer is an entry in a dictionary: the kernel is asked for all that are ready at once, and
each is handed what happened in the loop itself. So whatever is called from here must not wait for anything.
"""

import os
from collections import deque
from collections.abc import Callable
from time import monotonic_ns
from typing import Any, Protocol

import gevent
from gevent import monkey

_epoll = monkey.get_original("select", "epoll")  # gevent takes it out of `select`
_local = monkey.get_original("threading", "local")  # gevent's is one for each greenlet
IN, OUT = 0x001, 0x004
CLOSING = 0x2000
"""EPOLLRDHUP: the other side will send nothing more."""
_AT_ONCE = 256
"""So many that are ready are served before timers and others have their turn."""
_LIMITS = 64
"""Of more different time limits, those are forgotten that nothing waits under."""


class Waiting(Protocol):
    """A connection."""

    deadline_ns: int

    def ready(self, events: int) -> None:
        """There is something to be read, it can be written to again, or it was closed."""

    def overdue(self) -> None:
        """Its deadline has passed; it must be taken from its `Deadlines`."""


class Deadlines:
    """What waits under the same time limit, in the order in which the limits end.

    One timer serves all: it is set for the first deadline that it sees, and all that were added meanwhile are later.

    Args:
        loop: gevent's.
        timeout_s: the limit.
        serve: serves what is ready, so that an answer that is there is never taken for one that did not come.

    Attributes:
        waiting: descriptor → connection; whoever adds one calls `watch`, and takes it out again when it waits no more.
        watched: the timer is set.
    """

    __slots__ = ("_loop", "_serve", "_timeout_s", "_timer", "waiting", "watched")

    def __init__(self, loop: Any, timeout_s: float, serve: Callable[[], None]) -> None:  # noqa: ANN401 - gevent's
        self._loop = loop
        self._timeout_s = timeout_s
        self._serve = serve
        self._timer: Any = None
        self.watched = False
        self.waiting: dict[int, Waiting] = {}

    def watch(self) -> None:
        """Something was added while the timer was not set."""
        self._set(self._timeout_s)

    def _set(self, after_s: float) -> None:
        self.watched = True
        if self._timer is not None:
            self._timer.close()
        self._timer = self._loop.timer(after_s)
        self._timer.start(self._look, update=True)

    def _look(self) -> None:
        self._serve()
        self.watched = False
        now_ns, overdue = monotonic_ns(), []
        for connection in self.waiting.values():
            if connection.deadline_ns > now_ns:
                self._set((connection.deadline_ns - now_ns) / 1e9)
                break
            overdue.append(connection)
        for connection in overdue:
            connection.overdue()


class Reactor:
    """Serves the connections of one thread.

    Attributes:
        serving: those that are ready are being served.
    """

    def __init__(self) -> None:
        self._loop = gevent.get_hub().loop
        self._epoll = _epoll()
        self._connections: dict[int, Waiting] = {}
        self._deadlines: dict[float, Deadlines] = {}
        self._afterwards: deque[tuple[Callable[[Any], None], Any]] = deque()
        self.serving = False
        self._watcher = self._loop.io(self._epoll.fileno(), 1)
        self._watcher.start(self._serve)

    def add(self, descriptor: int, connection: Waiting) -> None:
        """Tell a connection from now on when there is something to be read."""
        self._epoll.register(descriptor, IN | CLOSING)
        self._connections[descriptor] = connection

    def writing(self, descriptor: int, *, wanted: bool) -> None:
        """Tell it also, or no longer, when it can be written to."""
        self._epoll.modify(descriptor, IN | CLOSING | (OUT if wanted else 0))

    def remove(self, descriptor: int) -> None:
        """Tell it nothing more. It must still be open."""
        del self._connections[descriptor]
        self._epoll.unregister(descriptor)

    def forget(self, descriptor: int) -> None:
        """Tell it nothing more, where somebody else has closed it already; the kernel has forgotten it by itself."""
        del self._connections[descriptor]

    def afterwards(self, call: Callable[[Any], None], argument: object) -> None:
        """While `serving`: have something called once all that are ready have been served.

        What came is taken first and what is due is sent then. So no answer waits for others' requests to be sent, which
        would be taken for a slow target; and who gets many requests at once is woken for them only once.
        """
        self._afterwards.append((call, argument))

    def deadlines(self, timeout_s: float) -> Deadlines:
        """What waits under this time limit."""
        found = self._deadlines.get(timeout_s)
        if found is None:
            if len(self._deadlines) >= _LIMITS:
                self._deadlines = {limit: one for limit, one in self._deadlines.items() if one.watched}
            found = self._deadlines[timeout_s] = Deadlines(self._loop, timeout_s, self._serve_all)
        return found

    def _serve(self) -> int:
        connections = self._connections
        events = self._epoll.poll(0, _AT_ONCE)
        self.serving = True
        try:
            for descriptor, what in events:
                connection = connections.get(descriptor)
                if connection is not None:  # it may have been closed by what was served just before
                    connection.ready(what)
        finally:
            self.serving = False
            while self._afterwards:
                call, argument = self._afterwards.popleft()
                call(argument)
        return len(events)

    def _serve_all(self) -> None:
        """Serve what is ready now; not for ever, if what is served brings the next."""
        for _ in range(1 + len(self._connections) // _AT_ONCE):
            if self._serve() < _AT_ONCE:
                break


_here = _local()


def reactor() -> Reactor:
    """The reactor of this thread; a new one in a process that was forked."""
    made: tuple[int, Reactor] | None = getattr(_here, "made", None)
    if made is None or made[0] != os.getpid():
        made = _here.made = (os.getpid(), Reactor())
    return made[1]
