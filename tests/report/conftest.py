import dataclasses

import numpy as np
import pytest

from resilience.columns import LedgerLines, Record, Samples, Truth
from resilience.model import (
    OUTCOMES,
    Answer,
    Event,
    EventKind,
    Experiment,
    FaultSpec,
    Ledger,
    Load,
    Observe,
    Operation,
    Outcome,
    Part,
    PhaseName,
    Plan,
    PlannedPhase,
    Recovery,
    Role,
    Safety,
    StackSpec,
    Verdict,
)
from resilience.model import Truth as TruthSpec

EVIL = "=1+1<script>alert(1)</script>\"'><img src=x onerror=alert(2)>|`**\x1b[2J\x00\u202e\n# {{ 7 * 7 }}@you #1 https://x.y</style>"

FAULTS = (
    ("redis-down", "toxiproxy.down", "redis", 19.0, 27.0),
    ("redis-hung", "process.pause", "redis", 36.0, 44.0),
    ("service-killed", "process.kill", "service", 53.0, 54.0),
)
NS = 1_000_000_000
OPERATIONS = ("read-item", "read-order", "place-order")


def make_experiment(title: str, target: str) -> Experiment:
    steps = []
    for name, kind, on, start, end in FAULTS:
        steps += [FaultSpec(name=name, kind=kind, on=on, duration_s=end - start), Observe(PhaseName.RECOVERY, 9.0)]
    operations = tuple(
        Operation(name=name, weight=weight, method="GET", path="/", role=role)
        for name, weight, role in zip(OPERATIONS, (70, 20, 10), (Role.READ, Role.READ_BACK, Role.WRITE), strict=True)
    )
    return Experiment(
        title=title,
        name="redis-failure",
        digest="3f" * 32,
        folder="/experiments",
        target=target,
        stack=StackSpec(),
        load=Load(rate=250, operations=operations),
        objectives=(),
        ledger=Ledger(truth=TruthSpec(query="SELECT 1", part="postgres")),
        recovery=Recovery(),
        safety=Safety(),
        steps=tuple(steps),
        chaos={},
    )


def make_plan() -> Plan:
    phases = [
        PlannedPhase(name=PhaseName.WARM_UP, start_s=0.0, end_s=4.0),
        PlannedPhase(name=PhaseName.BASELINE, start_s=4.0, end_s=19.0),
    ]
    for name, _kind, _on, start, end in FAULTS:
        phases.append(PlannedPhase(name=PhaseName.FAULT, start_s=start, end_s=end, fault=name))
        phases.append(PlannedPhase(name=PhaseName.RECOVERY, start_s=end, end_s=end + 9.0, fault=name))
    phases.append(PlannedPhase(name=PhaseName.AFTER, start_s=63.0, end_s=69.0))
    undo = {name: f"{kind} on {on} is taken back" for name, kind, on, _start, _end in FAULTS}
    return Plan(run="1a2b3c4d", seed=7, phases=tuple(phases), duration_s=69.0, arrivals=17250, undo=undo)


def make_events() -> tuple[Event, ...]:
    header = {
        "run": "1a2b3c4d",
        "seed": 7,
        "wall_clock": "2031-02-03T04:05:06Z",
        "versions": {"python": "3.11", "redis": "7.0"},
    }
    found = [Event(0.0, EventKind.HEADER, "", header)]
    found += [Event(p.start_s, EventKind.PHASE, p.name.value, {"fault": p.fault}) for p in make_plan().phases]
    for name, kind, on, start, end in FAULTS:
        found += [
            Event(start + 0.01, EventKind.REQUESTED, name, {"kind": kind, "on": on}),
            Event(start + 0.1, EventKind.CONFIRMED, name, {"proof": "connection refused"}),
            Event(end - 0.05, EventKind.REVERTING, name),
            Event(end - 0.01, EventKind.CLEAR, name, {"proof": "PONG"}),
        ]
    found.append(Event(69.0, EventKind.END))
    return tuple(sorted(found, key=lambda event: event.at_s))


