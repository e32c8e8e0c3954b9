"""How far two figures may be apart by chance alone."""

import math

import pytest

from resilience.judge.regression.spread import MANY, PRIOR, RUN_TO_RUN, Side, assumed, difference, excess
from resilience.model import Estimate


def side(*values: float, error: float = 0.01) -> Side:
    """Runs with these figures."""
    return Side.of([Estimate(value, error, 30) for value in values], relative=True)


def test_one_run_each_takes_the_assumed_spread():
    """The difference of logarithms; both runs' own errors, and what runs are assumed to differ by."""
    value, error, freedom = difference(side(10.0), side(12.0), RUN_TO_RUN**2)
    assert value == pytest.approx(math.log(1.2))
    assert error == pytest.approx(math.sqrt(2 * RUN_TO_RUN**2 + 2 * 0.01**2))
    assert freedom > 100


def test_repeated_runs_that_differ_widen_the_interval():
    """What runs of the same thing differ by is seen, not assumed; more so the more of them there are."""
    _, alone, _ = difference(side(10.0), side(10.0), RUN_TO_RUN**2)
    _, few, freedom = difference(side(9.0, 11.0), side(10.0), RUN_TO_RUN**2)
    assert few > 1.5 * alone
    assert freedom < MANY
    _, many, more = difference(side(9.0, 11.0, 9.0, 11.0, 9.0, 11.0, 9.0, 11.0), side(10.0), RUN_TO_RUN**2)
    assert many > 0.08
    assert more > freedom > PRIOR


def test_what_varies_within_runs_is_not_counted_twice():
    """Runs that differ by no more than chance within them have no spread of their own."""
    assert excess((side(10.0, 10.05, error=0.05), side(10.0, error=0.05))) == 0.0
    assert excess((side(9.0, 11.0), side(10.0))) == pytest.approx(math.log(11 / 9) ** 2 / 2 - 0.01**2, rel=1e-6)


def test_tails_and_faults_are_assumed_to_differ_more():
    """A median in peace is the steadiest of all; shares of nothing have a spread all the same."""
    calm = assumed(side(10.0), "p50_ms", relative=True, fault=False)
    assert calm == RUN_TO_RUN**2
    assert assumed(side(10.0), "p95_ms", relative=True, fault=False) > calm
    assert assumed(side(10.0), "p50_ms", relative=True, fault=True) > calm
    none = Side.of([Estimate(0.0, 0.001, 30)], relative=False)
    assert assumed(none, "error_rate", relative=False, fault=False) > 0
