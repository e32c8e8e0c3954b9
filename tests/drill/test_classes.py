"""What a verdict complains of, as classes: each class from what the judge said, none from anything else."""

import json
from pathlib import Path

import pytest

from resilience.drill.classes import CLASSES, PARTS, UNEXPLAINED, missed, reported
from resilience.judge.verdict import judge
from resilience.record.reader import read_record
from tests.judge.builder import Spell, honest

RECORDS = Path(__file__).parents[2] / "fixtures" / "records"


def failing(*parts, answer="fail", **more):
    """A verdict whose named parts fail."""
    rows = [{"name": name, "answer": "fail", "because": f"{name} is bad", "evidence": []} for name in parts]
    return {"answer": answer, "because": "bad", "parts": [*rows, {"name": "validity", "answer": "pass"}], **more}


def cycle(**changes):
    return {"fault": "gone", "answer": "fail", "because": "it failed", "recovered_s": 9.0, "outage_s": 3.0} | changes


def recovering(*cycles, **more):
    return failing("recovery", recovery={"limit_s": 5.0, "mttr_s": 2.0, "cycles": list(cycles)} | more)


def account(*broken, **more):
    return failing("writes", writes=None, accounts=[{"name": "a", "answer": "fail", "broken": list(broken), **more}])


SAID = {
    "lost": failing("writes", writes={"lost": 3, "broken": ["lost"]}),
    "duplicated": failing("writes", writes={"duplicated": 3, "broken": ["duplicated"]}),
    "over-applied": account("over_applied", over_applied=2),
    "partial": account("total_off", total_off=-7),
    "phantom": account("phantom", phantom=1),
    "corrupted": failing("writes", writes={"corrupted": 1, "broken": ["corrupted"]}),
    "index": failing("writes", writes={"broken": ["index"]}),
    "stale": failing("writes", writes={"stale": 1, "broken": ["stale"]}),
    "out-of-order": account("out_of_order", out_of_order=1, subscribers=5),
    "misattributed": account("misattributed", misattributed=4),
    "resurrected": account("resurrected", resurrected=4),
    "failed-but-present": failing("writes", writes={"rejected_present": 1, "broken": ["rejected_present"]}),
    "missed-not-recovered": account("lost", lost=9, subscribers=5),
    "degraded": failing("degradation", degradation={"broken": ["critical"]}),
    "wrong": failing("degradation", degradation={"broken": ["wrong"]}),
    "shedding": failing("degradation", degradation={"broken": ["shedding"]}),
    "amplification": failing("degradation", degradation={"broken": ["amplification"]}),
    "breakers": failing("degradation", degradation={"broken": ["breakers"]}),
    "disagreement": failing(
        "degradation",
        degradation={"broken": ["health"]},
        health=[{"operation": "place-order", "asked": 9, "well": 9, "disagrees": True}, {"disagrees": False}],
    ),
    "cache-divergent": failing("cache", cache={"divergent": 2}),
    "isolation": failing("isolation", isolation={"foreign": 2}),
    "objective": failing("objectives", objectives=[{"expression": "rate<0.01 @ after", "answer": "fail"}]),
    "not-recovered": recovering(cycle(recovered_s=None, outage_s=None)),
    "slow-recovery": recovering(cycle(outage_s=5.0)),
    "relapse": recovering(cycle(recovered_s=None, relapses=2)),
    "trend": recovering(cycle(outage_s=6.0), trends=[{"like": "gone", "longer_each_time": True}]),
}
BESIDE = {"relapse": {"not-recovered"}, "trend": {"slow-recovery"}}


@pytest.mark.parametrize("name", SAID)
def test_a_class_is_told_from_its_figures_alone(name: str):
    """Issue 6: exactly the class that the judge named is reported, with a sentence that says so."""
    told = reported(SAID[name])
    assert set(told) == {name} | BESIDE.get(name, set())
    assert all(all(sentences) for sentences in told.values())


def test_an_answer_can_be_misattributed_as_well_as_a_row():
    """Both are one class, whichever part told of it."""
    document = failing("degradation", degradation={"broken": ["wrong", "attribution"]})
    assert set(reported(document)) == {"wrong", "misattributed"}


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_class_can_be_told_and_explains_a_part(name: str):
    """No class is dead: there is a verdict above that it is told of; and no part fails for a class that it has not."""
    assert name in SAID or any(name in reported(document) for document in SAID.values())
    assert any(name in classes for classes in PARTS.values())


