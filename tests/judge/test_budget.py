"""Service level: availability, Apdex, burn rate and error budget, against figures worked out by hand."""

import pytest

from resilience.judge.budget import apdex, availability, budget_used, burn_rate
from resilience.judge.objectives import judge_objective
from resilience.model import Answer
from resilience.spec.thresholds import parse_objective
from tests.judge.builder import Scene, Spell


def value(scene, text):
    (judged,) = judge_objective(scene.case(), parse_objective(text))
    return judged.value


def even(*spells):
    """Evenly spaced arrivals, 250 per second, 5 ms each (within 2 ms to 13 ms)."""
    return Scene(poisson=False, spells=spells)


def test_availability_is_what_was_ok_of_what_was_offered():
    """Requirement J5: three seconds of fifteen without an answer are 80 %, dropped arrivals among them."""
    for what in ("failed", "unknown", "dropped"):
        assert value(even(Spell(10, 13, what)), "availability>=0.999 @ baseline") == pytest.approx(0.8)
    assert availability(even().samples()) == 1.0
    assert availability(Scene(rate=0.01).samples()) is None


def test_burn_rate_is_how_many_times_too_fast_the_budget_goes():
    """Requirement J5: 20 % bad where 0.1 % is promised burns at 200; without errors at 0; all bad at 1/(1 - S)."""
    assert value(even(Spell(10, 13, "failed")), "burn(99.9%)<14.4 @ baseline") == pytest.approx(200)
    assert value(even(), "burn(99.9%)<14.4 @ baseline") == 0
    assert burn_rate(even(Spell(0, 42, "failed")).samples(), 0.99) == pytest.approx(100)


def test_five_minutes_of_outage_use_a_ninth_of_a_month_at_three_nines():
    """Requirement J5: judgement's own example, 5 / (43,200 · 0.001) = 11.6 %, whatever the rate."""
    for rate in (1.0, 250.0):
        assert budget_used(300 * rate, rate, 0.999) == pytest.approx(0.11574, abs=1e-5)
    assert budget_used(300, 1.0, 0.99) == pytest.approx(0.011574, abs=1e-6)
    assert budget_used(300, 1.0, 0.999, days=7) == pytest.approx(0.11574 * 30 / 7, abs=1e-4)


def test_the_budget_that_a_phase_used_is_told_at_the_usual_rate():
    """Requirement J5: 8 s of outage are 8 / (2,592,000 · 0.001) of a month; without a baseline it cannot be told."""
    scene = even(Spell(19, 27, "failed"))
    assert value(scene, "budget(99.9%)<0.1 @ fault") == pytest.approx(8 / 2592, rel=1e-3)
    (judged,) = judge_objective(scene.case(), parse_objective("budget(99.9%)<0.001 @ fault"))
    assert judged.answer is Answer.FAIL
    assert value(scene, "budget(99.9%)<0.1 @ fault over 2s") == pytest.approx(2 / 2592, rel=1e-3)


def test_a_budget_without_a_baseline_cannot_be_told(silent_baseline):
    """The usual rate is not known: unknown, not nothing used."""
    scene = silent_baseline.but(spells=(Spell(19, 27, "failed"),))
    (judged,) = judge_objective(scene.case(), parse_objective("budget(99.9%)<0.1 @ fault"))
    assert judged.answer is Answer.UNKNOWN
    assert "usual rate" in judged.because


@pytest.mark.parametrize(
    ("spells", "expected"),
    [
        ((), 1.0),
        ((Spell(4, 19, "slow", 1.0),), 0.5),  # 600 ms: tolerable at 200 ms
        ((Spell(4, 19, "failed", 1.0),), 0.0),  # however quick
        ((Spell(10, 13, "slow"), Spell(13, 16, "dropped")), (9 + 3 / 2) / 15),
    ],
)
def test_apdex_counts_tolerable_answers_half(spells, expected):
    """Requirement J5: (satisfied + tolerating / 2) / total, T being 200 ms."""
    assert value(even(*spells), "apdex(200)>0.9 @ baseline") == pytest.approx(expected, abs=1e-9)


def test_apdex_at_its_borders():
    """T itself satisfies, 4 T itself is tolerable, and a nanosecond more is not."""
    samples = even().samples()
    for factor, more, expected in ((1, 0, 1.0), (1, 1, 0.5), (4, 0, 0.5), (4, 1, 0.0)):
        samples.end_ns[:] = samples.arrival_ns + factor * 100_000_000 + more
        assert apdex(samples, 100) == expected
