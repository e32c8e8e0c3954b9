"""Which wrong answers belong to another request."""

from dataclasses import replace

import pytest

from resilience.judge.attribution import is_misattributed, judge_attribution, repeated
from resilience.judge.case import prepare
from resilience.judge.degradation import check_degradation
from resilience.model import Answer, Expect, Operation, Role
from tests.judge.builder import Scene, Spell

ITEM = Operation(name="item", weight=1, path="/items/${key}", expect=Expect(json={"id": "${key}", "kind": "item"}))
BACK = Operation(name="back", weight=1, path="/orders/${acked_id}", role=Role.READ_BACK)
PLAIN = Operation(name="plain", weight=1, path="/")


@pytest.mark.parametrize(
    ("operation", "detail", "is_so"),
    [
        (ITEM, "unexpected answer: id is '8', expected '7'", True),
        (ITEM, "bad ack: unexpected answer: id is '8', expected '7'", True),
        (ITEM, "unexpected answer: id is 'nothing, it says', expected '7'", True),
        (ITEM, "unexpected answer: id is nothing, expected '7'", False),
        (ITEM, "unexpected answer: kind is 'order', expected 'item'", False),
        (ITEM, "status 500", False),
        (ITEM, "", False),
        (BACK, "acknowledged entry differs: a; it is b", True),
        (BACK, "acknowledged entry differs: a", False),
        (ITEM, "acknowledged entry differs: a; it is b", False),
        (PLAIN, "unexpected answer: id is '8', expected '7'", False),
    ],
)
def test_an_answer_is_anothers_if_what_it_must_repeat_is_anothers(operation, detail, is_so):
    """Requirement J1: what is missing, or is a constant of the file, says nothing of whom it belongs to."""
    assert is_misattributed(detail, repeated(operation)) is is_so


def judged(detail, expect):
    """A run in which a few reads of items had that detail."""
    case = Scene(spells=(Spell(20.0, 20.1, "wrong"),)).case()
    samples = replace(
        case.record.samples,
        details=tuple(detail if text.startswith("wrong") else text for text in case.record.samples.details),
    )
    experiment = case.record.experiment
    operations = tuple(
        replace(one, expect=expect) if one.name == "read-item" else one for one in experiment.load.operations
    )
    experiment = replace(experiment, load=replace(experiment.load, operations=operations))
    return prepare(replace(case.record, samples=samples, experiment=experiment))


def test_one_of_them_fails_the_run_and_is_named():
    """Requirement J1: in its own class, beside the one of all wrong answers."""
    case = judged("unexpected answer: id is '8', expected '7'", Expect(json={"id": "${key}"}))
    row = next(row for row in judge_attribution(case).rows if row["operation"] == "read-item")
    assert row["misattributed"] > 0
    part = check_degradation(case)
    assert part.answer is Answer.FAIL
    assert part.data["degradation"]["broken"] == ["wrong", "attribution"]
    assert any("belong to another request" in str(line) for line in part.evidence)


def test_another_wrong_answer_is_not_in_it():
    """It is wrong, and nobody else's."""
    case = judged("unexpected answer: id is nothing, expected '7'", Expect(json={"id": "${key}"}))
    assert [row["misattributed"] for row in judge_attribution(case).rows if row["operation"] == "read-item"] == [0]
    assert check_degradation(case).data["degradation"]["broken"] == ["wrong"]


def test_who_repeats_nothing_has_no_figures():
    """An operation whose answers do not say what they are an answer to cannot be judged so."""
    case = judged("wrong body", Expect())
    assert "read-item" not in [row["operation"] for row in judge_attribution(case).rows]
