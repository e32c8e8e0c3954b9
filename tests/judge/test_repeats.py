"""Repetitions judged together: passing, failing, flaky."""

import json

import pytest

from resilience.judge.repeats import Repetition, clopper_pearson, repeats, repetition
from resilience.model import Answer

P, F, U = Answer.PASS, Answer.FAIL, Answer.UNKNOWN


def runs(*answers, recoveries=()):
    """Runs with these answers."""
    times = [*recoveries, *[None] * len(answers)]
    return [Repetition(one, "why", times[index], f"runs/{index}", index) for index, one in enumerate(answers)]


@pytest.mark.parametrize(
    ("answers", "answer", "stability"),
    [
        ((P, P, P), P, "passing"),
        ((F, F), F, "failing"),
        ((P, P, P, P, F), F, "flaky"),
        ((P, U, P), U, "unknown"),
        ((F, U), F, "failing"),
        ((U, U), U, "unknown"),
    ],
)
def test_flaky_is_never_a_pass(answers, answer, stability):
    """One failure among many passes is told apart from failing, and is no pass; what is unknown is none either."""
    made = repeats(runs(*answers))
    assert (made.answer, made.stability) == (answer, stability)
    assert made.because.startswith(stability)


def test_bounds_of_a_share():
    """Clopper and Pearson's own: published values."""
    assert clopper_pearson(0, 10) == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert clopper_pearson(5, 10) == pytest.approx((0.1871, 0.8129), abs=1e-4)
    assert clopper_pearson(10, 10) == pytest.approx((0.6915, 1.0), abs=1e-4)
    assert clopper_pearson(0, 0) == (0.0, 1.0)


def test_recoveries():
    """Three or more have an interval; fewer the shortest and the longest; none has none."""
    made = repeats(runs(P, P, P, recoveries=(2.0, 3.0, 4.0)))
    assert made.recovery_s == 3.0
    assert made.recovery_low_s < 3.0 < made.recovery_high_s
    made = repeats(runs(P, P, recoveries=(2.0, 4.0)))
    assert (made.recovery_low_s, made.recovery_high_s) == (2.0, 4.0)
    assert repeats(runs(P)).recovery_s is None


def test_as_json():
    """Every run with its seed and folder."""
    document = json.loads(json.dumps(repeats(runs(P, F)).json()))
    assert document["answer"] == "fail"
    assert document["stability"] == "flaky"
    assert [run["answer"] for run in document["runs"]] == ["pass", "fail"]


def test_a_run_without_a_verdict_is_unknown():
    """What left nothing behind did not pass."""
    assert repetition({}, "", 1).answer is U
    assert repetition({"answer": "splendid"}, "", 1).answer is U
    assert repetition({"answer": "pass", "recovery": {"mttr_s": 2.5}}, "", 1).recovery_s == 2.5
