"""Waiting for many connections at once."""

import socket
import time
from time import monotonic_ns

import gevent

from resilience.load.reactor import IN, OUT, Reactor, reactor


class Connection:
    """One end of a pair of sockets; keeps what it is told."""

    def __init__(self, served: Reactor) -> None:
        self.served = served
        self.mine, self.other = socket.socketpair()
        self.mine.setblocking(False)  # noqa: FBT003 - a socket takes it so
        self.number = self.mine.fileno()
        self.told: list[tuple[int, bytes]] = []
        self.deadline_ns = 0
        self.overdue_ns = 0
        self.deadlines = None
        self.then = None
        served.add(self.number, self)

    def limit(self, timeout_s: float) -> None:
        """Wait under a time limit."""
        self.deadlines = self.served.deadlines(timeout_s)
        self.deadline_ns = monotonic_ns() + int(timeout_s * 1e9)
        self.deadlines.waiting[self.number] = self
        if not self.deadlines.watched:
            self.deadlines.watch()

    def ready(self, events: int) -> None:
        """There is something."""
        data = self.mine.recv(100) if events & IN else b""
        self.told.append((events, data))
        if self.deadlines is not None:
            self.deadlines.waiting.pop(self.number, None)
        if self.then is not None:
            self.then()

    def overdue(self) -> None:
        """The limit has passed."""
        self.overdue_ns = monotonic_ns()
        del self.deadlines.waiting[self.number]

    def close(self) -> None:
        """Both ends."""
        self.served.remove(self.number)
        self.mine.close()
        self.other.close()


def test_each_is_told_of_its_own():
    """What comes on a connection is told to that one, as often as something comes, and no more once it is removed."""
    served = reactor()
    one, two = Connection(served), Connection(served)
    one.other.send(b"a")
    gevent.sleep(0.01)
    two.other.send(b"b")
    one.other.send(b"c")
    gevent.sleep(0.01)
    assert ([data for _, data in one.told], [data for _, data in two.told]) == ([b"a", b"c"], [b"b"])
    served.writing(one.number, wanted=True)
    gevent.sleep(0.01)
    served.writing(one.number, wanted=False)
    assert one.told[2][0] == OUT
    one.close()
    two.other.send(b"d")
    gevent.sleep(0.01)
    assert [data for _, data in two.told] == [b"b", b"d"]
    two.close()


def test_one_that_is_closed_by_another_that_is_served_is_not_told():
    """Two are ready at once, and the first ends the second: the second is gone."""
    served = reactor()
    pair = [Connection(served), Connection(served)]
    for one, other in (pair, pair[::-1]):
        one.then = other.close
        one.other.send(b"x")
    gevent.sleep(0.01)
    assert sorted(len(one.told) for one in pair) == [0, 1]
    next(one for one in pair if one.told).close()


def test_limits_end_in_time_and_in_order():
    """Begun one after another under two limits, each is over at its own instant, never before it."""
    served = reactor()
    connections = [Connection(served) for _ in range(8)]
    for place, one in enumerate(connections):
        one.limit(0.1 if place % 2 else 0.2)
        gevent.sleep(0.01)
    connections[3].other.send(b"in time")
    gevent.sleep(0.6)
    over = [one for one in connections if one.overdue_ns]
    assert [place for place, one in enumerate(connections) if not one.overdue_ns] == [3]
    late_ms = [(one.overdue_ns - one.deadline_ns) / 1e6 for one in over]
    assert all(0 <= late < 250 for late in late_ms)  # late only as this machine is busy
    assert all(not limits.waiting for limits in (served.deadlines(0.1), served.deadlines(0.2)))
    for one in connections:
        one.close()


def test_an_answer_that_is_there_is_taken_before_its_limit_is_over():
    """A generator that stood still finds the answer, not a timeout that it made itself."""
    served = reactor()
    one = Connection(served)
    one.limit(0.05)
    one.other.send(b"in time")
    time.sleep(0.15)  # blocks the whole loop
    gevent.sleep(0.05)
    assert ([data for _, data in one.told], one.overdue_ns) == ([b"in time"], 0)
    one.close()


def test_what_is_due_is_done_once_all_that_came_was_taken():
    """Both are told before anything that the first brings about is done."""
    served = reactor()
    one, two, done = Connection(served), Connection(served), []
    for each in (one, two):
        each.then = lambda: served.afterwards(lambda _: done.append((len(one.told), len(two.told))), None)
        each.other.send(b"x")
    gevent.sleep(0.01)
    assert done == [(1, 1), (1, 1)]
    assert not served.serving
    one.close()
    two.close()


def test_time_limits_that_nobody_uses_are_forgotten():
    """A caller with a limit of its own each time does not fill the memory."""
    served = Reactor()
    for place in range(1000):
        served.deadlines(1.0 + place / 1000)
    assert len(served._deadlines) <= 64
