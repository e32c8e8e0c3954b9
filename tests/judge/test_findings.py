"""Answers of single things, and the gravest of several."""

from resilience.judge.findings import Finding, within, worst
from resilience.model import Answer


def test_a_value_may_be_as_large_as_its_limit():
    """And no larger."""
    assert within(2.0, 2.0, "x") == Finding(Answer.PASS, "x")
    assert within(2.1, 2.0, "x") == Finding(Answer.FAIL, "x")


def test_the_gravest_is_told_first():
    """Fail before unknown before pass; of several the first; of none there is none."""
    answers = [Answer.PASS, Answer.UNKNOWN, Answer.FAIL, Answer.FAIL]
    assert worst([Finding(answer, str(n)) for n, answer in enumerate(answers)]) == Finding(Answer.FAIL, "2")
    assert worst([]) is None
