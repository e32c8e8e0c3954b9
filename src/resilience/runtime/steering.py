"""What a search does between the beginning and the end of a run: levels told, faults held, time let pass.

It goes through the session's own means: a fault is a lease with a debt, whatever is told is in the event log, and an
interruption ends every wait.
"""

from contextlib import AbstractContextManager
from typing import Final

from resilience.errors import ResilienceError
from resilience.model import EventKind, FaultSpec, Json, Undo
from resilience.ports import Clock, EventSink, LoadHandle, SteeredLoad
from resilience.runtime.method import Method

AHEAD_S: Final = 0.05
"""A level is told for so long after it is told: the word has a way to go, and arrivals do not come in the past."""


class Steering:
    """See the module; `Session.steering` makes one.

    Args:
        clock: the run's; its waits raise Interrupted when the run was told to stop.
        load: of an order that was steered.
        sink: the event log.
        method: carries out leases.
    """

    def __init__(self, clock: Clock, load: LoadHandle, sink: EventSink, method: Method) -> None:
        """Nothing is told yet.

        Raises:
            ResilienceError: this load cannot be told a level.
        """
        if not isinstance(load, SteeredLoad):
            raise ResilienceError("this load generator cannot be told another level while it runs")
        self._clock, self._load, self._sink, self._method = clock, load, sink, method

    def now_s(self) -> float:
        """Seconds since the run began."""
        return self._clock.now_s()

    def sleep_until(self, at_s: float) -> None:
        """Let time pass. Raises Interrupted if the run was told to stop."""
        self._clock.sleep_until(at_s)

    def level(self, level: float) -> float:
        """Tell another level: arrivals per second, or users. Returns from when on, seconds since the run began."""
        at_s = self._clock.now_s() + AHEAD_S
        self._clock.sleep_until(self._clock.now_s())  # raises if the run was told to stop
        self._load.steer(round(at_s * 1e9), level)
        return at_s

    def hold(self, spec: FaultSpec) -> AbstractContextManager[Undo]:
        """A lease of one of the experiment's faults, with whatever settings and name it is given here."""
        return self._method.lease_of(spec)

    def note(self, name: str, text: str, **detail: Json) -> None:
        """Write something down on the time line."""
        self._sink.emit(EventKind.MARK, name, text=text, **detail)
