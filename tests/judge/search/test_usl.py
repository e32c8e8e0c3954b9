"""The Universal Scalability Law: known parameters are found, and their intervals cover them. Requirement M6."""

import math

import numpy as np
import pytest

from resilience.judge.search.usl import fit, peak_of, throughput

LEVELS = (1, 2, 4, 8, 16, 32, 64)


def slices(sigma: float, kappa: float, noise: float, rng: np.random.Generator, gamma: float = 100.0):
    """Twelve slices of each level, with so much noise in each."""
    return [throughput(n, gamma, sigma, kappa) * (1 + noise * rng.standard_normal(12)) for n in LEVELS]


@pytest.mark.parametrize(("sigma", "kappa"), [(0.0, 0.0), (0.05, 0.0), (0.0, 0.001), (0.03, 0.0005), (0.2, 0.002)])
def test_what_is_exact_is_found_exactly(sigma, kappa):
    """Without noise."""
    law = fit(LEVELS, slices(sigma, kappa, 0.0, np.random.default_rng(1)), 1)
    assert law.gamma.value == pytest.approx(100, rel=1e-6)
    assert law.sigma.value == pytest.approx(sigma, abs=1e-6)
    assert law.kappa.value == pytest.approx(kappa, abs=1e-7)
    assert law.fits


def test_intervals_cover_the_truth():
    """Of 50 noisy measurements at least 85 % of the intervals of each parameter have it: a bootstrap of 12 slices."""
    rng = np.random.default_rng(2)
    covered = np.zeros(3)
    for seed in range(50):
        law = fit(LEVELS, slices(0.05, 0.0005, 0.1, rng), seed)
        pairs = zip((law.gamma, law.sigma, law.kappa), (100, 0.05, 0.0005), strict=True)
        covered += [one.low <= truth <= one.high for one, truth in pairs]
    assert np.all(covered >= 0.85 * 50), covered


def test_a_peak_that_was_measured_is_told_and_no_other():
    """N* = sqrt((1 − sigma) / kappa): at 25 of 64 users it is told; at 250 it lies beyond what was measured."""
    inside = fit(LEVELS, slices(0.0, 1 / 625, 0.01, np.random.default_rng(3)), 1)
    assert inside.peak == pytest.approx(25, rel=0.1)
    beyond = fit(LEVELS, slices(0.0, 1 / 62500, 0.0, np.random.default_rng(3)), 1)
    assert beyond.peak is None
    assert beyond.json()["peak"] is None
    assert peak_of(0.1, 0.0) == math.inf
    assert peak_of(0.1, 1e-17) == math.inf
    assert peak_of(1.0, 1e-17) == 1.0  # one at a time: a second gains nothing
    assert peak_of(0.0, 25.0) == 1.0


def test_what_the_law_does_not_describe_has_no_peak():
    """Throughput that collapses at once is no coherency."""
    rates = [100, 200, 400, 800, 30, 20, 10]
    law = fit(LEVELS, [np.full(12, float(rate)) for rate in rates], 1)
    assert not law.fits
    assert law.peak is None


def test_too_few_levels_tell_nothing():
    """Six at least, and each with throughput."""
    with pytest.raises(ValueError, match="at least 6"):
        fit(LEVELS[:5], slices(0.1, 0.001, 0.0, np.random.default_rng(1))[:5], 1)
    with pytest.raises(ValueError, match="nothing was answered"):
        fit(LEVELS, [np.zeros(12) for _ in LEVELS], 1)


def test_the_same_seed_gives_the_same_interval():
    """A bootstrap is no dice."""
    data = slices(0.05, 0.0005, 0.1, np.random.default_rng(5))
    assert fit(LEVELS, data, 7) == fit(LEVELS, data, 7)
