"""Confidence sequences hold at every instant at once."""

import numpy as np
import pytest

from resilience.judge.sequential import confidence_sequence


def test_the_truth_is_always_inside():
    """Looked at after every one of 1500 observations: in at most a twentieth of 300 draws is the truth ever outside.

    An ordinary 95 % interval that is looked at as often loses it in most draws.
    """
    rng = np.random.default_rng(1)
    outside = fooled = 0
    number = np.arange(1, 1501)
    for _ in range(300):
        values = rng.choice([-1.0, 0.0, 1.0], size=1500, p=[0.1, 0.8, 0.1])
        found = confidence_sequence(values, 0.05, -1.0, 1.0)
        outside += bool(((found.low > 0) | (found.high < 0)).any())
        fooled += bool((np.abs(found.mean) > 1.96 * np.sqrt(0.2 / number))[20:].any())
    assert outside <= 15
    assert fooled > 60


def test_a_difference_is_found_and_stays_found():
    """Bounds only become tighter, and a difference of 20 points is shown within a few hundred observations."""
    rng = np.random.default_rng(2)
    values = rng.choice([0.0, 1.0], size=2000, p=[0.8, 0.2])
    found = confidence_sequence(values, 0.05, -1.0, 1.0)
    assert (np.diff(found.low) >= 0).all()
    assert (np.diff(found.high) <= 0).all()
    assert int(np.argmax(found.low > 0)) < 400
    assert found.low[-1] < 0.2 < found.high[-1]
    assert found.mean[-1] == pytest.approx(values.mean())


def test_values_that_never_differ():
    """A thousand pairs without any difference bound it to about a point of a hundred."""
    found = confidence_sequence(np.zeros(1000), 0.05, -1.0, 1.0)
    assert -0.015 < found.low[-1] < 0 < found.high[-1] < 0.015


def test_nothing_observed():
    """No observation, no bounds."""
    assert len(confidence_sequence(np.zeros(0), 0.05).low) == 0
