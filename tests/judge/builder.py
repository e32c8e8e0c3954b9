"""Makes records from a few words: a run with its faults, what clients saw, the write ledger and the truth."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from resilience.columns import LedgerLines, Mark, Record, Samples, Truth
from resilience.judge.case import Case, prepare
from resilience.judge.quantiles import DROPPED, FAILED, NS, OK, UNKNOWN
from resilience.model import (
    OUTCOMES,
    Event,
    EventKind,
    Experiment,
    FaultSpec,
    Ledger,
    Load,
    Objective,
    Observe,
    Operation,
    PhaseName,
    Plan,
    PlannedPhase,
    Recovery,
    Role,
    Safety,
    StackSpec,
)
from resilience.model import Truth as TruthSpec

SHED = 503
RUN = "0badcafe"
OPERATIONS = (
    Operation(name="read-item", weight=70, method="GET", path="/items/${key}", timeout_s=1.0),
    Operation(name="read-order", weight=20, method="GET", path="/orders/${acked_id}", role=Role.READ_BACK),
    Operation(name="place-order", weight=10, method="POST", path="/orders", role=Role.WRITE),
)
NAMES = tuple(operation.name for operation in OPERATIONS)
FACTS = {"fsync": "on", "synchronous_commit": "on", "pg_is_in_recovery": "f"}

A, K, R, U = Mark.ATTEMPTED, Mark.ACKNOWLEDGED, Mark.REJECTED, Mark.INDETERMINATE
SEEN, MISSED, WRONG = Mark.SEEN, Mark.MISSED, Mark.WRONG


def ledger_lines(rows: Iterable[tuple[int, int, int, Mark, int]], problems: tuple[str, ...] = ()) -> LedgerLines:
    """Lines from (writer, epoch, seq, mark, at_ns)."""
    table = np.asarray([tuple(int(x) for x in row) for row in rows], dtype=np.int64).reshape(-1, 5)
    return LedgerLines(
        writer=table[:, 0].astype(np.int32),
        epoch=table[:, 1].astype(np.int32),
        seq=table[:, 2],
        mark=table[:, 3].astype(np.int8),
        status=np.zeros(len(table), dtype=np.int16),
        at_ns=table[:, 4],
        problems=problems,
    )


def truth_rows(
    rows: Sequence[tuple[int, int, int]],
    *,
    torn: Iterable[int] = (),
    positions: Sequence[int] | None = None,
    foreign: tuple[str, ...] = (),
    facts: dict[str, str] | None = None,
    read_ns: int = 10**15,
) -> Truth:
    """Truth from (writer, epoch, seq); `torn` are the indices of rows that are not intact."""
    table = np.asarray(rows, dtype=np.int64).reshape(-1, 3)
    intact = np.ones(len(table), dtype=np.bool_)
    intact[list(torn)] = False
    return Truth(
        writer=table[:, 0].astype(np.int32),
        epoch=table[:, 1].astype(np.int32),
        seq=table[:, 2],
        intact=intact,
        position=np.arange(len(table), dtype=np.int64) if positions is None else np.asarray(positions, dtype=np.int64),
        foreign=foreign,
        facts=dict(FACTS if facts is None else facts),
        read_ns=read_ns,
    )


HOLD = Recovery(hold_s=4.0)


@dataclass(frozen=True)
class Held:
    """A fault of a scene: when it is in place, and what the events leave out."""

    name: str = "redis-down"
    kind: str = "toxiproxy.down"
    on: str = "redis"
    begin_s: float = 19.0
    length_s: float = 8.0
    without: tuple[EventKind, ...] = ()
    trouble: str = ""
    of: str = ""
    group: str = ""
    strike: bool = False
    inside: bool = False  # another fault is in place all the while: no phase of recovery follows

    def but(self, **changes: object) -> "Held":
        """The same with changes."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Spell:
    """A share of what arrives in a while goes another way: degraded, failed, unknown, dropped, slow, wrong, shed."""

    begin_s: float
    end_s: float
    what: str = "degraded"
    share: float = 1.0
    operation: str = ""
    ramp: bool = False  # the share falls linearly to 0 at the end
    rising: bool = False  # of a ramp: from 0 instead