@pytest.mark.parametrize("name", SAID)
def test_a_run_that_does_not_fail_complains_of_nothing(name: str):
    """Whatever figures stand in it: an answer unknown is no bug that was found."""
    assert reported(SAID[name] | {"answer": "unknown"}) == {}
    assert reported(SAID[name] | {"answer": "pass"}) == {}


@pytest.mark.parametrize("name", SAID)
def test_a_part_that_passes_complains_of_nothing(name: str):
    """Figures beside a part that does not fail are allowed ones: at-least-once may deliver twice."""
    document = SAID[name]
    parts = [part | {"answer": "unknown"} for part in document["parts"]]
    assert set(reported(document | {"parts": parts})) == {UNEXPLAINED}


def test_what_no_class_explains_is_a_class_of_its_own():
    """Otherwise a run that fails for an unknown reason would count as one that found the bug."""
    assert set(reported(failing("writes", writes={"lost": 3, "broken": []}))) == {UNEXPLAINED}
    assert set(reported(failing("novelty"))) == {UNEXPLAINED}
    assert set(reported({"answer": "fail"})) == {UNEXPLAINED}
    assert set(reported(failing("writes", writes={"broken": ["lost", "eaten"]}))) == {"lost", UNEXPLAINED}
    assert set(reported(failing("degradation", degradation={"broken": ["wrong", "rude"]}))) == {"wrong", UNEXPLAINED}
    assert set(reported(failing("writes", "cache", writes={"broken": ["lost"]}))) == {"lost", UNEXPLAINED}


def test_shapes_that_are_no_verdict_do_not_break_it():
    """A run that was killed leaves anything; it is unexplained, not an error."""
    for document in ({}, {"answer": "fail", "parts": 3}, {"answer": "fail", "parts": [1]}, failing("recovery")):
        assert set(reported(document)) <= {UNEXPLAINED}


def test_a_recovery_that_went_on_failing_is_none():
    """Back within the limit, and failing again and again afterwards: not recovered, and not slow."""
    assert set(reported(recovering(cycle()))) == {"not-recovered"}


def test_an_operation_by_itself_counts_if_it_is_critical():
    """What is not critical may stay broken, as the verdict has it."""
    own = {"answer": "fail", "critical": True, "cycles": [cycle(outage_s=7.0)]}
    assert set(reported(recovering(operations={"read": own}))) == {"slow-recovery"}
    assert set(reported(recovering(operations={"read": own | {"critical": False}}))) == {UNEXPLAINED}


def test_a_mean_beyond_its_limit_is_slow():
    """With the gate `mean` no single cycle fails."""
    assert set(reported(recovering(cycle(answer="pass"), mttr_s=5.0))) == {"slow-recovery"}


def test_objectives_are_told_as_they_are_written():
    """A row may name the one that must be missed."""
    rows = [
        {"expression": "rate<0.01 @ fault(gone)", "answer": "fail", "because": "all: it was 0.3"},
        {"expression": "rate<0.01 @ after", "answer": "pass", "because": "fine"},
    ]
    document = failing("objectives", objectives=rows)
    assert missed(document) == {"rate<0.01 @ fault(gone)": "all: it was 0.3"}
    assert reported(document) == {"objective": ("all: it was 0.3",)}


def test_real_records_are_told_by_their_class():
    """Issue 6: what really happened, judged today: lost writes are lost, and nothing else is complained of."""
    told = {path.parent.name: judge(read_record(path.parent)).document for path in RECORDS.glob("*/verdict.json")}
    found = {name: set(reported(json.loads(json.dumps(document)))) for name, document in told.items()}
    assert found == {
        "postgres-crash-passed": set(),
        "redis-failure-lost-writes": {"lost"},
        "worker-crash-unfit-baseline": set(),
    }


def test_what_the_judge_says_of_made_runs():
    """The judge itself names what it complains of: from its samples to the class, nothing written by hand."""
    failed = judge(honest(spells=(Spell(19.1, 42.0, "failed"),)).record()).document
    assert set(reported(json.loads(json.dumps(failed)))) == {"not-recovered", "degraded"}
