"""Figures folded from slices."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.live.figures import Figures, fold, quantile_ms
from resilience.model import HISTOGRAM_BASE, Outcome


@given(
    st.lists(st.floats(min_value=0.01, max_value=60_000), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99])
)
def test_quantile_is_within_one_per_cent_of_the_exact_one(times_ms, share):
    """A quantile read from the histogram is the exact nearest-rank one, within half a bucket."""
    histogram = {}
    for value in times_ms:
        bucket = math.floor(math.log(value * 1000) / math.log(HISTOGRAM_BASE))
        histogram[bucket] = histogram.get(bucket, 0) + 1
    exact = sorted(times_ms)[max(1, math.ceil(share * len(times_ms))) - 1]
    assert quantile_ms(histogram, share) == pytest.approx(exact, rel=0.011)


def test_no_slices_are_no_figures():
    """Zero slices: nothing is claimed, not even zero."""
    figures = fold([])
    assert figures == Figures()
    assert figures.error_share is None
    assert figures.degraded_share is None
    assert figures.quantile_ms(0.95) is None
    assert figures.per_second(0) is None


def test_errors_are_everything_that_is_not_ok(piece):
    """Failed, unknown and dropped all count as errors, over everything that ended."""
    counts = {"a": {Outcome.OK: 90, Outcome.FAILED: 1}, "b": {Outcome.UNKNOWN: 2, Outcome.DROPPED: 7}}
    figures = fold([piece(0, counts=counts, degraded=45), piece(0.5, counts={})])
    assert figures.errors == 10
    assert figures.error_share == pytest.approx(0.1)
    assert figures.degraded_share == pytest.approx(0.5)
    assert figures.per_second(figures.offered) == pytest.approx(250)


def test_absurd_bucket_does_not_overflow():
    """A bucket number beyond all times still gives a number."""
    assert math.isfinite(quantile_ms({10**9: 1}, 0.5))
    assert quantile_ms({-5: 1}, 0.5) == pytest.approx(0.001, rel=0.02)
