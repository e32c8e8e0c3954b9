"""Workers of a load: what is missing is told, never passes, and is not called the target's doing. Requirement L5."""

import math

import pytest

from resilience.judge.verdict import judge
from resilience.judge.workers import CLOCK_LIMIT_S
from resilience.model import Answer
from resilience.spec.thresholds import parse_objective
from tests.judge.builder import Scene, Spell

THERE = {"name": "load-1", "host": "here", "remote": False, "lost_at_s": None, "why": "", "unknown": 0, "dropped": 0}
ELSEWHERE = {**THERE, "name": "load-2", "host": "there", "remote": True, "offset_s": 3600.0, "uncertainty_s": 0.002}
LOST = {**ELSEWHERE, "lost_at_s": 12.5, "why": "nothing was heard of it for 10.0 s", "unknown": 70, "dropped": 900}
NEVER = (parse_objective("rate<0.000001 @ baseline"),)
FAILING = {"spells": (Spell(8.0, 12.0, "failed"),), "objectives": NEVER}


def verdict(*workers, **scene):
    return judge(Scene(account={"workers": list(workers)}, **scene).record())


def answer(found, name):
    return next(part for part in found.parts if part.name == name).answer


def test_workers_that_were_all_there_change_nothing():
    """And what was told of them stands in the verdict."""
    alone, several = judge(Scene().record()), verdict(THERE, ELSEWHERE)
    assert [part.answer for part in several.parts] == [part.answer for part in alone.parts]
    assert answer(several, "validity") is Answer.PASS
    load = several.document["load"]
    assert [row["name"] for row in load["workers"]] == ["load-1", "load-2"]
    assert load["clock_uncertainty_s"] == 0.002
    assert (alone.document["load"]["workers"], alone.document["load"]["clock_uncertainty_s"]) == ([], None)


def test_a_lost_worker_never_passes_and_is_told():
    """Which, when, why, and how much is missing."""
    found = verdict(THERE, LOST)
    assert found.answer is not Answer.PASS
    assert answer(found, "validity") is Answer.UNKNOWN
    told = next(part.because for part in found.parts if part.name == "validity")
    for word in ("load-2 on there was lost at 12.5 s", "nothing was heard", "70 operations", "900 were not sent"):
        assert word in told


def test_what_fails_for_want_of_a_worker_is_unknown():
    """The operations that it did not send fail objectives; without the loss the same is a failure of the target."""
    assert answer(verdict(THERE, ELSEWHERE, **FAILING), "objectives") is Answer.FAIL
    found = verdict(THERE, LOST, **FAILING)
    assert answer(found, "objectives") is Answer.UNKNOWN
    assert found.answer is Answer.UNKNOWN
    objectives = next(part.because for part in found.parts if part.name == "objectives")
    assert "load-2" in objectives
    assert "rate<0.000001" in objectives


@pytest.mark.parametrize(
    ("told", "passes"),
    [(CLOCK_LIMIT_S, True), (CLOCK_LIMIT_S * 1.1, False), (None, False), (math.inf, False), ("little", False)],
)
def test_clocks_must_agree_to_half_a_bin(told, passes):
    """An offset that is not known well enough, or not at all, makes every instant of that worker doubtful."""
    found = verdict(THERE, {**ELSEWHERE, "uncertainty_s": told})
    assert (answer(found, "validity") is Answer.PASS) == passes


def test_workers_of_this_machine_have_its_clock():
    """However badly the offset of one could be measured on a busy machine: there is none."""
    assert answer(verdict({**THERE, "uncertainty_s": 3.0}), "validity") is Answer.PASS


@pytest.mark.parametrize("told", ["two", 7, [7, None], {"name": "x"}])
def test_what_cannot_be_read_breaks_nothing(told):
    """A record from elsewhere is judged all the same."""
    assert judge(Scene(account={"workers": told}).record()).document["load"]["workers"] == []
