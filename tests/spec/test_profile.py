"""Arrivals follow the profile. Requirements L1, L2, L3."""

import itertools
import math
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.model import Load, Operation, Stage
from resilience.spec.profile import BLOCK, arrivals, expected_count, level_at

READ = (Operation(name="read", weight=1, method="GET", path="/"),)

RATES = st.floats(min_value=0, max_value=400, allow_nan=False).map(lambda rate: round(rate, 2))
LENGTHS = st.floats(min_value=0, max_value=8, allow_nan=False).map(lambda length: round(length, 2))
STAGES = st.lists(st.builds(Stage, LENGTHS, RATES), max_size=4).map(tuple)


def load(rate=100.0, stages=(), kind="constant"):
    return Load(rate=rate, operations=READ, stages=tuple(stages), arrivals=kind)


LOADS = st.builds(load, RATES, STAGES)
RANDOM_LOADS = st.builds(load, RATES, STAGES, st.just("poisson"))


def test_constant_arrivals_are_evenly_spaced_from_zero():
    """At 250 per second one is due every 4 ms, the first at 0, and 40 s hold exactly 10 000."""
    found = list(arrivals(load(250.0), 1, 40.0))
    assert found[:4] == [0, 4_000_000, 8_000_000, 12_000_000]
    assert len(found) == 10_000


def test_decimal_rates_are_taken_as_written():
    """0.1 per second for 30 s is three arrivals, although 0.1 * 30 is more than 3 in floats."""
    assert list(arrivals(load(0.1), 1, 30.0)) == [0, 10_000_000_000, 20_000_000_000]


def test_a_ramp_from_nothing_follows_the_square_root():
    """With rate s*t the k-th arrival is due when s*t*t/2 = k."""
    found = list(arrivals(load(0.0, [Stage(10, 100)]), 1, 10.0))
    assert found == [min(math.floor(math.sqrt(2 * k / 10) * 1e9), 10**10) for k in range(500)]


def test_rate_and_count_follow_the_stages():
    """A spike: jump up, hold, jump down, ramp to nothing, and the last rate holds."""
    spiky = load(10.0, [Stage(2, 10), Stage(0, 100), Stage(3, 100), Stage(0, 10), Stage(5, 0)])
    assert [level_at(spiky, at) for at in (-1, 0, 1.9, 2, 4.9, 5, 7.5, 10, 99)] == [0, 10, 10, 100, 100, 10, 5, 0, 0]
    assert [expected_count(spiky, at) for at in (-1, 0, 2, 5, 10, 99)] == [0, 0, 20, 320, 345, 345]
    assert len(list(arrivals(spiky, 1, 99.0))) == 345


def test_nothing_is_due_while_the_rate_is_zero():
    """A pause in the profile is a pause in the arrivals, which go on when it ends."""
    paused = load(10.0, [Stage(1, 10), Stage(0, 0), Stage(5, 0), Stage(0, 10), Stage(1, 10)])
    found = list(arrivals(paused, 1, 7.0))
    assert len(found) == 20
    assert not [at for at in found if 10**9 <= at < 6 * 10**9]
    assert found[10] == 6 * 10**9


@given(LOADS, st.integers(min_value=0, max_value=30_000).map(lambda milliseconds: milliseconds / 1000))
@settings(max_examples=50, deadline=None)
def test_constant_arrivals_are_as_many_as_expected_and_in_order(profile, until_s):
    """Their number is the integral of the rate, rounded up, and none is early, late or out of order."""
    found = list(arrivals(profile, 1, until_s))
    assert len(found) == math.ceil(expected_count(profile, until_s))
    assert all(0 <= first <= second for first, second in itertools.pairwise(found))
    assert all(at < until_s * 1e9 for at in found)


@given(RANDOM_LOADS, st.integers(min_value=0, max_value=2**32), st.floats(min_value=0.001, max_value=20))
@settings(max_examples=50, deadline=None)
def test_poisson_arrivals_are_as_many_as_chance_allows(profile, seed, until_s):
    """Their number is within six standard deviations of the integral of the rate (plus a few where that is small)."""
    found = list(arrivals(profile, seed, until_s))
    mean = expected_count(profile, until_s)
    assert abs(len(found) - mean) <= 6 * math.sqrt(mean) + 10
    assert all(0 <= first <= second for first, second in itertools.pairwise(found))
    assert all(at < until_s * 1e9 for at in found)


@given(RANDOM_LOADS, st.integers(min_value=0, max_value=2**32))
@settings(max_examples=25, deadline=None)
def test_the_same_seed_gives_the_same_arrivals_and_more_time_only_adds(profile, seed):
    """Deterministic, and a longer run begins exactly like a shorter one."""
    short = list(arrivals(profile, seed, 4.0))
    assert short == list(arrivals(profile, seed, 4.0))
    assert list(arrivals(profile, seed, 9.0))[: len(short)] == short


def test_another_seed_gives_other_arrivals():
    """A seed that were ignored would make every run the same."""
    profile = load(kind="poisson")
    assert list(arrivals(profile, 1, 5.0)) != list(arrivals(profile, 2, 5.0))


def test_poisson_gaps_are_exponential():
    """Mean and standard deviation of the gaps agree within 2 %, and e**-1 of them are longer than the mean."""
    found = list(arrivals(load(1000.0, kind="poisson"), 7, 100.0))
    gaps = [second - first for first, second in itertools.pairwise(found)]
    mean = sum(gaps) / len(gaps)
    deviation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    assert deviation == pytest.approx(mean, rel=0.02)
    assert sum(gap > mean for gap in gaps) / len(gaps) == pytest.approx(math.exp(-1), rel=0.02)


def test_poisson_arrivals_follow_a_ramp():
    """A ramp from nothing has a quarter of its arrivals in its first half."""
    found = list(arrivals(load(0.0, [Stage(10, 4000)], "poisson"), 3, 10.0))
    assert sum(at < 5 * 10**9 for at in found) / len(found) == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("kind", ["constant", "poisson"])
def test_a_day_of_heavy_load_begins_at_once_in_little_memory(kind):
    """The first arrivals of 1.7 billion are there without computing the others."""
    tracemalloc.start()
    try:
        first = list(itertools.islice(arrivals(load(20_000.0, kind=kind), 1, 86_400.0), 3 * BLOCK))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(first) == 3 * BLOCK
    assert peak < 5_000_000
