"""An objective that ended its run has failed if the record bears it out, and is unknown if not. Requirement L2."""

from dataclasses import replace

import pytest

from resilience.judge.objectives import check_objectives, judge_objective
from resilience.judge.verdict import judge
from resilience.model import Answer, Event, EventKind
from resilience.spec.thresholds import parse_objective
from tests.judge.builder import Held, Scene, Spell

ABORTS = replace(parse_objective("rate<0.1 @ fault(redis-down)"), abort=True)


def interrupted(objective=ABORTS, *, until_s: float = 22.0, value: float = 0.5, **more) -> Event:
    """What the session writes down."""
    detail = {
        "reason": f"objective missed: {objective.expression} was {value:g} in fault(redis-down) at {until_s:.2f} s",
        "objective": objective.expression,
        "operation": objective.operation,
        "phase": "fault(redis-down)",
        "value": value,
        "from_s": 19.0,
        "until_s": until_s,
    }
    return Event(until_s, EventKind.INTERRUPTED, "run", detail | more)


def scene(*spells: Spell, event: Event | None = None, objective=ABORTS) -> Scene:
    """A fault from 19 s on, cut short at 22 s."""
    return Scene(
        faults=(Held(length_s=3.0),),
        spells=spells,
        end_s=22.2,
        objectives=(objective,),
        extra=(event,) if event else (),
    )


def test_it_fails_and_the_moment_is_named():
    """Half of what was asked failed: the verdict is fail, with the objective, the value and the second."""
    found = judge(scene(Spell(19, 23, "failed", 0.5), event=interrupted()).record())
    assert found.answer is Answer.FAIL
    (objectives,) = [part for part in found.parts if part.name == "objectives"]
    assert "rate<0.1 @ fault(redis-down) was 0.4" in objectives.because
    assert objectives.because.endswith("the run was ended at 22.00 s, in fault(redis-down)")


def test_what_the_record_does_not_bear_out_is_unknown():
    """Nothing failed on record: then nothing is claimed, and what was cut short does not pass either."""
    part = check_objectives(scene(event=interrupted()).case(), (ABORTS,))
    assert part.answer is Answer.UNKNOWN
    assert "the record does not bear that out" in part.because


def test_a_breach_that_others_dilute_is_still_a_breach():
    """Bad until the run was ended and good in what was still in flight: it did not hold when it was looked at."""
    late = scene(Spell(19, 19.4, "failed"), event=interrupted(until_s=20.0))
    (judged,) = judge_objective(late.case(), ABORTS)
    assert judged.answer is Answer.FAIL
    assert judged.value == pytest.approx(0.4, abs=0.1)


@pytest.mark.parametrize("other", ["rate<0.2 @ fault(redis-down)", "rate<0.1 @ after"])
def test_it_is_about_that_objective_alone(other: str):
    """Another objective is judged by the record alone, as ever."""
    plain = scene(event=interrupted())
    (judged, *_) = judge_objective(plain.case(), replace(parse_objective(other), abort=True))
    assert "ended at" not in judged.because


def test_damage_to_what_was_written_is_no_breach():
    """An event without its figures says nothing about the objective."""
    damaged = scene(event=interrupted(until_s=22.0, from_s=None))
    (judged,) = judge_objective(damaged.case(), ABORTS)
    assert judged.answer is Answer.PASS
