"""Whether the machine itself was slower, by the load generator's own clock."""

import pytest

from resilience.judge.regression.compare import compare
from resilience.judge.regression.strain import LAG, excused, strain
from resilience.model import Change, Regression
from tests.judge.regression.drawn import before, measured


def of(time_ms: float, lag_ms: float | None):
    """A run with this median and this lateness."""
    counts = {} if lag_ms is None else {LAG: lag_ms}
    return measured(p50_ms=(time_ms, 0.005), counts=counts)


@pytest.mark.parametrize(
    ("was", "now", "answer"),
    [
        ((10.0, 4.0), (14.0, 4.1), Change.WORSE),  # the machine was as quick as before
        ((10.0, 4.0), (13.0, 5.8), Change.UNKNOWN),  # it was not
        ((10.0, 4.0), (30.0, 5.8), Change.WORSE),  # slower by far more than the machine was
        ((50.0, 4.0), (60.0, 6.0), Change.WORSE),  # by the same share, and by many more milliseconds
        ((13.0, 5.8), (10.0, 4.0), Change.UNKNOWN),  # neither is it better
        ((10.0, 5.8), (14.0, 4.0), Change.WORSE),  # slower although the machine was quicker
        ((10.0, None), (14.0, 5.8), Change.WORSE),  # of old records nothing is known
        ((10.0, 0.1), (14.0, 0.4), Change.WORSE),  # a lateness of nothing
    ],
)
def test_what_may_be_the_machines_doing_is_not_told(was, now, answer):
    """Neither worse nor the same: it cannot be told, and why is said."""
    made = compare(before(of(*was)), [of(*now)], Regression(require=()))
    row = made.rows[0]
    assert row.answer is answer
    assert ("the generator itself" in row.because) is (answer is Change.UNKNOWN)


def test_only_times_are_excused():
    """Failures are not the machine's."""
    was, now = (
        measured(error_rate=(0.0, 0.0005), counts={LAG: 4.0}),
        measured(error_rate=(0.05, 0.001), counts={LAG: 6.0}),
    )
    made = compare(before(was), [now], Regression(require=()))
    strained = strain(made.before, made.after)
    assert strained == (4.0, 6.0)
    assert made.rows[0].answer is Change.WORSE
    assert excused(made.rows[0], strained) is made.rows[0]
