"""Who begins what when. A walk begins flows on an engine until its schedule ends or the engine is stopped.

*Open*: every arrival of the schedule is begun at its time, or dropped, or known to have been late. Arrivals do not wait
for answers. With no slot free an arrival is dropped and counted at once. If the engine itself falls behind, overdue
arrivals are sent at once and their response time counts from the intended start; none is skipped.

*Closed*: users who wait for their answers and think: see `load.closed`.
"""

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import gevent

from resilience.load.closed import ClosedWalk
from resilience.load.steering import SteeredUsers, SteeredWalk
from resilience.load.workers.shares import of_share
from resilience.model import LoadOrder
from resilience.spec.profile import arrivals

if TYPE_CHECKING:
    from resilience.load.engine import Engine


_TOGETHER = 16
"""So many overdue arrivals are begun before answers have their turn."""


class Walk(Protocol):
    """Begins flows. Returns when nothing more is to be begun; it need not wait for what is in flight."""

    def follow(self, engine: "Engine") -> None:
        """Begin flows until `engine.until_ns`, which may come nearer meanwhile, or `engine.error`."""


@runtime_checkable
class Steered(Walk, Protocol):
    """A walk whose level is told while it goes on."""

    def steer(self, at_ns: int, level: float) -> None:
        """From that instant on (nanoseconds since the run's zero) the level is this one."""


class OpenWalk:
    """The arrivals of a rate.

    Args:
        order: its load says how many arrivals when.
    """

    def __init__(self, order: LoadOrder) -> None:
        self._schedule = arrivals(order.load, order.seed, order.max_s)
        self._share = order.share

    def follow(self, engine: "Engine") -> None:
        """Begin every arrival of its share at its time."""
        behind = 0
        for index, arrival_ns in of_share(self._schedule, self._share):
            overdue = engine.wait_until(arrival_ns)
            if arrival_ns > engine.until_ns or engine.error is not None:
                break
            engine.begin(engine.operator.flow(index, arrival_ns))
            if overdue:
                behind += 1
                if behind % _TOGETHER == 0:
                    gevent.sleep(0)  # let what was sent be worked on between arrivals that are begun without waiting
        engine.wait_until(engine.until_ns)


def walk_of(order: LoadOrder) -> Walk:
    """The walk that a load asks for."""
    if order.steered:
        return SteeredUsers(order) if order.load.closed else SteeredWalk(order)
    return ClosedWalk(order) if order.load.closed else OpenWalk(order)