@dataclass(frozen=True)
class Scene:
    """A run: baseline from 4 to 19 s, faults, END. `record()` makes it."""

    faults: tuple[Held, ...] = (Held(),)
    spells: tuple[Spell, ...] = ()
    end_s: float = 42.0
    rate: float = 250.0
    load: Load | None = None
    seed: int = 1
    poisson: bool = True
    objectives: tuple[Objective, ...] = ()
    ledger: Ledger | None = None
    recovery: Recovery = HOLD
    latency_s: float = 0.005
    lines: LedgerLines | None = None
    truth: Truth | None = None
    extra: tuple[Event, ...] = ()
    without: tuple[EventKind, ...] = ()
    problems: tuple[str, ...] = ()
    account: dict[str, object] = field(default_factory=dict)
    stack: StackSpec = field(default_factory=StackSpec)
    until_s: float | None = None  # a run in progress: samples that ended by then

    def but(self, **changes: object) -> "Scene":
        """The same with changes."""
        return replace(self, **changes)

    def samples(self) -> Samples:
        """What clients saw."""
        rng = np.random.default_rng(self.seed)
        count = int(self.rate * self.end_s)
        random = np.sort(rng.uniform(0, self.end_s, count))
        arrival = random if self.poisson else np.arange(count) / self.rate
        operation = rng.choice(3, size=count, p=[0.7, 0.2, 0.1])
        operation[:3] = [0, 1, 2][:count]
        length = self.latency_s * rng.lognormal(0, 0.3, count)
        outcome = np.full(count, OK)
        degraded = np.zeros(count, dtype=np.bool_)
        detail = np.zeros(count, dtype=np.int32)
        status = np.full(count, 200)
        for spell in self.spells:
            share = np.full(count, spell.share)
            if spell.ramp:
                left = (spell.end_s - arrival) / (spell.end_s - spell.begin_s)
                share *= 1 - left if spell.rising else left
            hit = (arrival >= spell.begin_s) & (arrival < spell.end_s) & (rng.uniform(size=count) < share)
            if spell.operation:
                hit &= operation == NAMES.index(spell.operation)
            degraded[hit] = spell.what == "degraded"
            if spell.what == "slow":
                length[hit] = 0.6
            elif spell.what != "degraded":
                kinds = {"failed": FAILED, "wrong": FAILED, "unknown": UNKNOWN, "dropped": DROPPED, "shed": FAILED}
                outcome[hit] = kinds[spell.what]
                detail[hit] = 2 if spell.what == "wrong" else 1
                status[hit] = SHED if spell.what == "shed" else 0
                length[hit] = 0.0 if spell.what == "dropped" else 0.001
        begin = np.round(arrival * NS).astype(np.int64)
        samples = Samples(
            operations=NAMES,
            details=("", "reset", "wrong body"),
            arrival_ns=begin,
            start_ns=begin,
            end_ns=begin + np.round(length * NS).astype(np.int64),
            operation=operation.astype(np.int16),
            outcome=outcome.astype(np.int8),
            status=status.astype(np.int16),
            degraded=degraded,
            detail=detail,
            shed=status == SHED,
        )
        return samples if self.until_s is None else samples.where(samples.end_ns < self.until_s * NS)

    def events(self, samples: Samples) -> tuple[Event, ...]:
        """What happened, in order of time."""
        kind = EventKind
        found = [Event(0.0, kind.HEADER), Event(0.0, kind.PHASE, "warm-up"), Event(4.0, kind.PHASE, "baseline")]
        for held in self.faults:
            begin_s, end_s = held.begin_s, held.begin_s + held.length_s
            detail = {"kind": held.kind, "on": held.on}
            detail |= {key: getattr(held, key) for key in ("of", "group", "strike") if getattr(held, key)}
            own = [Event(begin_s, kind.REQUESTED, held.name, detail)]
            if held.strike:
                own.append(Event(begin_s + 0.05, kind.STRUCK, held.name, {"proof": "900 keys, then 0"}))
            else:
                own += [
                    Event(begin_s + 0.05, kind.CONFIRMED, held.name, {"proof": "connection refused"}),
                    Event(end_s + 0.05, kind.REVERTING, held.name),
                    Event(end_s + 0.1, kind.CLEAR, held.name, {"proof": "connection accepted"}),
                ]
            if held.trouble:
                own.append(
                    Event(begin_s + 0.05, kind.FAULT_PROBLEM, held.name, {"step": "inject", "message": held.trouble})
                )
            phase = held.group or held.name
            if phase not in {event.detail.get("fault") for event in found}:
                called = [name for name in (held.of, held.name) if name not in {"", phase}]
                found.append(Event(begin_s, kind.PHASE, "fault", {"fault": phase, "called": called}))
            found += [event for event in own if event.kind not in held.without]
            if not held.inside:
                found.append(Event(end_s + 0.1, kind.PHASE, "recovery"))
        found += self.extra
        counts = np.bincount(samples.outcome, minlength=4).tolist()
        account: dict[str, object] = {"offered": len(samples)}
        account |= {outcome.value: n for outcome, n in zip(OUTCOMES, counts, strict=True)} | self.account
        found.append(Event(self.end_s, kind.END))
        found.append(Event(self.end_s + 1, kind.LOAD, "locust", account))
        found.append(Event(self.end_s + 2, kind.FOOTER, "", {"events": len(found)}))
        found.sort(key=lambda event: event.at_s)
        if self.until_s is not None:
            return tuple(event for event in found if event.at_s <= self.until_s)
        return tuple(event for event in found if event.kind not in self.without)

    def experiment(self) -> Experiment:
        """The experiment of the scene."""
        specs = tuple(
            FaultSpec(
                name=held.name,
                kind=held.kind,
                on=held.on,
                duration_s=held.length_s,
                of=held.of,
                group=held.group,
                strike=held.strike,
            )
            for held in self.faults
        )
        steps = tuple(step for spec in specs for step in (spec, Observe(PhaseName.RECOVERY, 9.0)))
        return Experiment(
            title="A scene",
            name="scene",
            digest="0" * 64,
            folder="/",
            target="shop",
            stack=self.stack,
            load=self.load or Load(rate=self.rate, operations=OPERATIONS),
            objectives=self.objectives,
            ledger=self.ledger,
            recovery=self.recovery,
            safety=Safety(),
            steps=steps,
            chaos={},
        )

    def record(self) -> Record:
        """The record of the scene."""
        samples = self.samples()
        phases = [PlannedPhase(name=PhaseName.BASELINE, start_s=4, end_s=19)]
        for held in self.faults:
            phases.append(PlannedPhase(name=PhaseName.FAULT, start_s=19, end_s=27, fault=held.name))
            phases.append(PlannedPhase(name=PhaseName.RECOVERY, start_s=27, end_s=36))
        plan = Plan(run=RUN, seed=1, phases=tuple(phases), duration_s=self.end_s, arrivals=len(samples), undo={})
        return Record(
            folder="/",
            experiment=self.experiment(),
            plan=plan,
            stack="embedded",
            events=self.events(samples),
            samples=samples,
            ledger=self.lines,
            truth=self.truth,
            problems=self.problems,
        )

    def case(self, *, finished: bool = True) -> Case:
        """The record, prepared for judging."""
        return prepare(self.record(), finished=finished)


LEDGER = Ledger(truth=TruthSpec(query="SELECT 1", part="postgres"))


def steady_ledger(writers: int = 4, each: int = 200, end_s: float = 41.0) -> list[tuple[int, int, int, Mark, int]]:
    """Writers that write all the time from 1 s on, everything acknowledged 5 ms later."""
    step = (end_s - 1) / each
    rows = []
    for seq in range(each):
        for writer in range(writers):
            at_ns = round((1 + seq * step) * NS) + writer
            rows += [(writer, 0, seq, A, at_ns), (writer, 0, seq, K, at_ns + 5_000_000)]
    return rows


def stored(rows: Iterable[tuple[int, int, int, Mark, int]]) -> list[tuple[int, int, int]]:
    """What an honest store holds of a ledger: all acknowledged entries, in the order of the ledger."""
    return [row[:3] for row in rows if row[3] is K]


def honest(**changes: object) -> Scene:
    """A good run: degraded under the fault, back half a second after it, every write kept."""
    rows = steady_ledger()
    scene = Scene(
        spells=(Spell(19.1, 27.6, "degraded", operation="read-item"),),
        ledger=LEDGER,
        lines=ledger_lines(rows),
        truth=truth_rows(stored(rows)),
    )
    return scene.but(**changes)
