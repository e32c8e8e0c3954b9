"""What the readings of one resource say: limits that change, instants, correlation that is more than chance."""

import numpy as np
import pytest

from resilience.judge.bottlenecks.evidence import changed, correlate, find_evidence, lasting, spearman
from resilience.judge.bottlenecks.windows import Course
from resilience.model.resources import Series, Unit
from tests.judge.bottlenecks.made import BASELINE, made, step

AT = np.arange(0.0, 42.0)


def course(mean_s):
    """A run with these response times, one for each second."""
    ones = np.ones(len(mean_s))
    return Course(np.arange(float(len(mean_s))), 1.0, 100 * ones, 100 * ones, np.asarray(mean_s, float), ones)


FLAT = course(np.full(42, 0.01))


def test_a_limit_that_holds_for_a_while_is_the_limit_of_that_while():
    """A quota of 0.3 cores that is lifted before the run ends: the last limit is not the one that was met."""
    value = step(24, 0.12, 0.29, 0.003)
    limits = np.where((np.arange(1.0, 43.0) >= 21) & (np.arange(1.0, 43.0) < 38), 0.3, 2.0)
    series = Series("process.cpu", "service", Unit.CORES, np.arange(1.0, 43.0), value, 2.0, "system", limits)
    seen = find_evidence(series, BASELINE, (24.0, 37.0), FLAT)
    assert (seen.limit, seen.at_limit, seen.reached_s) == (0.3, True, 24.0)
    assert seen.share_before == pytest.approx(0.06, abs=0.01)


def test_too_few_readings_say_nothing():
    """In the baseline or in the window: no evidence rather than a guess."""
    series = made("process.cpu", "service", step(24, 0.1, 0.3), 0.3)
    assert find_evidence(series.between(12, 60), BASELINE, (24.0, 40.0), FLAT) is None
    assert find_evidence(series.between(0, 26), BASELINE, (24.0, 40.0), FLAT) is None


def test_what_could_not_be_read_because_it_was_not_there_counts_as_told():
    """Without a quota there are no periods in which a group had to wait."""
    series = made("cgroup.throttled", "service", np.full(42, 0.9)).between(21, 40)
    assert find_evidence(series, BASELINE, (24.0, 40.0), FLAT) is None
    seen = find_evidence(series, BASELINE, (24.0, 40.0), FLAT, absent=0.0)
    assert (seen.before, seen.rose) == (0.0, True)


def test_a_single_reading_at_the_limit_is_not_when_it_was_reached():
    """More than half of five readings must be there."""
    there = np.zeros(20, dtype=bool)
    there[[3, 12, 13, 14, 15]] = True
    assert lasting(AT[:20], there) == 12.0
    assert lasting(AT[:20], np.zeros(20, dtype=bool)) is None


def test_a_change_within_what_is_usual_is_none():
    """Noise as in the baseline, or less than a tenth more."""
    rng = np.random.default_rng(1)
    value = 100 + rng.standard_normal(42)
    assert changed(AT, value, value[:15], value[24:]) is None
    value[24:] += 9
    assert changed(AT, value, value[:15], value[24:]) is None
    value[24:] += 60
    assert changed(AT, value, value[:15], value[24:]) == 24.0


def test_what_falls_has_changed_as_well():
    """A hit rate."""
    value = np.concatenate([np.full(20, 0.95), np.full(22, 0.3)])
    assert changed(AT, value, value[:15], value[24:]) == 20.0


def test_a_series_that_leads_the_response_time_is_found_at_its_lag():
    """Requirement M5: the planted correlation, two seconds ahead; its sign is kept."""
    drive = np.random.default_rng(5).standard_normal(42).cumsum()
    times = np.concatenate([[drive[0]] * 2, drive[:-2]])
    for sign in (1, -1):
        follows, lag_s = correlate(made("x", "y", sign * drive[1:]), course(times - times.min() + 0.01))
        assert lag_s == 2.0
        assert follows * sign > 0.9


def test_independent_series_hardly_correlate():
    """Several lags are tried, and the strongest taken: what chance gives is taken off, so the median is near 0."""
    rng, found = np.random.default_rng(2), []
    for _ in range(200):
        follows, _ = correlate(made("x", "y", rng.standard_normal(41)), course(rng.lognormal(0, 0.3, 42)))
        found.append(abs(follows))
    assert np.median(found) < 0.1
    assert np.quantile(found, 0.95) < 0.35


def test_ranks_of_equal_values_are_shared():
    """As textbooks have it: (1, 2, 2, 4) beside (1, 2, 3, 4) is 0.9487."""
    assert spearman(np.array([1.0, 2, 2, 4]), np.array([1.0, 2, 3, 4])) == pytest.approx(0.9487, abs=1e-4)
    assert spearman(np.array([1.0, 1, 1]), np.array([1.0, 2, 3])) == 0.0