def make_samples(rate: float = 250.0, length_s: float = 69.0) -> Samples:
    """Samples shaped like redis-failure: quick, degraded and slower under the first two faults, away in the third."""
    random = np.random.default_rng(7)
    number = int(rate * length_s)
    at_s = np.sort(random.uniform(0, length_s, number))
    story_s = at_s * 69.0 / length_s
    operation = random.choice(3, size=number, p=[0.7, 0.2, 0.1]).astype(np.int16)
    took_ms = np.exp(random.normal(np.log(2.0), 0.45, number)) + (random.random(number) < 0.01) * random.uniform(
        5, 30, number
    )
    degraded = np.zeros(number, bool)
    outcome = np.full(number, OUTCOMES.index(Outcome.OK), np.int8)
    down, hung = (story_s >= 19.05) & (story_s < 27), (story_s >= 36.05) & (story_s < 44)
    took_ms[down] *= 2.2
    took_ms[hung] *= 2.6
    slow = (hung & (random.random(number) < 0.06)) | ((story_s >= 36.05) & (story_s < 36.6))
    took_ms[slow] += random.uniform(100, 260, slow.sum())
    degraded[(down | hung) & (operation < 2) & (random.random(number) < 0.97)] = True
    away = (story_s >= 53.02) & (story_s < 53.9)
    took_ms[away] = random.uniform(0.3, 0.9, away.sum())
    outcome[away] = OUTCOMES.index(Outcome.FAILED)
    outcome[away & (operation == 2) & (random.random(number) < 0.3)] = OUTCOMES.index(Outcome.UNKNOWN)
    back = (story_s >= 53.9) & (story_s < 54.5)
    took_ms[back] += random.uniform(20, 400, back.sum())
    outcome[back & (random.random(number) < 0.04)] = OUTCOMES.index(Outcome.DROPPED)
    dropped = outcome == OUTCOMES.index(Outcome.DROPPED)
    took_ms[dropped] = 0
    arrival = (at_s * NS).astype(np.int64)
    end = arrival + (took_ms * 1e6).astype(np.int64)
    zeros = np.zeros(number, np.int32)
    return Samples(
        OPERATIONS,
        ("",),
        arrival,
        arrival.copy(),
        end,
        operation,
        outcome,
        zeros.astype(np.int16),
        degraded,
        zeros,
        np.zeros(number, bool),
    )


def make_record(
    *, title="Redis fails, the service degrades gracefully, recovers and loses nothing", target="shop", **more
) -> Record:
    empty = np.zeros(0, np.int64)
    ledger = LedgerLines(*(empty.astype(kind) for kind in (np.int32, np.int32, np.int64, np.int8, np.int16, np.int64)))
    truth = Truth(
        *(empty.astype(kind) for kind in (np.int32, np.int32, np.int64, np.bool_, np.int64)),
        (),
        {"fsync": "on", "synchronous_commit": "on"},
        71 * NS,
    )
    parts = {
        "folder": "/runs/x",
        "experiment": make_experiment(title, target),
        "plan": make_plan(),
        "stack": "embedded",
        "events": make_events(),
        "samples": make_samples(),
        "ledger": ledger,
        "truth": truth,
    }
    return Record(**{**parts, **more})


def figures(count=2000, **more):
    """Figures of an operation, recognisable by their digits."""
    return {
        "count": count, "ok": count - 3, "failed": 1, "unknown": 1, "dropped": 1, "degraded": count // 2,
        "rps": 249.8765432, "error_rate": 3 / count, "p50_ms": 2.03456789, "p95_ms": 9.13456789, "p99_ms": 41.2345678,
        "max_ms": 301.23456789, **more,
    }  # fmt: skip


