import math
from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

from resilience.model import (
    HISTOGRAM_BASE,
    Event,
    EventKind,
    Experiment,
    FaultSpec,
    Load,
    Observe,
    Operation,
    Outcome,
    PhaseName,
    Plan,
    PlannedPhase,
    Recovery,
    Safety,
    Slice,
    StackSpec,
)

FAULTS = (
    ("redis-down", "toxiproxy.down", "redis", 19.0, 27.0),
    ("redis-hung", "process.pause", "redis", 36.0, 44.0),
    ("service-killed", "process.kill", "service", 53.0, 54.0),
)


def make_experiment(
    title: str = "Redis fails, the service degrades gracefully, recovers and loses nothing",
) -> Experiment:
    """An experiment with three faults, shaped like redis-failure."""
    steps = []
    for name, kind, on, start, end in FAULTS:
        steps += [FaultSpec(name=name, kind=kind, on=on, duration_s=end - start), Observe(PhaseName.RECOVERY, 9.0)]
    read = Operation(name="read-item", weight=9, method="GET", path="/items/${key}")
    write = Operation(name="place-order", weight=1, method="POST", path="/orders")
    return Experiment(
        title=title,
        name="redis-failure",
        digest="ab" * 32,
        folder="/experiments",
        target="shop",
        stack=StackSpec(),
        load=Load(rate=250, operations=(read, write)),
        objectives=(),
        ledger=None,
        recovery=Recovery(),
        safety=Safety(),
        steps=tuple(steps),
        chaos={},
    )


def make_plan() -> Plan:
    """The plan of that experiment: 69 seconds."""
    phases = [
        PlannedPhase(name=PhaseName.WARM_UP, start_s=0.0, end_s=4.0),
        PlannedPhase(name=PhaseName.BASELINE, start_s=4.0, end_s=19.0),
    ]
    for name, _kind, _on, start, end in FAULTS:
        phases.append(PlannedPhase(name=PhaseName.FAULT, start_s=start, end_s=end, fault=name))
        phases.append(PlannedPhase(name=PhaseName.RECOVERY, start_s=end, end_s=end + 9.0, fault=name))
    phases.append(PlannedPhase(name=PhaseName.AFTER, start_s=63.0, end_s=69.0))
    return Plan(run="1a2b3c4d", seed=7, phases=tuple(phases), duration_s=69.0, arrivals=17250, undo={})


def bucket(ms: float) -> int:
    """The histogram bucket of a response time."""
    return math.floor(math.log(ms * 1000) / math.log(HISTOGRAM_BASE))


def make_slice(start_s: float, length_s: float = 0.5, *, ms: Mapping[float, int] | None = None, **more) -> Slice:
    """A slice with these response times (ms → how many), all ok unless `counts` says otherwise."""
    histogram = Counter({bucket(value): number for value, number in ({2.0: 125} if ms is None else ms).items()})
    ended = sum(histogram.values())
    defaults = {"counts": {"read-item": {Outcome.OK: ended}}, "offered": 125, "in_flight": 2}
    return Slice(start_s=start_s, end_s=start_s + length_s, histogram=histogram, **{**defaults, **more})


def make_story(until_s: float = 69.0) -> Iterator[Event | Slice]:
    """What a display sees of the run, in order, up to an instant."""
    happenings: list[tuple[float, Event | Slice]] = [
        (0.0, Event(0.0, EventKind.HEADER, "", {"run": "1a2b3c4d", "seed": 7})),
    ]
    happenings += [
        (phase.start_s, Event(phase.start_s, EventKind.PHASE, phase.name.value, {"fault": phase.fault}))
        for phase in make_plan().phases
    ]
    for name, kind, on, start, end in FAULTS:
        happenings += [
            (at, Event(at, what, name, detail))
            for at, what, detail in (
                (start + 0.01, EventKind.REQUESTED, {"kind": kind, "on": on}),
                (start + 0.1, EventKind.CONFIRMED, {"proof": "connection refused"}),
                (end - 0.05, EventKind.REVERTING, {}),
                (end - 0.01, EventKind.CLEAR, {"proof": "PONG"}),
            )
        ]
    for half in range(138):
        at = half / 2
        ms, more = {1.6: 60, 2.2: 55, 5.0: 8, 14.0: 2}, {}
        if 19 <= at < 27:
            ms, more = {3.0: 60, 9.0: 55, 40.0: 8, 90.0: 2}, {"degraded": 110}
        if 36 <= at < 44:
            ms, more = {4.0: 60, 12.0: 45, 240.0: 15, 420.0: 5}, {"degraded": 100}
        if 53 <= at < 54.5:
            counts = {"read-item": {Outcome.FAILED: 100, Outcome.UNKNOWN: 5, Outcome.DROPPED: 20}}
            ms, more = ({} if at == 53.5 else {700.0: 105}), {"counts": counts, "in_flight": 80, "unsettled": 5}
        writes = {"attempted": 12 * half, "acknowledged": 12 * half - 1, "unsettled": 1}
        happenings.append((at + 0.5, make_slice(at, ms=ms or {}, **{**writes, **more})))
    happenings.append((69.0, Event(69.0, EventKind.END)))
    return (what for at, what in sorted(happenings, key=lambda pair: pair[0]) if at <= until_s)


@pytest.fixture
def experiment() -> Experiment:
    return make_experiment()


@pytest.fixture
def plan() -> Plan:
    return make_plan()


@pytest.fixture
def story():
    return make_story


@pytest.fixture
def piece():
    return make_slice


@pytest.fixture
def titled():
    return make_experiment
