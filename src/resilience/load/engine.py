"""The engine: slots, and what is begun, stopped, finished and accounted for on them.

A flow takes a free slot; the slot's number is the number of its ledger writer and it has its own connections. Free
slots are taken last in, first out, so that few connections are in use when little is in flight. What is begun when is
for a walk to say (`load.walks`), what an operation is for the operator (`load.operate`).
"""

import time
from collections.abc import Callable, Mapping

import gevent
from gevent.event import Event

from resilience.errors import LoadError
from resilience.load.accounts import AccountLedger
from resilience.load.classify import Happened
from resilience.load.operate import IN_FLIGHT_AT_END, NO_FREE_SLOT, Attempt, Flow, Operator, Report, Samples, Slot
from resilience.load.reactor import reactor
from resilience.load.walks import Steered, walk_of
from resilience.load.workers.shares import slots
from resilience.load.writes import Ledger
from resilience.model import LoadOrder

__all__ = ["IN_FLIGHT_AT_END", "NO_FREE_SLOT", "Engine", "Report", "Samples"]

PATIENCE_S = 1.0
_SHORT_NS = 20_000_000
"""Waits shorter than this are not cut short by `stop`: nothing begins after them that it has stopped."""
_LOOKED_S = 0.002
"""How often it is looked, at the end, whether the last have ended."""


