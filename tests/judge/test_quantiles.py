"""Counts, rates and quantiles."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.judge.quantiles import Traffic, nearest_rank, of_operation, response_ns, stats
from tests.judge.builder import NAMES, Scene, Spell


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=300), st.integers(0, 1000))
def test_a_quantile_is_the_smallest_value_with_enough_at_or_below_it(values, permille):
    """Requirement M1: exact, by definition, without interpolation and without floating-point slips."""
    found = nearest_rank(np.sort(np.asarray(values)), permille / 1000)
    enough = [x for x in values if Fraction(sum(y <= x for y in values)) >= Fraction(permille, 1000) * len(values)]
    assert found == min(enough)


def test_seven_percent_of_a_hundred_is_the_seventh():
    """0.07 · 100 is 7.000000000000001 in floating point, and still the 7th value."""
    assert nearest_rank(np.arange(1, 101), 0.07) == 7


def test_no_value_has_no_quantile():
    """An error, not a number."""
    with pytest.raises(ValueError, match="no value"):
        nearest_rank(np.zeros(0, dtype=np.int64), 0.5)


def test_an_operation_that_hung_does_not_vanish():
    """Requirement M1: failures and timeouts count with the time until they ended, dropped ones only as not ok."""
    samples = Scene(spells=(Spell(0, 42, "unknown", 0.1), Spell(0, 42, "dropped", 0.1))).samples()
    figures = stats(samples, 42.0)
    assert figures.unknown > 800
    assert figures.dropped > 800
    assert len(response_ns(samples)) == figures.count - figures.dropped
    assert figures.count == figures.ok + figures.failed + figures.unknown + figures.dropped
    assert figures.error_rate == (figures.count - figures.ok) / figures.count
    assert figures.rps == figures.ok / 42.0


def test_without_samples_there_are_no_figures():
    """None, never 0 ms or 0 % errors."""
    none = Scene().samples().where(np.zeros(10_500, dtype=np.bool_))
    figures = stats(none, 0.0).json()
    assert figures["count"] == 0
    assert all(figures[name] is None for name in ("rps", "error_rate", "p50_ms", "p95_ms", "p99_ms", "max_ms"))


def test_samples_belong_to_the_stretch_in_which_they_arrive():
    """Start included, end excluded, whatever the order of the record; and operations are told apart."""
    samples = Scene(poisson=False, rate=100).samples()
    shuffled = samples.where(np.random.default_rng(3).permutation(len(samples)))
    traffic = Traffic(shuffled)
    assert len(traffic.between(1.0, 2.0)) == 100
    assert np.all(np.diff(traffic.samples.arrival_ns) >= 0)
    parts = [len(of_operation(traffic.samples, traffic.index(name))) for name in NAMES]
    assert sum(parts) == len(samples)
    assert traffic.index("nothing") == -1
