"""The figures of a verdict against a slow and obvious oracle: one sample after the other, with lists and loops.

Nothing of the judge is used by the oracle. It is run over drawn scenes and a few histories; the ledger's own oracle
stands in `test_taxonomy.py`.
"""

import math
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures.histories import load_all
from resilience.judge.verdict import judge
from resilience.model import OUTCOMES, Answer, EventKind, Outcome
from tests.judge.builder import Scene, Spell
from tests.judge.simulator import FATES, draw_writes

DRAWS = int(os.environ.get("RESILIENCE_DRAWS", "60"))
MS, S = 10**6, 10**9

WHAT = ("degraded", "failed", "unknown", "dropped", "slow", "shed")
spells = st.lists(
    st.builds(
        Spell,
        begin_s=st.floats(0.0, 40.0),
        end_s=st.floats(0.0, 42.0),
        what=st.sampled_from(WHAT),
        share=st.floats(0.05, 1.0),
        operation=st.sampled_from(["", "read-item", "place-order"]),
    ),
    max_size=4,
)
HISTORIES = {history.name: history for history in list(load_all())[::12]}


def rows_of(samples):
    """Each operation as (name, outcome, degraded, arrival, end), in plain Python."""
    return [
        (
            samples.operations[int(samples.operation[n])],
            OUTCOMES[int(samples.outcome[n])],
            bool(samples.degraded[n]),
            int(samples.arrival_ns[n]),
            int(samples.end_ns[n]),
        )
        for n in range(len(samples))
    ]


def smallest(values, percent):
    """The smallest value with at least that share of all at or below it."""
    needed = -(-percent * len(values) // 100)  # rounded up
    return sorted(values)[needed - 1] / MS if values else None


def figures(rows, seconds):
    """The definitions of `docs/explanation/definitions.md`, word for word."""
    outcomes = [outcome for _, outcome, _, _, _ in rows]
    good = outcomes.count(Outcome.OK)
    sent = [end - arrival for _, outcome, _, arrival, end in rows if outcome is not Outcome.DROPPED]
    return {
        "count": len(rows),
        "ok": good,
        "failed": outcomes.count(Outcome.FAILED),
        "unknown": outcomes.count(Outcome.UNKNOWN),
        "dropped": outcomes.count(Outcome.DROPPED),
        "degraded": sum(degraded and outcome is Outcome.OK for _, outcome, degraded, _, _ in rows),
        "rps": good / seconds,
        "error_rate": (len(rows) - good) / len(rows) if rows else None,
        "p50_ms": smallest(sent, 50),
        "p95_ms": smallest(sent, 95),
        "p99_ms": smallest(sent, 99),
        "max_ms": max(sent, default=None) and max(sent) / MS,
    }


def same(found, expected):
    """Equal, floats up to rounding; None only where None is."""
    if found is None or expected is None:
        return found is expected
    return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)


def compare(record, document):
    """Every figure of every phase, of all operations and of each."""
    rows = rows_of(record.samples)
    for phase in document["phases"]:
        begin, end = phase["start_s"], phase["end_s"]
        inside = [row for row in rows if round(begin * S) <= row[3] < round(end * S)]
        for name, found in phase["operations"].items():
            expected = figures([row for row in inside if name in {"all", row[0]}], end - begin)
            wrong = {key: (found[key], value) for key, value in expected.items() if not same(found[key], value)}
            assert wrong == {}, f"{phase['name']} {name}"


@settings(
    max_examples=max(5, DRAWS // 6),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.integers(0, 2**31), spells)
def test_every_figure_of_every_phase_is_what_a_plain_count_gives(seed, drawn):
    """Requirement M1: counts, rates and quantiles of drawn traffic, however bad."""
    record = Scene(seed=seed, rate=30.0, spells=tuple(drawn)).record()
    compare(record, judge(record).document)


@pytest.mark.parametrize("name", HISTORIES)
def test_every_figure_of_a_history_is_what_a_plain_count_gives(name):
    """Requirement M1: the same of runs written by hand."""
    record = HISTORIES[name].record
    compare(record, judge(record).document)


def test_instants_of_faults_are_those_of_the_events():
    """What the document says of a fault is what its events say, and the length of the run is that of its phases."""
    record = Scene().record()
    document = judge(record).document
    (fault,) = document["faults"]
    at = {event.kind: event.at_s for event in record.events if event.name == fault["name"]}
    keys = ("requested_s", "confirmed_s", "reverted_s", "clear_s")
    kinds = (EventKind.REQUESTED, EventKind.CONFIRMED, EventKind.REVERTING, EventKind.CLEAR)
    assert [fault[key] for key in keys] == [at[kind] for kind in kinds]
    assert document["duration_s"] == next(event.at_s for event in record.events if event.kind is EventKind.END)
    assert [phase["start_s"] for phase in document["phases"]] == [0.0, 4.0, 19.0, 27.1]
    assert [phase["end_s"] for phase in document["phases"]] == [4.0, 19.0, 27.1, 42.0]


@pytest.mark.parametrize("fate", sorted(FATES))
def test_planted_numbers_of_a_fate_among_ten_thousand_writes_are_counted_exactly(fate):
    """Requirement J4: as many as were played, of each kind, and nothing else; the answer follows from them."""
    writes = draw_writes(7, {"kept": 1.0, fate: 0.01}, writers=5, each=2000)
    verdict = judge(writes.scene(Scene(rate=30.0)).record())
    told = verdict.document["writes"]
    assert {name: told[name] for name in writes.known} == writes.known
    broken = {"lost", "duplicated", "corrupted", "stale", "out_of_order", "rejected_present"}
    part = next(part for part in verdict.parts if part.name == "writes")
    assert (part.answer is Answer.FAIL) is any(writes.known[name] for name in broken), part.because
