"""One operation from its choice to its account: rendered, noted, sent, judged, noted, written down, counted, told.

Every operation that was offered ends exactly once, as ok, failed, unknown or dropped, in the samples, the ledger and
the counts alike. Who begins what when is not decided here: see `load.walks`. A *flow* is what occupies a slot: one
operation (`Attempt`), or several one after another, whose answers may be used by the next.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from resilience.entry import body_of
from resilience.load.accounts import AccountLedger, Books
from resilience.load.calls import Caller, Follower, Ready
from resilience.load.captures import taken
from resilience.load.classify import Broken, Finding, Happened, NotSent, Reply, Sought, Timed, Timing, classify
from resilience.load.flows import Ended, Flow, Report, Samples, Slot
from resilience.load.journeys import Journeys
from resilience.load.kinds import Kinds
from resilience.load.meter import Meter
from resilience.load.operations import ACKED_ID, KEY, REGION, RUN, TENANT, WRITE_BODY, WRITE_ID, paths_of
from resilience.load.records import Records
from resilience.load.secrets import concealed, secret_names
from resilience.load.tokens import Tokens
from resilience.load.writes import Entry, Ledger
from resilience.model import OUTCOMES, LoadOrder, Operation, Outcome, Role
from resilience.spec.mix import Mix
from resilience.spec.segments import placeholders

__all__ = ["IN_FLIGHT_AT_END", "NO_FREE_SLOT", "Attempt", "Ended", "Flow", "Operator", "Report", "Samples", "Slot"]

NO_FREE_SLOT = "no free slot"
IN_FLIGHT_AT_END = "in flight at the end"
_DROPPED = OUTCOMES.index(Outcome.DROPPED)


class Attempt:
    """An operation that was offered: a flow of one.

    Attributes:
        number: of the operation.
        arrival_ns: intended start.
        start_ns: actual start; 0 before.
        acked: the entry that a read-back asks for.
        entry: of a write, once it is noted.
        slot: number of the one that it has; −1 before.
        index: of the arrival that it belongs to.
        followed: who follows it beyond something certain, and what its names stand for.
        takes: places in the answer (see `load.captures`) that hold what must not be written down.
    """

    __slots__ = (
        "_operator",
        "acked",
        "arrival_ns",
        "entry",
        "followed",
        "index",
        "key",
        "number",
        "region",
        "slot",
        "start_ns",
        "takes",
        "tenant",
    )

    def __init__(
        self,
        operator: "Operator",
        number: int,
        arrival_ns: int,
        key: int,
        acked: Entry | None,
        tenant: int,
        region: int,
        index: int,
    ) -> None:
        self._operator = operator
        self.number = number
        self.arrival_ns = arrival_ns
        self.start_ns = 0
        self.key = key
        self.acked = acked
        self.tenant = tenant
        self.region = region
        self.entry: Entry | None = None
        self.slot = -1
        self.index = index
        self.takes: Sequence[str] = ()
        self.followed: tuple[Follower, dict[str, str]] | None = None

    def hold(self, slot: Slot) -> None:
        """It has this slot."""
        self.slot = slot.number
        self._operator.open[id(self)] = self

    def run(self, slot: Slot) -> None:
        """Carry it out."""
        self._operator.operate(self, slot)

    def drop(self) -> None:
        """There is no slot for it."""
        self._operator.drop(self)


class Operator:
    """Carries out operations and accounts for each.

    Args:
        order: what to do.
        samples: takes every operation.
        ledger: takes every write.
        report: told of everything that ended.
        accounts: take the writes to the accounts of the ledger, by name.

    Attributes:
        open: what was begun and has not ended, by identity.
        writers: who writes what.
        meter: what was counted.
        tokens, journeys: of the load.
        begins: waits until an instant; whether anything begins then. The engine says so.

    Raises:
        LoadError: the order cannot be carried out; every reason.
    """

    def __init__(
        self,
        order: LoadOrder,
        samples: Samples,
        ledger: Ledger,
        report: Report,
        accounts: Mapping[str, AccountLedger],
    ) -> None:
        load = order.load
        self._kinds = Kinds(order)
        self._tenants, self._regions = ([one.name for one in many] for many in (load.tenants, load.regions))
        segments = placeholders(load)
        self._ready: list[Ready] = [self._kinds.of(one).prepare(one, segments) for one in load.operations]
        # Regions with a way of their own to the target: the same operations, to another address.
        self._ways: dict[int, tuple[Kinds, list[Ready]]] = {}
        for index, region in enumerate(self._regions):
            if region in order.ways:
                kinds = Kinds(replace(order, base_url=order.ways[region]))
                self._ways[index] = kinds, [kinds.of(one).prepare(one, segments) for one in load.operations]
        self._paths = {
            name: (
                paths_of(load.operations, WRITE_ID, "id", name),
                paths_of(load.operations, WRITE_BODY, "body", name),
            )
            for name in ("", *(account.name for account in order.accounts))
        }
        self._mix = Mix(load, order.seed)
        self._zero_ns = order.zero_ns
        self._samples = samples
        self._report = report
        self.open: dict[int, Attempt] = {}
        self.writers = Books(order, ledger, accounts)
        self.meter = Meter([operation.name for operation in load.operations])
        self._run = order.run
        self._records = Records(order)
        self._secret = secret_names(load)
        self.tokens = Tokens(order, self)
        self.journeys = Journeys(order, self)
        self.begins: Callable[[int], bool] = lambda _at_ns: False

    def now_ns(self) -> int:
        """Nanoseconds since the run's zero."""
        return time.monotonic_ns() - self._zero_ns

    def flow(self, index: int, arrival_ns: int) -> Flow:
        """What the arrival with this index is to do, counted as offered."""
        number, key = self._mix.choose(index)
        tenant, region = self._mix.segment(index)
        attempt = self.attempt(number, arrival_ns, key, tenant, region, index)
        journey = self._mix.journey(index)
        if journey >= 0:
            return self.journeys.flow(journey, attempt)
        return self.tokens.flow(attempt) if self.tokens.needed(attempt.number) else attempt

    def attempt(
        self,
        number: int,
        arrival_ns: int,
        key: int,
        tenant: int = -1,
        region: int = -1,
        index: int = 0,
        acked: Entry | None = None,
    ) -> Attempt:
        """One operation, counted as offered.

        Args:
            number: of the operation.
            arrival_ns: intended start.
            key: of the arrival.
            tenant: of the arrival; −1 if there is none.
            region: of the arrival; −1 if there is none.
            index: of the arrival.
            acked: what a read-back asks for, instead of any entry.
        """
        operation = self._ready[number].operation
        if operation.role is Role.READ_BACK:
            acked = acked or self.writers.of(operation).pick()
            if acked is None:  # nothing to read yet: write something
                number = self.writers.instead(operation)
            elif acked.tenant >= 0:  # what a tenant wrote is read by that tenant
                tenant = acked.tenant
        self.meter.offered(number)
        return Attempt(self, number, arrival_ns, key, acked, tenant, region, index)

    def drop(self, attempt: Attempt) -> None:
        """Account for an operation that is not begun."""
        number, at_ns = attempt.number, attempt.arrival_ns
        self._samples.add(
            at_ns, at_ns, at_ns, number, _DROPPED, detail=NO_FREE_SLOT, tenant=attempt.tenant, region=attempt.region
        )
        self.meter.ended(number, Outcome.DROPPED, 0, degraded=False)
        finding = Finding(Outcome.DROPPED, detail=NO_FREE_SLOT)
        self._report(self._ready[number].operation, finding, None, None, 0)

    def operate(self, attempt: Attempt, slot: Slot, more: Mapping[str, str] | None = None) -> Ended | None:
        """Carry out an operation on a slot.

        Args:
            attempt: as `attempt` made it; carried out once.
            slot: that nothing else is on.
            more: names besides those of the operation's role, and what they stand for.

        Returns:
            What became of it; None if it was still open at the end and was accounted for then.

        Raises:
            ResilienceError: it could not be written down. Nothing may be sent any more; the operation stays open.
        """
        if attempt.slot < 0:
            attempt.hold(slot)
        ready = self._ready[attempt.number]
        values = self._values(attempt, ready.operation)
        if more is not None:
            values |= more
        request, place = ready.request(values), attempt.number
        if attempt.region in self._ways:
            request = self._ways[attempt.region][1][attempt.number].request(values)
            place += (attempt.region + 1) * len(self._ready)
        caller = slot.callers.get(place) or self._caller(slot, place)
        attempt.start_ns = self.now_ns()
        self.meter.started(attempt.start_ns - attempt.arrival_ns)
        if ready.operation.job is not None and isinstance(caller, Follower):
            attempt.followed = caller, values
        answer = caller.call(request, ready.operation.timeout_s)
        happened, timing = (answer.happened, answer.timing) if isinstance(answer, Timed) else (answer, None)
        finding = self._settle(attempt, happened, self.now_ns(), values, timing)
        return None if finding is None else Ended(finding, happened)

    def refuse(self, attempt: Attempt, reason: str) -> Ended | None:
        """End an operation for which nothing can be sent: it has certainly failed. Returns what `operate` does."""
        attempt.start_ns = self.now_ns()
        self.meter.started(attempt.start_ns - attempt.arrival_ns)
        happened = NotSent(reason)
        finding = self._settle(attempt, happened, attempt.start_ns, None)
        return None if finding is None else Ended(finding, happened)

    def account_for(self, attempt: Attempt) -> None:
        """End what is still open at the end of the run."""
        if attempt.followed is not None:
            caller, values = attempt.followed
            if (known := caller.so_far(IN_FLIGHT_AT_END)) is not None:
                self._settle(attempt, known.happened, self.now_ns(), values, known.timing)
                return
        never_sent = self._ready[attempt.number].operation.role is Role.WRITE and attempt.entry is None
        happened = NotSent(IN_FLIGHT_AT_END) if never_sent else Broken(IN_FLIGHT_AT_END)
        self._settle(attempt, happened, self.now_ns(), None)

    def _caller(self, slot: Slot, place: int) -> Caller:
        """The slot's caller for an operation; the one that another operation of the same kind has already, if any.

        Args:
            slot: where callers are kept.
            place: number of the operation; behind all of those, once more for each region with a way of its own.
        """
        count = len(self._ready)
        way, number = divmod(place, count)
        operation = self._ready[number].operation
        for other, caller in slot.callers.items():
            if other // count == way and self._ready[other % count].operation.protocol == operation.protocol:
                slot.callers[place] = caller
                return caller
        kinds = self._ways[way - 1][0] if way else self._kinds
        made = slot.callers[place] = kinds.of(operation).caller()
        return made

    def _values(self, attempt: Attempt, operation: Operation) -> dict[str, str]:
        """What the names in a request stand for; a write is noted as attempted before this returns."""
        values = self._records.about(attempt.index, attempt.key) if self._records else {KEY: str(attempt.key)}
        values[RUN] = self._run
        if operation.role is Role.WRITE:
            entry, more = self.writers.begin(operation, attempt.slot, self.now_ns(), attempt.key)
            values |= more
            values |= {WRITE_ID: entry.id, WRITE_BODY: body_of(entry.id)}
            attempt.entry = entry._replace(tenant=attempt.tenant) if attempt.tenant >= 0 else entry
        elif attempt.acked is not None:
            values[ACKED_ID] = attempt.acked.id
        if attempt.tenant >= 0:
            values[TENANT] = self._tenants[attempt.tenant]
        if attempt.region >= 0:
            values[REGION] = self._regions[attempt.region]
        return values

    def _settle(
        self,
        attempt: Attempt,
        happened: Happened,
        end_ns: int,
        values: dict[str, str] | None,
        timing: Timing | None = None,
    ) -> Finding | None:
        """The operation ended: judge it, and write it down in the ledger, the samples, the counts and for Locust."""
        if self.open.pop(id(attempt), None) is not attempt:
            return None  # it was still open at the end, was accounted for, and answered before it could be ended
        ready = self._ready[attempt.number]
        operation, acked = ready.operation, attempt.acked
        finding = classify(
            operation.role,
            happened,
            operation.expect if values is None else ready.expect(values),
            operation.rejected_status,
            degraded=operation.degraded,
            sought=Sought(acked.id, body_of(acked.id), *self._paths[operation.account]) if acked else None,
        )
        if finding.detail and self._secret and values is not None:
            finding = replace(finding, detail=concealed(finding.detail, self._secrets(attempt, happened, values)))
        if finding.mark is not None:
            if attempt.entry is not None:
                at_ns = timing.accepted_ns - self._zero_ns if timing and timing.accepted_ns >= 0 else self.now_ns()
                self.writers.of(operation).settle(attempt.entry, finding.mark, at_ns, finding.status)
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
            *(() if timing is None else (self._timed(timing),)),
        )
        response_ns = end_ns - attempt.arrival_ns
        self.meter.ended(attempt.number, finding.outcome, response_ns, degraded=finding.degraded)
        length = len(happened.body) if isinstance(happened, Reply) else 0
        self._report(operation, finding, response_ns, end_ns - attempt.start_ns, length)
        return finding

    def _timed(self, timing: Timing) -> tuple[int, int, int, int]:
        """As samples have it: instants since the run's zero."""
        first_ns = timing.first_ns - self._zero_ns if timing.first_ns >= 0 else -1
        return first_ns, timing.queue_ns, timing.processing_ns, timing.tokens

    def account(self) -> dict[str, dict[str, int]]:
        """What kinds count of their own, added up over the ways of regions."""
        found: dict[str, dict[str, int]] = {}
        for kinds in (self._kinds, *(kinds for kinds, _ in self._ways.values())):
            for name, counts in kinds.account():
                mine = found.setdefault(name, dict.fromkeys(counts, 0))
                for what, count in counts.items():
                    mine[what] += count
        return found

    def _secrets(self, attempt: Attempt, happened: Happened, values: Mapping[str, str]) -> list[str]:
        """The secrets that went into an operation, or came out of it."""
        sent = [values[name] for name in self._secret if name in values]
        return [*sent, *(text for place in attempt.takes if (text := taken(happened, place)) is not None)]
