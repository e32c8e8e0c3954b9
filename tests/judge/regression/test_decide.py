"""What is said of a difference and its interval."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.judge.regression.decide import FAMILY, Margin, decide, reach, repetitions
from resilience.model import Change

TIME = Margin(0.18, -0.18, 0.09, Change.WORSE)
RATE = Margin(0.18, -0.18, 0.09, Change.BETTER)


@pytest.mark.parametrize(
    ("value", "half", "answer"),
    [
        (0.0, 0.1, Change.SAME),
        (0.0, 0.2, Change.UNKNOWN),  # what was not seen is not shown to be none
        (0.1, 0.07, Change.SAME),  # certainly slower, and within the margin: no harm
        (0.15, 0.1, Change.WORSE),
        (0.05, 0.04, Change.SAME),
        (0.2, 0.25, Change.UNKNOWN),
        (-0.3, 0.1, Change.BETTER),
        (0.3, 0.01, Change.WORSE),
    ],
)
def test_what_is_said(value, half, answer):
    """Same is a claim that was shown; worse needs an interval on one side and a difference worth telling."""
    assert decide(value, half, TIME) is answer


def test_fewer_answers_are_worse():
    """Of a rate, less is worse."""
    assert decide(-0.3, 0.1, RATE) is Change.WORSE
    assert decide(0.3, 0.1, RATE) is Change.BETTER


@given(st.floats(-1, 1), st.floats(0, 1))
def test_it_is_symmetric(value, half):
    """Changing the sides round turns worse into better and nothing else."""
    turned = {Change.WORSE: Change.BETTER, Change.BETTER: Change.WORSE}
    told = decide(value, half, TIME)
    assert decide(-value, half, TIME) is turned.get(told, told)


def test_intervals_hold_together():
    """Bonferroni: the more is compared, the wider each is; few degrees of freedom widen it, too."""
    one, many = reach(1.0, 1e6, 1), reach(1.0, 1e6, 100)
    assert one == pytest.approx(2.5758, abs=1e-3)  # 99.5 % of a normal distribution: half of FAMILY on each side
    assert FAMILY == 0.01
    assert many == pytest.approx(3.8906, abs=1e-3)
    assert reach(1.0, 5, 100) > 1.5 * many


def test_how_much_more_would_tell():
    """Widths fall with the square root; where a difference is at the margin nothing would help."""
    assert repetitions(0.0, 0.36, TIME) == 4
    assert repetitions(0.2, 0.4, TIME) == 4
    assert repetitions(0.085, 5.0, TIME) is None
