"""The detector of anomalies: what it flags, what it does not, and how often it is wrong."""

import numpy as np
import pytest

from resilience.judge.anomaly import LEAST_READINGS, Usual, Watch, anomalies_of

TEN_MINUTES = 600


def noise(kind, rng, count):
    """Readings around 0 that vary by about 1."""
    if kind == "normal":
        return rng.standard_normal(count)
    if kind == "heavy tails":
        return rng.standard_t(3, count)
    if kind == "skewed":
        return rng.exponential(1, count)
    values, off = rng.standard_normal(count), 0.0
    for index, value in enumerate(values.tolist()):
        off = 0.5 * off + value * np.sqrt(0.75)
        values[index] = off
    return values


def flagged(kind, rng, baseline):
    """Whether anything is flagged in ten minutes of the same noise as in the baseline."""
    values = noise(kind, rng, baseline + TEN_MINUTES)
    usual = Usual.of(values[:baseline], 1e-6)
    return bool(anomalies_of(np.arange(TEN_MINUTES, dtype=float), values[baseline:], usual))


@pytest.mark.parametrize(
    ("kind", "most"), [("normal", 0.01), ("heavy tails", 0.02), ("skewed", 0.05), ("autocorrelated", 0.05)]
)
def test_noise_is_seldom_flagged(kind, most):
    """Requirement M4: a healthy run is left alone; the rates that the module states, simulated.

    400 runs with a baseline of 15 readings: as many alarms as that share allows, and what chance adds to it (99 %).
    """
    rng = np.random.default_rng(7)
    alarms = sum(flagged(kind, rng, 15) for _ in range(400))
    assert alarms <= 400 * most + 2.4 * np.sqrt(400 * most * (1 - most))


@pytest.mark.parametrize(
    ("kind", "least"), [("normal", 97), ("heavy tails", 97), ("skewed", 97), ("autocorrelated", 90)]
)
def test_a_change_that_matters_is_found_within_seconds(kind, least):
    """Requirement M4: a level twenty times the noise away is flagged within five readings.

    After a short baseline that wandered by itself somewhat less often: what it leaves open is much.
    """
    rng, found = np.random.default_rng(3), 0
    for _ in range(100):
        values = noise(kind, rng, 15 + 60)
        values[15 + 20 :] += 20
        told = anomalies_of(np.arange(60.0), values[15:], Usual.of(values[:15], 1e-6))
        found += any(20 <= one.flagged_s <= 25 and one.more for one in told)
    assert found >= least


def test_one_reading_alone_is_no_anomaly():
    """However far off: a pause of a collector or of a garbage collector is not a change."""
    values = np.zeros(50)
    values[::9] = 1000.0
    assert anomalies_of(np.arange(50.0), values, Usual(0.0, 1.0)) == ()


def test_what_is_less_than_usual_is_an_anomaly_as_well():
    """It is told that it is less, since when, and when it was over."""
    values = np.concatenate([np.full(10, 100.0), np.full(10, 20.0), np.full(10, 100.0)])
    (found,) = anomalies_of(np.arange(30.0), values, Usual(100.0, 5.0))
    assert (found.start_s, found.seen, found.more) == (10.0, 20.0, False)
    assert found.flagged_s == 13.0
    assert found.end_s == 22.0


def test_an_anomaly_that_lasts_is_told_as_such():
    """The run ended before it did."""
    (found,) = anomalies_of(np.arange(10.0), np.full(10, 9.0), Usual(0.0, 1.0))
    assert found.end_s is None


def test_a_baseline_that_never_varied_has_a_spread_all_the_same():
    """No errors in the baseline do not make the first error an anomaly: `least` says what matters."""
    usual = Usual.of(np.zeros(20), 0.02)
    assert anomalies_of(np.arange(20.0), np.full(20, 0.03), usual) == ()
    assert len(anomalies_of(np.arange(20.0), np.full(20, 0.5), usual)) == 1


def test_too_short_a_baseline_tells_nothing():
    """Readings that are missing do not count."""
    assert Usual.of(np.zeros(LEAST_READINGS - 1), 1.0) is None
    assert Usual.of(np.full(30, np.nan), 1.0) is None


def test_what_is_no_number_says_nothing():
    """A second without a request has no response time."""
    watch = Watch(Usual(0.0, 1.0))
    assert [watch.reading(float(at_s), float("nan")) for at_s in range(20)] == [None] * 20
