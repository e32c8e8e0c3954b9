"""How long recoveries take, compared."""

import pytest

from resilience.judge.regression.outages import compare_outages
from resilience.model import Change, Regression
from resilience.model.regression import Outage


def told(before, after, **changes):
    """What is said of outages (seconds, resolution)."""
    sides = ([Outage(*one) for one in side] for side in (before, after))
    return compare_outages("redis-down", *sides, Regression(**changes), 4)


@pytest.mark.parametrize(
    ("before", "after", "answer"),
    [
        ([(12.0, 0.3)], [(31.0, 0.3)], Change.WORSE),
        ([(31.0, 0.3)], [(12.0, 0.3)], Change.BETTER),
        ([(12.0, 0.3)], [(13.0, 0.3)], Change.UNKNOWN),  # one of each: how much they differ is not known
        ([(12.0, 12.0)], [(31.0, 12.0)], Change.UNKNOWN),  # the resolution alone could be it
        ([(0.0, 0.2)], [(5.0, 0.2)], Change.WORSE),
        ([(12.0, 0.1)] * 8, [(12.1, 0.1)] * 8, Change.SAME),
        ([(6.0, 0.1), (18.0, 0.1), (12.0, 0.1)], [(20.0, 0.1), (9.0, 0.1)], Change.UNKNOWN),
        ([(12.0, 0.3)], [(30.0, -1.0)], Change.WORSE),  # not back when the watch ended
        ([(40.0, 0.3)], [(30.0, -1.0)], Change.UNKNOWN),  # watched for less long than it once took
        ([(30.0, -1.0)], [(12.0, 0.3)], Change.BETTER),
        ([(30.0, -1.0)], [(30.0, -1.0)], Change.UNKNOWN),
    ],
)
def test_outages(before, after, answer):
    """From 12 to 31 seconds is worse; what the resolution, or the spread of recoveries, may explain is not."""
    assert told(before, after).answer is answer


def test_what_is_assumed_is_said():
    """One recovery on each side says nothing of how much they differ."""
    assert "is assumed" in told([(12.0, 0.3)], [(31.0, 0.3)]).because
    assert told([(12.0, 0.3)] * 3, [(31.0, 0.3)] * 3).because == ""


def test_it_is_demanded_only_where_the_file_says_so():
    """`require: [recovery]`."""
    assert not told([(12.0, 0.3)], [(13.0, 0.3)]).required
    assert told([(12.0, 0.3)], [(13.0, 0.3)], require=("recovery",)).required