class Engine:
    """Carries out one order.

    Args:
        order: what to do.
        samples: takes every operation.
        ledger: takes every write.
        report: told of everything that ended; may be none.
        accounts: take the writes to the accounts of the ledger, by name.

    Attributes:
        operator: carries out operations.
        meter, writers: the operator's.
        until_ns: nothing begins later than this.
        error: why sending was stopped; None if it was not.
        walking, walked: set when the schedule is being followed, and when it no longer is.

    Raises:
        LoadError: the order cannot be carried out; every reason.
    """

    def __init__(
        self,
        order: LoadOrder,
        samples: Samples,
        ledger: Ledger,
        report: Report | None,
        accounts: Mapping[str, AccountLedger] | None = None,
    ) -> None:
        self._order = order
        self.operator = Operator(order, samples, ledger, report, accounts or {})
        self.meter, self.writers = self.operator.meter, self.operator.writers
        self.operator.begins = self.begins
        self._walk = walk_of(order)
        self._slots = [Slot(number) for number in slots(order.load.max_in_flight, order.share)]
        self._free = self._slots[::-1]
        self._reactor = reactor()
        self._busy: dict[int, gevent.Greenlet] = {}
        self._stopped = Event()
        self.until_ns = int(order.max_s * 1e9)
        self.error: Exception | None = None
        self.stopped_by = "max"
        self.walking = Event()
        self.walked = Event()

    @property
    def in_flight(self) -> int:
        """Operations begun and not ended."""
        return len(self.operator.open)

    def now_ns(self) -> int:
        """Nanoseconds since the run's zero."""
        return time.monotonic_ns() - self._order.zero_ns

    def walk(self) -> None:
        """Follow the schedule until it ends, `stop` is called, or something cannot be written down."""
        self.walking.set()
        try:
            self._walk.follow(self)
        finally:
            self.walked.set()

    def stop(self) -> None:
        """Nothing begins later than now; arrivals that are already due are still sent."""
        if not self._stopped.is_set():
            self.until_ns = min(self.until_ns, self.now_ns())
            self.stopped_by = "stop"
            self._stopped.set()

    def steer(self, at_ns: int, level: float) -> None:
        """From that instant on the load has another level: arrivals per second, or users."""
        if isinstance(self._walk, Steered):
            self._walk.steer(at_ns, level)
        else:
            self.fail(LoadError(f"the level {level:g} was told to a load that was not to be told any"))

    def fail(self, error: Exception) -> None:
        """Send nothing more, at once."""
        if self.error is None:
            self.error = error
        self._stopped.set()

    def finish(self, patience_s: float) -> None:
        """Wait for what is in flight; account for what still is after that long."""
        until_ns = self.now_ns() + int(patience_s * 1e9)
        gevent.joinall(list(self._busy.values()), timeout=patience_s)
        while self.operator.open and self.error is None and self.now_ns() < until_ns:
            gevent.sleep(_LOOKED_S)  # for what has no greenlet
        for attempt in tuple(self.operator.open.values()):
            self.operator.account_for(attempt)
        gevent.killall(list(self._busy.values()), timeout=PATIENCE_S)
        for slot in self._slots:
            slot.close()

    def when_stopped(self, call: Callable[[], None]) -> None:
        """Have something called once, when `stop` or `fail` is; it must not wait."""
        self._stopped.rawlink(lambda _event: call())

    def wait_until(self, at_ns: int) -> bool:
        """Wait for an instant or for `stop`; True if the instant had passed before."""
        left_ns = at_ns - self.now_ns()
        if left_ns <= 0:
            return True
        while left_ns > 0 and not self._stopped.is_set():
            if left_ns < _SHORT_NS:
                gevent.sleep(left_ns / 1e9)  # a third of the cost of a wait that `stop` can cut short
            else:
                self._stopped.wait((left_ns - _SHORT_NS // 2) / 1e9)
            left_ns = at_ns - self.now_ns()
        return False

    def begins(self, at_ns: int) -> bool:
        """Wait until an instant; whether anything begins then: not later than `until_ns`, and nothing is wrong."""
        self.wait_until(min(at_ns, self.until_ns))
        return self.error is None and at_ns <= self.until_ns

    def begin(self, flow: Flow) -> None:
        """Begin a flow on a free slot; with none free it is dropped."""
        slot = self.take()
        if slot is None:
            flow.drop()
        else:
            self.start(flow, slot, self.give_back)

    def take(self) -> Slot | None:
        """A free slot, which is the caller's until it is given back; None if there is none."""
        return self._free.pop() if self._free else None

    def give_back(self, slot: Slot) -> None:
        """The slot is free again."""
        self._free.append(slot)

    def start(self, flow: Flow, slot: Slot, then: Callable[[Slot], None]) -> None:
        """Begin a flow on a slot that nothing is on, without waiting for anything.

        Args:
            flow: what to begin.
            slot: taken by the caller, who may start one flow on it after another.
            then: called with the slot when the flow has ended; it may start the next one and must not wait. It is not
                called for what is still in flight at the end.
        """
        flow.hold(slot)
        if type(flow) is Attempt and self.error is None:
            flow.holder, flow.then = slot, then
            if self._reactor.serving:
                self._reactor.afterwards(self._begin, flow)
            else:
                self._begin(flow)
        else:
            self._busy[slot.number] = gevent.spawn(self._run, flow, slot, then)

    def _begin(self, attempt: Attempt) -> None:
        """Begin an operation that has a slot: in a greenlet only if something must be waited for."""
        slot, then = attempt.holder, attempt.then
        assert slot is not None  # noqa: S101 - for the type checker
        assert then is not None  # noqa: S101 - for the type checker
        try:
            if self.error is None and not self.operator.begin(attempt, slot, self._answered):
                self._busy[slot.number] = gevent.spawn(self._run, attempt, slot, then)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing may be sent any more
            self.fail(error)

    def _answered(self, attempt: Attempt, happened: Happened) -> None:
        """An operation that was begun without a greenlet has ended."""
        try:
            if self.operator.settle(attempt, happened) is not None and attempt.then and attempt.holder:
                attempt.then(attempt.holder)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing may be sent any more
            self.fail(error)

    def _run(self, flow: Flow, slot: Slot, then: Callable[[Slot], None]) -> None:
        try:
            if self.error is None:
                flow.run(slot)
            del self._busy[slot.number]
            then(slot)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing may be sent any more
            self._busy.pop(slot.number, None)
            self.fail(error)
