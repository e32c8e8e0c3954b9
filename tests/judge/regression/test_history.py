"""Figures over many runs: where they changed for good. Requirement R3."""

import json

import numpy as np
import pytest

from resilience.judge.regression.history import History, trends


def series(*levels: tuple[int, float], spread: float = 0.05, seed: int = 1):
    """Runs at these levels: (how many, level)."""
    rng = np.random.default_rng(seed)
    return [level * float(np.exp(rng.normal(0, spread))) for count, level in levels for _ in range(count)]


def one(values, name="baseline read p95_ms"):
    """The trend of one figure."""
    return trends({name: values}, 0.2, 1)[0]


@pytest.mark.parametrize("seed", range(5))
def test_a_step_is_found_where_it_is(seed: int):
    """A quarter slower from run 20 on is a regression, and it is said since when."""
    found = one(series((20, 10.0), (10, 12.8), seed=seed))
    assert [point.index for point in found.points] in ([19], [20], [21])
    assert found.alert
    assert "worse since run" in found.because


def test_noise_is_no_change():
    """Of forty figures of thirty runs in which nothing changed, none is told."""
    found = trends({f"baseline op{index} p50_ms": series((30, 10.0), seed=index) for index in range(40)}, 0.2, 1)
    assert [trend.name for trend in found if trend.points] == []


def test_one_odd_run_is_one_odd_run():
    """A run five times as slow is not a change."""
    values = series((30, 10.0))
    values[15] *= 5
    assert one(values).points == ()


def test_a_regression_that_was_mended_raises_no_alert():
    """Both changes are told; the last is for the better."""
    found = one(series((15, 10.0), (12, 20.0), (15, 10.0)))
    assert len(found.points) == 2
    assert not found.alert
    assert found.because.startswith("better")


def test_fewer_answers_are_worse():
    """A rate that falls is a regression, one that rises is none."""
    assert one(series((15, 100.0), (15, 60.0)), "baseline read ok_per_s").alert
    assert not one(series((15, 60.0), (15, 100.0)), "baseline read ok_per_s").alert


def test_a_change_that_harms_nobody():
    """Five points of a hundred are certain here, and not worth telling."""
    assert one(series((20, 10.0), (20, 10.5), spread=0.005)).points == ()


def test_too_few_runs_are_said():
    """With seven runs nothing can be told."""
    assert "are needed" in one(series((7, 10.0))).because


def test_failures_out_of_nothing():
    """An error rate of nothing that becomes something is worse."""
    found = one([0.0] * 12 + [0.03 + index / 1000 for index in range(10)], "baseline read error_rate")
    assert found.alert


def test_as_json():
    """A history with its runs and what was told."""
    found = History("scene", 1, (("runs/a", "pass"),), (), (one(series((20, 10.0), (10, 14.0))),))
    document = json.loads(json.dumps(found.json()))
    assert document["alert"] is True
    assert document["trends"][0]["changes"][0]["share"] > 0.2