def make_document(answer="pass", because="all objectives were met, recovery took 0.8 s, no acknowledged write is lost"):
    phases, cycles, objectives = [], [], []
    for index, phase in enumerate(make_plan().phases):
        operations = {"all": figures(2000 + index)}
        operations |= {name: figures(500 + 10 * index + number) for number, name in enumerate(OPERATIONS)}
        phases.append(
            {
                "name": phase.name.value,
                "fault": phase.fault,
                "start_s": phase.start_s,
                "end_s": phase.end_s,
                "operations": operations,
            }
        )
        objectives.append(
            {
                "phase": f"{phase.name.value}",
                "operation": "all",
                "expression": "p(95)<100",
                "value": 9.1,
                "answer": "pass",
                "count": 2000,
            }
        )
    faults = [
        {"kind": kind, "name": name, "on": on, "requested_s": start + 0.01, "confirmed_s": start + 0.1,
         "reverted_s": end - 0.05, "clear_s": end - 0.01, "problems": []}
        for name, kind, on, start, end in FAULTS
    ]  # fmt: skip
    for (name, *_), (degraded, recovered) in zip(FAULTS, ((19.05, 27.2), (36.05, 44.3), (53.02, 54.6)), strict=True):
        cycles.append(
            {"fault": name, "kind": "x", "impact": "degraded", "degraded_s": degraded, "detected_s": degraded + 0.2,
             "recovered_s": recovered, "outage_s": recovered - degraded, "clear_to_recovered_s": 0.21,
             "resolution_s": 0.1, "answer": "pass", "because": "quick"}
        )  # fmt: skip
    writes = {
        "attempted": 1725, "acknowledged": 1690, "rejected": 0, "indeterminate": 9, "verified": 1690, "lost": 0,
        "duplicated": 0, "phantom": 0, "corrupted": 0, "stale": 0, "out_of_order": 0, "recovered": 4,
    }  # fmt: skip
    return {
        "answer": answer, "because": because, "experiment": "redis-failure", "target": "shop", "stack": "embedded",
        "seed": 7, "phases": phases, "faults": faults,
        "recovery": {"mttr_s": 6.66, "mttr_low_s": 1.58, "mttr_high_s": 8.25, "limit_s": 300.0, "cycles": cycles},
        "writes": writes, "objectives": objectives,
        "parts": [],
    }  # fmt: skip


def make_verdict(answer=Answer.PASS, *, document=None, because=None, parts=None) -> Verdict:
    document = make_document(answer.value) if document is None else document
    compared = tuple(
        {
            "fault": name,
            "operation": operation,
            "critical": True,
            "before": figures(),
            "during": figures(),
            "after": figures(),
        }
        for name, *_ in FAULTS
        for operation in OPERATIONS
    )
    parts = parts or (
        Part("objectives", Answer.PASS, "all 12 objectives were met"),
        Part("degradation", Answer.PASS, "no critical operation failed more than 0.05 of the time", compared),
        Part("recovery", Answer.PASS, "back within 0.8 s, limit 300 s (3 cycles)", ("3 cycles prove only P >= 37%",)),
        Part("writes", Answer.PASS, "1,690 acknowledged writes, all of them in the store"),
    )
    return Verdict(answer, because or document.get("because", ""), parts, document)


def make_hostile():
    """A run in which every text from outside is one that would do harm if it were more than a text."""
    document = make_document("fail")
    for row in (document["phases"][0], document["faults"][0], document["recovery"]["cycles"][0]):
        row["name"] = row["fault"] = row["kind"] = row["on"] = row["impact"] = EVIL
    document["phases"][0]["operations"][EVIL] = document["phases"][0]["operations"]["all"]
    for key in ("expression", "answer", "operation", "phase"):
        document["objectives"][0][key] = EVIL
    document["accounts"] = [{"name": EVIL, "effect": EVIL, "answer": EVIL, "acknowledged": 1}]
    samples = make_samples(length_s=2.0)
    record = make_record(
        title=EVIL,
        target=EVIL,
        problems=(EVIL,),
        samples=dataclasses.replace(samples, operations=(EVIL, *samples.operations[1:]), details=(EVIL,)),
        events=(
            Event(0.0, EventKind.HEADER, "", {"versions": {EVIL: EVIL}, "wall_clock": EVIL}),
            Event(1.0, EventKind.MARK, EVIL, {"text": EVIL}),
        ),
    )
    parts = (Part(EVIL, Answer.FAIL, EVIL, (EVIL, {EVIL: EVIL}, [EVIL])),)
    return record, make_verdict(Answer.FAIL, document=document, because=EVIL, parts=parts)


@pytest.fixture
def record():
    return make_record()


@pytest.fixture
def verdict():
    return make_verdict()


@pytest.fixture
def make():
    """Makers of records, verdicts, documents and samples."""

    class Make:
        record = staticmethod(make_record)
        verdict = staticmethod(make_verdict)
        document = staticmethod(make_document)
        samples = staticmethod(make_samples)
        hostile = staticmethod(make_hostile)

    return Make
