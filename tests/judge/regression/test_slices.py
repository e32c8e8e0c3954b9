"""Errors of figures from time slices hold although neighbours in time are alike."""

from dataclasses import replace

import numpy as np
import pytest

from resilience.judge.quantiles import FAILED, OK
from resilience.judge.regression.slices import ERROR_RATE, RATE, estimates
from tests.judge.regression.drawn import Kind, samples


@pytest.mark.parametrize("metric", ["p50_ms", "p95_ms"])
def test_the_error_of_a_quantile_is_that_of_many_runs(metric: str):
    """What one run says of its error is what many runs show: not less, as it would be if requests were independent."""
    rng = np.random.default_rng(1)
    kind = Kind(run_to_run=0.0, drift=0.1, alike=0.6)
    found = [estimates(samples(rng, kind), 0.0, 30.0)[metric] for _ in range(40)]
    seen = np.std([np.log(one.value) for one in found])
    told = np.sqrt(np.mean([one.error**2 for one in found]))
    assert 0.75 * seen < told < 2.0 * seen
    independent = 1.25 * kind.spread / np.sqrt(30 * kind.rate)
    assert told > 3 * independent


def test_a_share_that_was_never_seen_has_an_error():
    """No failure among so many is not "no failures are possible"."""
    found = estimates(samples(np.random.default_rng(2)), 0.0, 30.0)[ERROR_RATE]
    assert found.value == 0.0
    assert 1e-4 < found.error < 1e-3


def test_a_burst_of_failures_is_one_event():
    """Sixty failures in one second say less than sixty that are spread out."""
    drawn = samples(np.random.default_rng(3))
    burst, spread = np.full(len(drawn), OK, np.int8), np.full(len(drawn), OK, np.int8)
    burst[3000:3060] = FAILED
    spread[::100] = FAILED
    errors = [estimates(replace(drawn, outcome=one), 0.0, 30.0)[ERROR_RATE] for one in (burst, spread)]
    assert errors[0].value == pytest.approx(errors[1].value, abs=1e-4)
    assert errors[0].error > 3 * errors[1].error


def test_throughput_is_ok_per_second():
    """As the phase's own figure has it."""
    found = estimates(samples(np.random.default_rng(4)), 0.0, 30.0)[RATE]
    assert found.value == pytest.approx(200.0)


def test_what_is_too_short_or_too_little_is_left_out():
    """Fewer than eight slices say nothing; a tail of fewer than ten values is none."""
    drawn = samples(np.random.default_rng(5))
    assert estimates(drawn.where(drawn.arrival_ns < 7 * 10**9), 0.0, 7.0) == {}
    few = estimates(drawn.where(np.arange(len(drawn)) % 100 == 0), 0.0, 30.0)
    assert "p50_ms" in few
    assert "p95_ms" not in few
    failed = replace(drawn, outcome=np.full(len(drawn), FAILED, np.int8))
    assert set(estimates(failed, 0.0, 30.0)) == {ERROR_RATE}
