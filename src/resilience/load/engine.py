"""The open-model engine: every arrival of the schedule is sent at its time, dropped, or known to have been late.

Arrivals do not wait for answers. A due arrival takes a free slot; the slot's number is the number of its ledger writer
and it has its own connection. Free slots are taken last in, first out, so that few connections are in use when little
is in flight. With no slot free the arrival is dropped and counted at once. If the engine itself falls behind, overdue
arrivals are sent at once and their response time counts from the intended start; none is skipped.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import gevent
from gevent.event import Event

from resilience.entry import body_of
from resilience.load.accounts import AccountLedger, Books
from resilience.load.classify import Broken, Finding, Happened, NotSent, Reply, Sought, classify
from resilience.load.http import Address, Client
from resilience.load.meter import Meter
from resilience.load.operations import ACKED_ID, KEY, REGION, TENANT, WRITE_BODY, WRITE_ID, Prepared, paths_of
from resilience.load.writes import Entry, Ledger
from resilience.model import OUTCOMES, LoadOrder, Operation, Outcome, Role
from resilience.spec.mix import Mix
from resilience.spec.profile import arrivals

NO_FREE_SLOT = "no free slot"
IN_FLIGHT_AT_END = "in flight at the end"
PATIENCE_S = 1.0


class Samples(Protocol):
    """Where samples go: `record.samples.SampleWriter`."""

    def add(  # noqa: PLR0913, PLR0917 - one for each column, and called for every operation
        self,
        arrival_ns: int,
        start_ns: int,
        end_ns: int,
        operation: int,
        outcome: int,
        status: int = 0,
        degraded: bool = False,
        detail: str = "",
        shed: bool = False,
        tenant: int = -1,
        region: int = -1,
    ) -> None:
        """Take one sample."""


class Report(Protocol):
    """Told of every operation that ended; `response_ns` and `service_ns` are None for a dropped one."""

    def __call__(
        self, operation: Operation, finding: Finding, response_ns: int | None, service_ns: int | None, length: int
    ) -> None:
        """An operation ended."""


@dataclass(slots=True)
class _Attempt:
    """An operation that was begun and has not ended."""

    number: int
    slot: int
    arrival_ns: int
    start_ns: int
    key: int
    acked: Entry | None
    tenant: int
    region: int
    entry: Entry | None = None
    greenlet: gevent.Greenlet | None = field(default=None, repr=False)


class Engine:
    """Runs one schedule.

    Args:
        order: what to do.
        samples: takes every operation.
        ledger: takes every write.
        report: told of everything that ended.
        accounts: take the writes to the accounts of the ledger, by name.

    Attributes:
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
        report: Report,
        accounts: Mapping[str, AccountLedger] | None = None,
    ) -> None:
        load = order.load
        address = Address(order.base_url)
        self._order = order
        self._tenants, self._regions = ([one.name for one in many] for many in (load.tenants, load.regions))
        segments = (*(TENANT,) * bool(load.tenants), *(REGION,) * bool(load.regions))
        self._prepared = [Prepared(operation, order.base_url, segments) for operation in load.operations]
        self._paths = {
            name: (
                paths_of(load.operations, WRITE_ID, "id", name),
                paths_of(load.operations, WRITE_BODY, "body", name),
            )
            for name in ("", *(account.name for account in order.accounts))
        }
        self._mix = Mix(load, order.seed)
        self._schedule = arrivals(load, order.seed, order.max_s)
        self._clients = [Client(address) for _ in range(load.max_in_flight)]
        self._free = list(range(load.max_in_flight - 1, -1, -1))
        self._open: dict[int, _Attempt] = {}
        self._samples = samples
        self._report = report
        self._until_ns = int(order.max_s * 1e9)
        self._stopped = Event()
        self.writers = Books(order, ledger, accounts or {})
        self.meter = Meter([operation.name for operation in load.operations])
        self.error: Exception | None = None
        self.stopped_by = "max"
        self.walking = Event()
        self.walked = Event()

    @property
    def in_flight(self) -> int:
        """Operations begun and not ended."""
        return len(self._open)

    def now_ns(self) -> int:
        """Nanoseconds since the run's zero."""
        return time.monotonic_ns() - self._order.zero_ns

    def walk(self) -> None:
        """Follow the schedule until it ends, `stop` is called, or something cannot be written down."""
        self.walking.set()
        try:
            for index, arrival_ns in enumerate(self._schedule):
                overdue = self._wait_until(arrival_ns)
                if arrival_ns > self._until_ns or self.error is not None:
                    break
                self._issue(index, arrival_ns)
                if overdue:
                    gevent.sleep(0)  # behind: let what was sent be worked on between two arrivals
            self._wait_until(self._until_ns)
        finally:
            self.walked.set()

    def stop(self) -> None:
        """No arrivals later than now; those that are already due are still sent."""
        if not self._stopped.is_set():
            self._until_ns = min(self._until_ns, self.now_ns())
            self.stopped_by = "stop"
            self._stopped.set()

    def fail(self, error: Exception) -> None:
        """Send nothing more, at once."""
        if self.error is None:
            self.error = error
        self._stopped.set()

    def finish(self, patience_s: float) -> None:
        """Wait for what is in flight; account for what still is after that long."""
        gevent.joinall([attempt.greenlet for attempt in self._open.values()], timeout=patience_s)
        left = tuple(self._open.values())
        for attempt in left:
            happened = NotSent(IN_FLIGHT_AT_END) if self._never_sent(attempt) else Broken(IN_FLIGHT_AT_END)
            self._settle(attempt, happened, self.now_ns())
        gevent.killall([attempt.greenlet for attempt in left], timeout=PATIENCE_S)
        for client in self._clients:
            client.close()

    def _never_sent(self, attempt: _Attempt) -> bool:
        return self._prepared[attempt.number].operation.role is Role.WRITE and attempt.entry is None

    def _wait_until(self, at_ns: int) -> bool:
        """Wait for an instant or for `stop`; True if the instant had passed before."""
        left_ns = at_ns - self.now_ns()
        if left_ns <= 0:
            return True
        while left_ns > 0 and not self._stopped.wait(left_ns / 1e9):
            left_ns = at_ns - self.now_ns()
        return False

    def _issue(self, index: int, arrival_ns: int) -> None:
        number, key = self._mix.choose(index)
        tenant, region = self._mix.segment(index)
        acked = None
        if self._prepared[number].operation.role is Role.READ_BACK:
            operation = self._prepared[number].operation
            acked = self.writers.of(operation).pick()
            if acked is None:  # nothing to read yet: write something
                number = self.writers.instead(operation)
            elif acked.tenant >= 0:  # what a tenant wrote is read by that tenant
                tenant = acked.tenant
        self.meter.offered(number)
        if not self._free:
            self._drop(number, arrival_ns, tenant, region)
            return
        slot = self._free.pop()
        attempt = _Attempt(number, slot, arrival_ns, self.now_ns(), key, acked, tenant, region)
        self._open[slot] = attempt
        attempt.greenlet = gevent.spawn(self._run, attempt)

    def _drop(self, number: int, arrival_ns: int, tenant: int, region: int) -> None:
        outcome = Outcome.DROPPED
        index = OUTCOMES.index(outcome)
        self._samples.add(
            arrival_ns, arrival_ns, arrival_ns, number, index, detail=NO_FREE_SLOT, tenant=tenant, region=region
        )
        self.meter.ended(number, outcome, 0, degraded=False)
        self._report(self._prepared[number].operation, Finding(outcome, detail=NO_FREE_SLOT), None, None, 0)

    def _run(self, attempt: _Attempt) -> None:
        try:
            if self.error is None:
                self._operate(attempt)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing may be sent any more
            self.fail(error)
        self._free.append(attempt.slot)

    def _operate(self, attempt: _Attempt) -> None:
        prepared = self._prepared[attempt.number]
        values = {KEY: str(attempt.key)}
        if prepared.operation.role is Role.WRITE:
            attempt.entry, more = self.writers.begin(prepared.operation, attempt.slot, self.now_ns(), attempt.key)
            values |= more
            values |= {WRITE_ID: attempt.entry.id, WRITE_BODY: body_of(attempt.entry.id)}
            if attempt.tenant >= 0:
                attempt.entry = attempt.entry._replace(tenant=attempt.tenant)
        elif attempt.acked is not None:
            values[ACKED_ID] = attempt.acked.id
        if attempt.tenant >= 0:
            values[TENANT] = self._tenants[attempt.tenant]
        if attempt.region >= 0:
            values[REGION] = self._regions[attempt.region]
        request = prepared.request(values)
        attempt.start_ns = self.now_ns()
        self.meter.started(attempt.start_ns - attempt.arrival_ns)
        happened = self._clients[attempt.slot].call(request, prepared.operation.timeout_s)
        self._settle(attempt, happened, self.now_ns(), values)

    def _settle(self, attempt: _Attempt, happened: Happened, end_ns: int, values: dict[str, str] | None = None) -> None:
        """The operation ended: judge it, and write it down in the ledger, the samples, the counts and for Locust."""
        if self._open.pop(attempt.slot, None) is not attempt:
            return  # it was still open at the end, was accounted for, and answered before it could be ended
        prepared = self._prepared[attempt.number]
        operation, acked = prepared.operation, attempt.acked
        finding = classify(
            operation.role,
            happened,
            operation.expect if values is None else prepared.expect(values),
            operation.rejected_status,
            degraded=operation.degraded,
            sought=Sought(acked.id, body_of(acked.id), *self._paths[operation.account]) if acked else None,
        )
        if finding.mark is not None:
            if attempt.entry is not None:
                self.writers.of(operation).settle(attempt.entry, finding.mark, self.now_ns(), finding.status)
            elif acked is not None:
                self.writers.of(operation).read(acked, finding.mark, attempt.start_ns, finding.status)
        self._samples.add(
            attempt.arrival_ns,
            attempt.start_ns,
            end_ns,
            attempt.number,
            OUTCOMES.index(finding.outcome),
            finding.status,
            finding.degraded,
            finding.detail,
            finding.shed,
            attempt.tenant,
            attempt.region,
        )
        response_ns = end_ns - attempt.arrival_ns
        self.meter.ended(attempt.number, finding.outcome, response_ns, degraded=finding.degraded)
        length = len(happened.body) if isinstance(happened, Reply) else 0
        self._report(operation, finding, response_ns, end_ns - attempt.start_ns, length)
