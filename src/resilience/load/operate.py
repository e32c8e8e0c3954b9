"""One operation from its choice to its account: rendered, noted, sent, judged, noted, written down, counted, told.

Every operation that was offered ends exactly once, as ok, failed, unknown or dropped, in the samples, the ledger and
the counts alike. Who begins what when is not decided here: see `load.walks`. A *flow* is what occupies a slot: one
operation (`Attempt`), or several one after another, whose answers may be used by the next.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from time import monotonic_ns
from typing import Any

from resilience.columns import Mark
from resilience.entry import body_of
from resilience.load.accounts import AccountLedger, Books
from resilience.load.calls import Caller, Follower, PromptCaller
from resilience.load.captures import taken
from resilience.load.classify import (
    OVERLOADED,
    Broken,
    Finding,
    Happened,
    NotSent,
    Reply,
    Sought,
    Timed,
    Timing,
    classify,
)
from resilience.load.flows import Attempt, Ended, Flow, Report, Samples, Slot
from resilience.load.journeys import Journeys
from resilience.load.kinds import Kinds
from resilience.load.meter import Meter
from resilience.load.operations import ACKED_ID, KEY, REGION, RUN, TENANT, WRITE_BODY, WRITE_ID, paths_of
from resilience.load.plans import Plan, plans_of
from resilience.load.records import Records
from resilience.load.said import UNSAID, Said, said_of
from resilience.load.secrets import concealed, secret_names, secret_places
from resilience.load.tokens import Tokens
from resilience.load.writes import Entry, Ledger
from resilience.model import OUTCOMES, LoadOrder, Operation, Outcome, Role
from resilience.spec.mix import Mix
from resilience.spec.segments import placeholders

__all__ = ["IN_FLIGHT_AT_END", "NO_FREE_SLOT", "Attempt", "Ended", "Flow", "Operator", "Report", "Samples", "Slot"]

NO_FREE_SLOT = "no free slot"
IN_FLIGHT_AT_END = "in flight at the end"
UNTIMED = (-1, -1, -1, -1)
"""Nothing is known of time within an operation."""
_DROPPED = OUTCOMES.index(Outcome.DROPPED)


class Operator:
    """Carries out operations and accounts for each.

    Args:
        order: what to do.
        samples: takes every operation.
        ledger: takes every write.
        report: told of everything that ended; may be none.
        accounts: take the writes to the accounts of the ledger, by name.

    Attributes:
        open: what was begun and has not ended, by identity.
        report: as given; may be changed.
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
        report: Report | None,
        accounts: Mapping[str, AccountLedger],
    ) -> None:
        load = order.load
        self._tenants, self._regions = ([one.name for one in many] for many in (load.tenants, load.regions))
        segments = placeholders(load)
        self._kinds = [Kinds(order)]
        self._plans = plans_of(order, self._kinds[0], segments)
        # Regions with a way of their own to the target: the same operations, to another address.
        self._ways: dict[int, list[Plan]] = {}
        for index, region in enumerate(self._regions):
            if region in order.ways:
                there = replace(order, base_url=order.ways[region])
                self._kinds.append(Kinds(there))
                self._ways[index] = plans_of(there, self._kinds[-1], segments)
        self._paths = {
            name: (
                paths_of(load.operations, WRITE_ID, "id", name),
                paths_of(load.operations, WRITE_BODY, "body", name),
            )
            for name in ("", *(account.name for account in order.accounts))
        }
        self._mix = Mix(load, order.seed)
        self._zero_ns = order.zero_ns
        self._add = samples.add
        self.report = report
        self.open: dict[int, Attempt] = {}
        self.writers = Books(order, ledger, accounts)
        self.meter = Meter([operation.name for operation in load.operations])
        self._run = order.run
        self._records = Records(order)
        self._said = Said(order) if said_of(load) else None
        self._traces = self._said is not None and self._said.traces
        self._secret, self._secret_places = secret_names(load), secret_places(load)
        self.tokens = Tokens(order, self)
        self.journeys = Journeys(order, self)
        self._plain = not (load.tenants or load.regions or load.journeys or load.tokens)
        self.begins: Callable[[int], bool] = lambda _at_ns: False

    def now_ns(self) -> int:
        """Nanoseconds since the run's zero."""
        return monotonic_ns() - self._zero_ns

    def flow(self, index: int, arrival_ns: int) -> Flow:
        """What the arrival with this index is to do, counted as offered."""
        number, key = self._mix.choose(index)
        if self._plain:
            return self.attempt(number, arrival_ns, key, index=index)
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
        plan = self._plans[number]
        if plan.reads_back:
            acked = acked or self.writers.of(plan.operation).pick()
            if acked is None:  # nothing to read yet: write something
                number = self.writers.instead(plan.operation)
                plan = self._plans[number]
            elif acked.tenant >= 0:  # what a tenant wrote is read by that tenant
                tenant = acked.tenant
        self.meter.offered(number)
        if region in self._ways:
            plan = self._ways[region][number]
        return Attempt(self, plan, arrival_ns, key, acked, tenant, region, index)

    def drop(self, attempt: Attempt) -> None:
        """Account for an operation that is not begun."""
        number, at_ns = attempt.number, attempt.arrival_ns
        self._add(
            at_ns, at_ns, at_ns, number, _DROPPED, detail=NO_FREE_SLOT, tenant=attempt.tenant, region=attempt.region
        )
        self.meter.note((number, _DROPPED, 0, False, 0, NO_FREE_SLOT))
        if self.report is not None:
            self.report(attempt.plan.operation, Finding(Outcome.DROPPED, detail=NO_FREE_SLOT), None, None, 0)

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
        request = self._render(attempt, more)
        plan = attempt.plan
        if self._traces and self._said is not None:
            request = self._said.send(attempt, request)
        caller = slot.callers.get(plan) or self._caller(slot, plan)
        attempt.start_ns = self.now_ns()
        self.meter.started(attempt.start_ns - attempt.arrival_ns)
        if isinstance(caller, Follower):
            attempt.followed = caller
        answer = caller.call(request, plan.timeout_s)
        happened, timing = (answer.happened, answer.timing) if isinstance(answer, Timed) else (answer, None)
        finding = self.settle(attempt, happened, timing)
        return None if finding is None else Ended(finding, happened)

    def begin(self, attempt: Attempt, slot: Slot, done: Callable[[Attempt, Happened], None]) -> bool:
        """Send an operation without waiting for anything, if the slot has a caller that can.

        Args:
            attempt: as `attempt` made it, held by the slot.
            slot: that nothing else is on.
            done: called in the loop with what happened; it settles, and must not wait.

        Returns:
            Whether it was sent; if not, nothing was done.

        Raises:
            ResilienceError: as `operate`.
        """
        plan = attempt.plan
        caller = slot.prompt.get(plan)
        if caller is None or not caller.prompt():
            return False
        request = plan.constant or self._render(attempt, None)
        if self._traces and self._said is not None:
            request = self._said.send(attempt, request)
        start_ns = attempt.start_ns = monotonic_ns() - self._zero_ns
        self.meter.started(start_ns - attempt.arrival_ns)
        caller.begin(request, plan.timeout_s, attempt, done)
        return True

    def refuse(self, attempt: Attempt, reason: str) -> Ended | None:
        """End an operation for which nothing can be sent: it has certainly failed. Returns what `operate` does."""
        attempt.start_ns = self.now_ns()
        self.meter.started(attempt.start_ns - attempt.arrival_ns)
        happened = NotSent(reason)
        finding = self.settle(attempt, happened)
        return None if finding is None else Ended(finding, happened)

    def account_for(self, attempt: Attempt) -> None:
        """End what is still open at the end of the run."""
        if attempt.followed is not None and (known := attempt.followed.so_far(IN_FLIGHT_AT_END)) is not None:
            self.settle(attempt, known.happened, known.timing)
            return
        never_sent = attempt.plan.operation.role is Role.WRITE and attempt.entry is None
        attempt.start_ns = attempt.start_ns or self.now_ns()
        self.settle(attempt, NotSent(IN_FLIGHT_AT_END) if never_sent else Broken(IN_FLIGHT_AT_END))

    def _caller(self, slot: Slot, plan: Plan) -> Caller:
        """The slot's caller for an operation; the one that another operation of the same kind has already, if any."""
        caller = next((caller for other, caller in slot.callers.items() if other.kind is plan.kind), None)
        if caller is None:
            caller = plan.kind.caller()
        slot.callers[plan] = caller
        if isinstance(caller, PromptCaller):
            slot.prompt[plan] = caller
        return caller

    def _render(self, attempt: Attempt, more: Mapping[str, str] | None) -> Any:  # noqa: ANN401 - what its kind sends
        """What is to be sent; a write is noted as attempted before this returns."""
        plan = attempt.plan
        if plan.constant is not None:
            return plan.constant
        values = self._values(attempt, plan.operation)
        if more is not None:
            values |= more
        attempt.values = values
        return plan.ready.request(values)

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
            values |= self.writers.about(operation, attempt.acked)
        if attempt.tenant >= 0:
            values[TENANT] = self._tenants[attempt.tenant]
        if attempt.region >= 0:
            values[REGION] = self._regions[attempt.region]
        return values

    def settle(self, attempt: Attempt, happened: Happened, timing: Timing | None = None) -> Finding | None:
        """The operation ended: judge it, and write it down in the ledger, the samples, the counts and for Locust.

        Returns:
            What became of it; None if it was still open at the end, was accounted for then, and answered afterwards.
        """
        if self.open.pop(id(attempt), None) is not attempt:
            return None
        end_ns = monotonic_ns() - self._zero_ns
        verdict = attempt.plan.verdicts.get(happened.status) if type(happened) is Reply else None
        finding, outcome = verdict or self._judge(attempt, happened)
        if finding.mark is not None:
            self._note(finding.mark, attempt, finding.status, timing)
        self._add(
            attempt.arrival_ns,
            attempt.start_ns,
            end_ns,
            attempt.number,
            outcome,
            finding.status,
            finding.degraded,
            finding.detail,
            finding.shed,
            attempt.tenant,
            attempt.region,
            UNTIMED if timing is None else self._timed(timing),
            said=UNSAID if self._said is None else self._said.told(attempt, happened),
        )
        response_ns = end_ns - attempt.arrival_ns
        length = len(happened.body) if type(happened) is Reply else 0
        self.meter.note((attempt.number, outcome, response_ns, finding.degraded, length, finding.detail))
        if self.report is not None:
            self.report(attempt.plan.operation, finding, response_ns, end_ns - attempt.start_ns, length)
        return finding

    def _judge(self, attempt: Attempt, happened: Happened) -> tuple[Finding, int]:
        """The finding, and the number of its outcome."""
        plan, acked, values = attempt.plan, attempt.acked, attempt.values
        operation = plan.operation
        finding = classify(
            operation.role,
            happened,
            operation.expect if values is None else plan.ready.expect(values),
            operation.rejected_status,
            degraded=operation.degraded,
            sought=None if acked is None else self._sought(operation, acked),
        )
        if finding.detail and (self._secret or self._secret_places[attempt.number]):
            finding = replace(finding, detail=concealed(finding.detail, self._secrets(attempt, happened, values or {})))
        verdict = finding, OUTCOMES.index(finding.outcome)
        if plan.by_status and isinstance(happened, Reply) and happened.status not in OVERLOADED:
            plan.verdicts[happened.status] = verdict
        return verdict

    def _sought(self, operation: Operation, acked: Entry) -> Sought:
        """What a read-back must find, as far as that is known now."""
        replaced = self.writers.of(operation).replaced(acked)
        return Sought(acked.id, body_of(acked.id), *self._paths[operation.account], replaced)

    def _note(self, mark: Mark, attempt: Attempt, status: int, timing: Timing | None) -> None:
        """Write a mark into the ledger."""
        writers = self.writers.of(attempt.plan.operation)
        if attempt.entry is not None:
            at_ns = timing.accepted_ns - self._zero_ns if timing and timing.accepted_ns >= 0 else self.now_ns()
            writers.settle(attempt.entry, mark, at_ns, status)
        elif attempt.acked is not None:
            writers.read(attempt.acked, mark, attempt.start_ns, status)

    def _timed(self, timing: Timing) -> tuple[int, int, int, int]:
        """As samples have it: instants since the run's zero."""
        first_ns = timing.first_ns - self._zero_ns if timing.first_ns >= 0 else -1
        return first_ns, timing.queue_ns, timing.processing_ns, timing.tokens

    @property
    def backlog(self) -> int:
        """Jobs that were accepted and not seen to end."""
        return self.account().get("jobs", {}).get("backlog_end", 0)

    def account(self) -> dict[str, dict[str, int]]:
        """What kinds count of their own, added up over the ways of regions."""
        found: dict[str, dict[str, int]] = {}
        for kinds in self._kinds:
            for name, counts in kinds.account():
                mine = found.setdefault(name, dict.fromkeys(counts, 0))
                for what, count in counts.items():
                    mine[what] += count
        return found

    def _secrets(self, attempt: Attempt, happened: Happened, values: Mapping[str, str]) -> list[str]:
        """The secrets that went into an operation, or came out of it."""
        sent = [values[name] for name in self._secret if name in values]
        return [
            *sent,
            *(text for place in self._secret_places[attempt.number] if (text := taken(happened, place)) is not None),
        ]
