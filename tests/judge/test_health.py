"""The target's own word beside what its clients see: green while they fail is a defect of its own."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.judge.degradation import check_degradation
from resilience.judge.health import judge_health
from resilience.judge.verdict import judge
from resilience.model import Answer, Health, Shed
from tests.judge.builder import Scene, Spell
from tests.judge.degrading import declared

READY = Health(operation="read-order", within_s=3.0)
"""Stands for the question whether the target is well; fifty a second."""

BEGIN_S, END_S = 19.0, 27.0


def judged(*spells, health=READY, **operations):
    return judge_health(declared(Scene(spells=spells), health=health, **operations))


def answers(found):
    return [one.answer for one in found.findings]


def test_green_while_users_fail_is_told():
    """Requirement J4: bug B26. Orders fail for eight seconds, and whoever asks is told that all is well."""
    found = judged(Spell(BEGIN_S, END_S, "failed", operation="place-order"))
    (row,) = found.rows
    assert answers(found) == [Answer.FAIL]
    assert (row["operation"], row["disagrees"]) == ("place-order", True)
    assert row["well"] == row["asked"] == pytest.approx(5 * 50, abs=60)
    assert (row["start_s"], row["end_s"]) == (pytest.approx(BEGIN_S, abs=1.0), pytest.approx(END_S, abs=1.0))


@pytest.mark.parametrize("what", ["failed", "unknown", "degraded", "dropped", "shed"])
def test_a_target_that_says_so_agrees(what):
    """Whatever is no good answer says that it is not well; also one that says that it is degraded."""
    found = judged(
        Spell(BEGIN_S, END_S, "failed", operation="place-order"),
        Spell(BEGIN_S, END_S, what, operation="read-order"),
        read_order={"critical": False},
    )
    assert answers(found) == [Answer.PASS]
    assert found.rows[0]["well"] < 0.2 * found.rows[0]["asked"]


def test_it_has_a_moment_to_notice():
    """It says so two seconds late, and three are allowed; one second would not be enough."""
    spells = (
        Spell(BEGIN_S, END_S, "failed", operation="place-order"),
        Spell(BEGIN_S + 2.0, END_S, "failed", operation="read-order"),
    )
    assert answers(judged(*spells, read_order={"critical": False})) == [Answer.PASS]
    late = (spells[0], Spell(END_S - 1.0, END_S, "failed", operation="read-order"))
    assert answers(judged(*late, read_order={"critical": False})) == [Answer.FAIL]


def test_a_short_failure_is_not_compared():
    """Two seconds are over before it had to notice."""
    assert judged(Spell(BEGIN_S, BEGIN_S + 2.0, "failed", operation="place-order")) == judge_health(declared(Scene()))


def test_what_is_not_critical_may_fail_unsaid():
    """A readiness that does not depend on what can be done without is right to stay green."""
    found = judged(Spell(BEGIN_S, END_S, "failed", operation="place-order"), place_order={"critical": False})
    assert found.findings == found.rows == ()


def test_what_may_be_shed_has_not_failed_when_it_is():
    """The file allows it. Where nobody does, 503 is a failure, however politely it says when to come back."""
    spell = Spell(BEGIN_S, END_S, "shed", operation="place-order")
    assert judged(spell, place_order={"shed": Shed(at_most=1.0)}).rows == ()
    assert answers(judged(spell)) == [Answer.FAIL]


def test_nobody_asked_is_unknown():
    """Never a pass: without a question there is no word to compare."""
    found = judged(
        Spell(BEGIN_S, END_S, "failed", operation="place-order"), health=Health(operation="never-asked", within_s=3.0)
    )
    assert answers(found) == [Answer.UNKNOWN]
    assert found.rows[0]["disagrees"] is None


def test_an_older_file_is_judged_as_it_was():
    """Without the declaration nothing is compared, and nothing is told."""
    case = declared(Scene(spells=(Spell(BEGIN_S, END_S, "failed", operation="place-order"),)))
    assert judge_health(case).findings == ()
    assert judge(case.record).document["health"] == []


def test_it_decides_the_part_and_is_named():
    """The verdict fails, and says why: by its name under `degradation.broken`, with its row under `health`."""
    spells = (Spell(BEGIN_S, END_S, "failed", operation="place-order"),)
    case = declared(Scene(spells=spells), health=READY)
    part = check_degradation(case)
    assert part.answer is Answer.FAIL
    assert "health" in part.data["degradation"]["broken"]
    assert any("that all is well while place-order failed" in str(one) for one in part.evidence)
    assert part.data["health"][0]["disagrees"] is True


@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 2**16), share=st.floats(0.0, 0.35))
def test_a_share_of_failures_that_is_no_failing_is_never_compared(seed, share):
    """Up to a third, at random, is not half of anything for seconds on end."""
    scene = Scene(seed=seed, spells=(Spell(BEGIN_S, END_S, "failed", share, operation="read-item"),))
    assert judge_health(declared(scene, health=READY)).rows == ()


@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 2**16), share=st.floats(0.7, 1.0))
def test_most_of_them_failing_is_always_told(seed, share):
    """Seven of ten and more, for eight seconds."""
    scene = Scene(seed=seed, spells=(Spell(BEGIN_S, END_S, "failed", share, operation="read-item"),))
    found = judge_health(declared(scene, health=READY))
    assert Answer.FAIL in answers(found)
    assert set(answers(found)) == {Answer.FAIL}
