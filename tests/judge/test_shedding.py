"""Load shedding: in order, bounded, over afterwards, and never of the more important first."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.judge.case import prepare
from resilience.judge.degradation import check_baseline, check_degradation
from resilience.judge.objectives import judge_objective
from resilience.judge.quantiles import stats
from resilience.judge.shedding import judge_shedding
from resilience.model import Answer, PhaseName, Shed
from resilience.spec.thresholds import parse_objective
from tests.judge.builder import Held, Scene, Spell
from tests.judge.degrading import declared

HALF = {"shed": Shed(at_most=0.5)}
WHILE = (19.1, 27.0)


def judged(*spells, scene=None, **operations):
    return judge_shedding(declared((scene or Scene()).but(spells=spells), **operations))


def answer(found):
    return Answer.worst([Answer.PASS, *(one.answer for one in found.findings)])


def failures(found):
    return [one.because for one in found.findings if one.answer is Answer.FAIL]


def without_retry_after(case):
    """The same, but nobody is told when to come back."""
    samples = replace(case.record.samples, shed=np.zeros(len(case.record.samples), bool))
    return prepare(replace(case.record, samples=samples))


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**16), share=st.floats(0.0, 1.0))
def test_the_share_that_was_shed_is_judged_in_each_phase(seed, share):
    """Requirement J1: at most what the file allows of what was offered."""
    found = judged(Spell(*WHILE, "shed", share, operation="read-item"), scene=Scene(seed=seed), read_item=HALF)
    (row,) = found.rows
    assert row["share"] == pytest.approx(share * 7.9 / 8.1, abs=0.06)
    assert row["without_retry_after"] == 0
    assert answer(found) is (Answer.FAIL if row["share"] > 0.5 else Answer.PASS)


def test_who_is_put_off_without_a_word_was_not_shed():
    """Requirement J1: 503 without `Retry-After` is not orderly, and one is enough."""
    case = declared(Scene(spells=(Spell(*WHILE, "shed", 0.01, operation="read-item"),)), read_item=HALF)
    assert answer(judge_shedding(case)) is Answer.PASS
    found = judge_shedding(without_retry_after(case))
    assert "not told for how long" in failures(found)[0]
    assert found.rows[0]["without_retry_after"] > 0


@pytest.mark.parametrize(("begin_s", "end_s", "when"), [(4.0, 19.0, "in the baseline"), (28.0, 42.0, "was clear")])
def test_nothing_is_shed_before_and_after(begin_s, end_s, when):
    """Requirement J1: shed operations come back; a stray one does not fail the run."""
    found = judged(Spell(begin_s, end_s, "shed", 0.1, operation="read-item"), read_item=HALF)
    assert [when in told for told in failures(found)] == [True]
    stray = judged(Spell(begin_s, end_s, "shed", 0.002, operation="read-item"), read_item=HALF)
    assert answer(stray) is Answer.PASS


def test_the_baseline_is_judged_before_the_method():
    """What is shed before anything is wrong keeps the method from beginning."""
    scene = Scene(spells=(Spell(4.0, 19.0, "shed", 0.1, operation="read-item"),), end_s=19.0, faults=())
    assert check_baseline(declared(scene, read_item=HALF | {"critical": False})).answer is Answer.FAIL


def test_what_may_be_shed_is_not_lost_when_it_is():
    """Requirement J1: a critical operation that may be shed holds as long as nothing else becomes of it."""
    shed = Scene(spells=(Spell(*WHILE, "shed", 0.3, operation="read-item"),))
    assert check_degradation(declared(shed)).answer is Answer.FAIL
    assert check_degradation(declared(shed, read_item=HALF)).answer is Answer.PASS
    lost = Scene(spells=(Spell(*WHILE, "failed", 0.3, operation="read-item"),))
    assert check_degradation(declared(lost, read_item=HALF)).answer is Answer.FAIL


def test_nothing_is_demanded_while_the_service_is_away():
    """A balancer without a service says 503 and no more."""
    scene = Scene(
        faults=(Held(kind="process.kill", on="service"),), spells=(Spell(*WHILE, "shed", operation="read-item"),)
    )
    found = judge_shedding(without_retry_after(declared(scene, read_item=HALF)))
    assert answer(found) is Answer.PASS


def test_an_operation_that_was_not_offered_is_unknown():
    """Nobody can tell whether it would have been shed."""
    case = declared(Scene(), read_item=HALF)
    samples = case.record.samples
    fault = next(phase for phase in case.phases if phase.name is PhaseName.FAULT)
    during = (samples.arrival_ns >= fault.start_s * 1e9) & (samples.arrival_ns < fault.end_s * 1e9)
    gone = prepare(replace(case.record, samples=samples.where(~(during & (samples.operation == 0)))))
    assert "nothing was offered" in next(
        one.because for one in judge_shedding(gone).findings if one.answer is Answer.UNKNOWN
    )


MORE = {"read_item": {"priority": 1}, "place_order": {"priority": 3}}


def test_the_more_important_is_not_put_off_while_the_less_important_is_served():
    """Requirement J1: priorities hold; the other way round, or everything at once, is in order."""
    rate = Scene(rate=600.0)
    found = judged(Spell(*WHILE, "shed", 0.5, operation="place-order"), scene=rate, **MORE)
    assert any("priority 3 and above was put off" in told for told in failures(found))
    for right in (
        (Spell(*WHILE, "shed", 0.5, operation="read-order"),),
        (Spell(*WHILE, "shed"),),
        (
            Spell(*WHILE, "shed", operation="read-item"),
            Spell(*WHILE, "shed", operation="read-order"),
            Spell(*WHILE, "shed", 0.4, operation="place-order"),
        ),
    ):
        assert failures(judged(*right, scene=rate, **MORE)) == []


@pytest.mark.parametrize("at_s", [20.0, 20.3, 20.5, 20.7])
def test_a_change_within_a_window_is_no_inversion_of_priorities(at_s):
    """Everything is served, then nothing, then everything: what came before in a window is not what came after."""
    found = judged(Spell(at_s, at_s + 4.0, "shed"), scene=Scene(rate=600.0), **MORE)
    assert failures(found) == []


def test_a_refusal_without_retry_after_breaks_priorities_just_the_same():
    """Whether it is said politely makes no difference to who was put off."""
    case = declared(Scene(rate=600.0, spells=(Spell(*WHILE, "shed", 0.5, operation="place-order"),)), **MORE)
    assert any("priority 3" in told for told in failures(judge_shedding(without_retry_after(case))))


def test_too_little_traffic_to_compare_is_unknown():
    """Three windows with enough of both are needed."""
    found = judged(Spell(*WHILE, "shed", operation="place-order"), scene=Scene(rate=15.0), **MORE)
    assert Answer.UNKNOWN in {one.answer for one in found.findings}


def test_without_priorities_and_shedding_nothing_is_judged():
    """Older files are judged as they were."""
    found = judged(Spell(*WHILE, "shed"))
    assert (found.findings, found.rows) == ((), ())


def test_an_objective_may_limit_what_is_shed():
    """Requirement J1: `shed<0.4 @ fault`, of all that was offered; the count stands in the figures of each phase."""
    scene = Scene(spells=(Spell(*WHILE, "shed", 0.5, operation="read-item"),))
    for text, expected in (("shed<0.6 @ fault", Answer.PASS), ("shed<0.4 @ fault", Answer.FAIL)):
        (found,) = judge_objective(scene.case(), parse_objective(text, "read-item"))
        assert found.answer is expected
        assert found.value == pytest.approx(0.5 * 7.9 / 8.1, abs=0.05)
    samples = scene.case().traffic.between(*WHILE)
    assert stats(samples, 7.9, 0).shed == int(np.count_nonzero(samples.shed)) > 500
