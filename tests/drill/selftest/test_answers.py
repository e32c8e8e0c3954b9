"""What came of a run: nothing but what had to come of it counts as that."""

from dataclasses import replace
from pathlib import Path

import pytest

from resilience.drill.selftest.answers import CODES, GRAVITY, Ended, Outcome, code_of, judge
from resilience.drill.selftest.rows import Bug, Mutant
from resilience.drill.selftest.trials import Kind, Trial
from tests.drill.selftest.scene import failed, passed, unknown

BUG = Bug(name="B1", exposed_by="x", experiment=Path("x.yaml"), reported=("lost",), also=("stale",))
MUTANT = Mutant(name="H1", wrong="x", experiment=Path("x.yaml"), exits=(2, 5), says="never seen")
ROWS = {Kind.HEALTHY: None, Kind.BUG: BUG, Kind.WITHOUT: BUG, Kind.MUTANT: MUTANT}


def came_to(kind: Kind, ended: Ended, **row) -> Outcome:
    given = replace(ROWS[kind], **row) if row else ROWS[kind]
    trial = Trial(name="t", kind=kind, row=given, experiment=Path("x.yaml"), number=1)
    return judge(trial, ended).outcome


def test_a_bug_must_fail_by_its_class_and_by_no_other():
    """Issue 6: by the named class, every one of them, and by no other than those allowed."""
    assert came_to(Kind.BUG, failed("lost")) is Outcome.RIGHT
    assert came_to(Kind.BUG, failed("lost", "stale")) is Outcome.RIGHT
    assert came_to(Kind.BUG, failed("stale")) is Outcome.WRONG_REASON, "its own class is lacking"
    assert came_to(Kind.BUG, failed("lost", "phantom")) is Outcome.WRONG_REASON, "and nothing else may be"
    assert came_to(Kind.BUG, failed("lost"), reported=("lost", "stale")) is Outcome.WRONG_REASON
    assert came_to(Kind.BUG, failed()) is Outcome.WRONG_REASON, "what no class explains is another reason"


def test_a_bug_that_names_its_objective():
    """The class alone would be met by any objective that is missed."""
    parts = [{"name": "objectives", "answer": "fail", "because": "x"}]
    rows = [{"expression": "rate<0.01 @ after", "answer": "fail", "because": "it was 1"}]
    ended = Ended(code=1, document={"answer": "fail", "parts": parts, "objectives": rows})
    row = {"reported": ("objective",)}
    assert came_to(Kind.BUG, ended, **row, objective=("rate<0.01 @ after",)) is Outcome.RIGHT
    assert came_to(Kind.BUG, ended, **row, objective=("rate<0.01 @ baseline",)) is Outcome.WRONG_REASON


def test_a_bug_that_passes_is_missed():
    """The worst that can be."""
    assert came_to(Kind.BUG, passed()) is Outcome.MISSED


def test_unknown_is_no_bug_caught_and_no_false_alarm():
    """A run that could not tell counts neither way."""
    assert came_to(Kind.BUG, unknown()) is Outcome.UNCERTAIN
    assert came_to(Kind.HEALTHY, unknown()) is Outcome.UNCERTAIN


def test_the_healthy_target_must_pass():
    """Failing is a false alarm."""
    assert came_to(Kind.HEALTHY, passed()) is Outcome.RIGHT
    assert came_to(Kind.HEALTHY, failed("lost")) is Outcome.FALSE_ALARM


def test_without_its_fault_nothing_is_proved():
    """Neither a pass, which would be vacuous, nor a fail, which would show that the fault is not needed."""
    assert came_to(Kind.WITHOUT, unknown()) is Outcome.RIGHT
    assert came_to(Kind.WITHOUT, passed()) is Outcome.WRONG_PASS
    assert came_to(Kind.WITHOUT, failed("lost")) is Outcome.WRONG_REASON
    assert came_to(Kind.WITHOUT, Ended(code=2, document=None)) is Outcome.UNCERTAIN, "no verdict is no unknown verdict"


