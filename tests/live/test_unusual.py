"""While a run lasts: figures that leave their baseline are told, and no others."""

import numpy as np

from resilience.live.unusual import Watching
from resilience.model import PhaseName


def watched(p95s, errors, baseline=15, warm_up=0):
    """Seconds of a run: a warm-up, a baseline, then the rest."""
    watching = Watching()
    for second, (p95_ms, share) in enumerate(zip(p95s, errors, strict=True)):
        phase = PhaseName.WARM_UP if second < warm_up else PhaseName.BASELINE
        phase = phase if second < warm_up + baseline else PhaseName.FAULT
        watching.second(float(second), phase, p95_ms, share)
    return watching.now


def test_a_run_as_ever_has_nothing_unusual():
    """Requirement M4: noise is none."""
    rng = np.random.default_rng(3)
    assert watched(20 * rng.lognormal(0, 0.1, 120), np.zeros(120)) == ()


def test_response_times_that_rise_are_told_with_what_is_usual():
    """Requirement M4: within some seconds, in ms; and the errors that come with them."""
    p95s = np.concatenate([np.full(15, 20.0), np.full(8, 400.0)])
    found = watched(p95s, np.concatenate([np.zeros(15), np.full(8, 0.5)]))
    assert [(one.figure, one.seen, one.usual, one.more) for one in found] == [
        ("p95", "400 ms", "20 ms", True),
        ("errors", "50 %", "0 %", True),
    ]
    assert found[0].since_s == 15.0


def test_what_is_over_is_told_no_more():
    """As in the baseline for three seconds."""
    p95s = np.concatenate([np.full(15, 20.0), np.full(8, 400.0), np.full(5, 20.0)])
    assert watched(p95s, np.zeros(28)) == ()


def test_without_a_baseline_or_figures_nothing_is_told():
    """A run that has just begun; seconds in which nothing ended; a second that comes twice."""
    assert watched([400.0] * 10, [0.0] * 10, baseline=3) == ()
    assert watched([None] * 40, [None] * 40) == ()
    assert watched([20.0] * 20 + [400.0] * 3, [0.0] * 23, baseline=0, warm_up=20) == ()
