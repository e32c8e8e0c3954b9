"""Walks whose level is told while they go on: for a search, which decides what to try next by what it has seen.

The arrivals of a rate that changes are those of `spec.profile`: between two arrivals the integral of the rate grows by
1, or for Poisson arrivals by an exponential with mean 1, whatever the rate does meanwhile. So a change neither bunches
arrivals nor loses one. Of a closed load users come, or go, at once.
"""

import math
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

import gevent
import numpy as np

from resilience.load.closed import ClosedWalk
from resilience.model import LoadOrder
from resilience.spec.users import Change

if TYPE_CHECKING:
    from resilience.load.engine import Engine

_SECOND = 1_000_000_000
_LOOK_NS = 20_000_000
"""So often, at least, it is looked whether the level has changed."""
_TOGETHER = 16
_BLOCK = 1024
_STREAM = 7
"""Keeps these random numbers apart from other streams of the same seed."""


class SteeredArrivals:
    """When arrivals are due at a rate that may change from any instant that has not passed yet.

    Args:
        rate: at first, arrivals per second. seed: of the plan.
        poisson: at random, or evenly spaced.
    """

    def __init__(self, rate: float, seed: int, *, poisson: bool) -> None:
        self._random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, _STREAM])))
        self._poisson = poisson
        self._units = self._draw()
        self._rate = rate
        self._since_ns = 0.0
        self._left = next(self._units) if poisson else 0.0  # evenly spaced ones begin at 0, as those of a profile
        self._changes: deque[tuple[int, float]] = deque()

    def change(self, at_ns: int, rate: float) -> None:
        """From that instant on the rate is another; an instant before the last one told counts as that one."""
        if self._changes:
            at_ns = max(at_ns, self._changes[-1][0])
        self._changes.append((at_ns, rate))

    def next_ns(self) -> int | None:
        """When the next arrival is due, as far as is known now; None if never."""
        while self._changes:
            at_ns, rate = self._changes[0]
            due_ns = self._due_ns()
            if due_ns is not None and due_ns < at_ns:
                return round(due_ns)
            at = max(float(at_ns), self._since_ns)
            self._left -= (at - self._since_ns) / _SECOND * self._rate
            self._left = max(self._left, 0.0)
            self._since_ns, self._rate = at, rate
            self._changes.popleft()
        due_ns = self._due_ns()
        return None if due_ns is None else round(due_ns)

    def taken(self) -> None:
        """The arrival that `next_ns` told was begun."""
        due_ns = self._due_ns()
        if due_ns is not None:
            self._since_ns = due_ns
            self._left = next(self._units)

    def _due_ns(self) -> float | None:
        if self._rate <= 0:
            return None
        return self._since_ns + self._left / self._rate * _SECOND

    def _draw(self) -> Iterator[float]:
        while self._poisson:
            yield from self._random.standard_exponential(_BLOCK).tolist()
        while True:
            yield 1.0


class SteeredWalk:
    """The arrivals of a rate that is told.

    Args:
        order: its load says the rate at the beginning.
    """

    def __init__(self, order: LoadOrder) -> None:
        self._arrivals = SteeredArrivals(order.load.rate, order.seed, poisson=order.load.arrivals == "poisson")

    def steer(self, at_ns: int, level: float) -> None:
        """From that instant on so many arrivals per second."""
        self._arrivals.change(at_ns, level)

    def follow(self, engine: "Engine") -> None:
        """Begin every arrival at its time."""
        index = behind = 0
        while engine.error is None:
            due_ns = self._arrivals.next_ns()
            look_ns = engine.now_ns() + _LOOK_NS
            if due_ns is None or due_ns > look_ns:
                if min(look_ns, engine.until_ns) == engine.until_ns:
                    break
                engine.wait_until(look_ns)
                continue
            overdue = engine.wait_until(due_ns)
            if due_ns > engine.until_ns or engine.error is not None:
                break
            engine.begin(engine.operator.flow(index, due_ns))
            self._arrivals.taken()
            index += 1
            if overdue:
                behind += 1
                if behind % _TOGETHER == 0:
                    gevent.sleep(0)  # let what was sent be worked on
        engine.wait_until(engine.until_ns)


class SteeredUsers(ClosedWalk):
    """The users of a number that is told."""

    def __init__(self, order: LoadOrder) -> None:
        super().__init__(order)
        self._told: deque[Change] = deque()
        self._there = math.floor(order.load.level)

    def steer(self, at_ns: int, level: float) -> None:
        """From that instant on so many users."""
        users = math.floor(level)
        self._told.extend(Change(at_ns, user, there=True) for user in range(self._there + 1, users + 1))
        self._told.extend(Change(at_ns, user, there=False) for user in range(self._there, users, -1))
        self._there = users
        self._news.set()

    def _newer(self, change: Change | None) -> Change | None:
        """Who was told to come or go, once those of the beginning are there."""
        return self._told.popleft() if change is None and self._told else change