def test_a_defect_of_the_tool_never_passes():
    """Neither its exit code nor its verdict may be pass, and the reason must be told."""
    assert came_to(Kind.MUTANT, unknown("it was never seen")) is Outcome.RIGHT
    assert came_to(Kind.MUTANT, unknown("too busy")) is Outcome.WRONG_REASON
    assert came_to(Kind.MUTANT, Ended(code=5, document=None, said="never seen\n")) is Outcome.RIGHT
    assert came_to(Kind.MUTANT, passed()) is Outcome.WRONG_PASS
    assert came_to(Kind.MUTANT, replace(unknown("never seen"), code=0)) is Outcome.WRONG_PASS
    assert came_to(Kind.MUTANT, replace(passed(), code=2)) is Outcome.WRONG_PASS
    assert came_to(Kind.MUTANT, failed("lost")) is Outcome.BROKE, "fail is no honest answer of this one"
    assert came_to(Kind.MUTANT, Ended(code=70, document=None)) is Outcome.BROKE, "no launcher, no such code"


@pytest.mark.parametrize("kind", [Kind.WITHOUT, Kind.MUTANT])
def test_a_defect_that_was_never_reached_shows_nothing(kind):
    """Of a run that ended early it may be reached another time; of one that passed it never will be."""
    trial = Trial(name="t", kind=kind, row=ROWS[kind], experiment=Path("x.yaml"), number=1, words=("launch",))
    for document, outcome in (
        (failed("lost"), Outcome.UNCERTAIN),
        (unknown(), Outcome.UNCERTAIN),
        (passed(), Outcome.BROKE),
    ):
        assert judge(trial, replace(document, code=70)).outcome is outcome
    assert judge(trial, Ended(code=70, document=None)).outcome is Outcome.UNCERTAIN


@pytest.mark.parametrize("kind", [Kind.BUG, Kind.HEALTHY, Kind.WITHOUT])
def test_a_run_that_did_not_come_to_a_verdict(kind):
    """Each by its own word; none of them counts for anything."""
    assert came_to(kind, Ended(code=3, document=None, said="bad\n")) is Outcome.BAD_FILE
    assert came_to(kind, Ended(code=4, document=None)) is Outcome.NOT_READY
    assert came_to(kind, Ended(code=5, document=None)) is Outcome.OWING
    assert came_to(kind, Ended(code=-9, document=None)) is Outcome.BROKE
    assert came_to(kind, Ended(code=1, document=None)) is Outcome.BROKE, "a fail without a verdict"
    assert came_to(kind, Ended(code=0, document=None)) is Outcome.BROKE, "a pass without a verdict"
    assert came_to(kind, replace(passed(), code=1)) is Outcome.BROKE, "verdict and exit code differ"
    assert came_to(kind, replace(failed("lost"), code=0)) is Outcome.BROKE
    assert came_to(kind, Ended(code=0, document={"answer": "maybe"})) is Outcome.BROKE
    assert came_to(kind, passed(overdue=True)) is Outcome.BROKE


@pytest.mark.parametrize("kind", Kind)
def test_what_is_left_owed_is_never_as_it_must_be(kind):
    """Settled or not; but for a defect of the tool whose honest end is to owe, if it can be settled after it."""
    good = {Kind.HEALTHY: passed(), Kind.BUG: failed("lost")}.get(kind, unknown("never seen"))
    assert came_to(kind, good) is Outcome.RIGHT
    owing = replace(good, owing=("a toxic",))
    assert came_to(kind, owing) is (Outcome.RIGHT if kind is Kind.MUTANT else Outcome.OWING)
    assert came_to(kind, replace(owing, left=("a toxic",))) is Outcome.OWING
    if kind is Kind.MUTANT:
        assert came_to(kind, owing, exits=(2,)) is Outcome.OWING


def test_the_gravest_decides():
    """As where several files are run; nothing at all is not certain."""
    assert [code_of([Outcome.RIGHT, one]) for one in Outcome] == [CODES[one] for one in Outcome]
    assert code_of([Outcome.MISSED, Outcome.UNCERTAIN]) == 1
    assert code_of([Outcome.MISSED, Outcome.NOT_READY]) == 4
    assert code_of([]) == 2
    assert [CODES[one] for one in Outcome].count(0) == 1
    assert {CODES[one] for one in Outcome} == set(GRAVITY)


def test_what_is_said_of_a_run_that_said_nothing():
    """Whoever reads it knows at least how it ended."""
    trial = Trial(name="t", kind=Kind.BUG, row=BUG, experiment=Path("x.yaml"), number=1)
    assert judge(trial, Ended(code=4, document=None)).because == "it said nothing and ended with 4"
    assert judge(trial, Ended(code=4, document=None, said="a\nno Redis\n\n")).because == "no Redis"
