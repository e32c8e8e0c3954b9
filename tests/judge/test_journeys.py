"""Journeys in a verdict: accounts that close, ends that no sample shows, arrivals and later steps. Requirement L4."""

from dataclasses import replace

import pytest

from resilience.judge.case import prepare
from resilience.judge.journeys import journey_problems
from resilience.judge.verdict import judge
from resilience.model import Answer, Journey, JourneyStep
from tests.judge.builder import Scene

BUY = Journey(name="buy", weight=10.0, steps=(JourneyStep(operation="read-item"), JourneyStep(operation="place-order")))
GOOD = {
    "arrived": 10,
    "dropped": 1,
    "completed": 5,
    "broken_off": {"2 place-order": 2},
    "unfinished": 2,
    "errors": {},
    "p50_s": 1.0,
    "p95_s": 2.0,
}


def record(account=GOOD, *, weights=None, journeys=(BUY,)):
    made = Scene(account={"journeys": {"buy": account}} if account is not None else {}).record()
    load = made.experiment.load
    operations = tuple(replace(one, weight=(weights or {}).get(one.name, one.weight)) for one in load.operations)
    load = replace(load, operations=operations, journeys=journeys)
    return replace(made, experiment=replace(made.experiment, load=load))


def test_journeys_that_failed_where_a_sample_shows_it_change_nothing():
    """What was broken off at a step that was not ok is in the samples already; the account stands in the verdict."""
    verdict = judge(record())
    assert next(part for part in verdict.parts if part.name == "validity").answer is Answer.PASS
    assert verdict.document["journeys"] == {"buy": GOOD}
    assert "journeys" not in judge(Scene().record()).document


@pytest.mark.parametrize(
    ("account", "told"),
    [
        ({**GOOD, "arrived": 11}, "does not close"),
        ({**GOOD, "completed": None}, "is incomplete"),
        ({**GOOD, "broken_off": 3}, "is incomplete"),
        ({**GOOD, "broken_off": {"1 login: nothing to capture as token": 2}}, "without a failure: nothing to capture"),
        ({**GOOD, "broken_off": {}, "errors": {"KeyError": 2}}, "raised KeyError 2 times"),
        ({**GOOD, "completed": 0, "broken_off": {"2 place-order": 7}}, "came to its end, of 10"),
        (None, "told nothing"),
    ],
)
def test_what_no_sample_shows_keeps_it_from_passing(account, told):
    """Unknown, with the reason."""
    found = record(account)
    assert any(told in problem for problem in journey_problems(found)), list(journey_problems(found))
    verdict = judge(found)
    assert verdict.answer is not Answer.PASS
    assert next(part for part in verdict.parts if part.name == "validity").answer is Answer.UNKNOWN


def test_what_journeys_leave_out_is_said():
    """How many were broken off, and that later steps are asked less of a target that stalls; of no other load."""
    gaps = judge(record()).document["coverage"]["not_covered"]
    assert any("Of 10 journeys buy, 2 were broken off and 1 not begun" in one for one in gaps)
    assert any("coordinated omission" in one for one in gaps)
    assert not any("journeys" in one for one in judge(Scene().record()).document["coverage"]["not_covered"])


def test_later_steps_do_not_make_up_for_arrivals_that_were_not_sent():
    """Half of the operations are later steps: then only half of the arrivals came, and that is seen as too few."""
    whole = record(weights={"place-order": 0.0, "read-order": 0.0})
    case = prepare(whole)
    assert 0 < len(case.of_mix(case.traffic.samples)) < len(case.traffic.samples)
    problems = next(part for part in judge(whole).parts if part.name == "validity").evidence
    assert any("where the load's profile has" in str(problem) for problem in problems)
