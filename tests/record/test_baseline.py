"""Baselines as files: small, canonical, read back as they were, refused where they are not."""

import json
from dataclasses import replace

import pytest

from resilience.errors import RecordError
from resilience.model import Baseline, Estimate, Measured
from resilience.model.regression import Outage
from resilience.record.baseline import as_text, load_baseline, save_baseline

RUN = Measured(
    run="0badcafe",
    at="2026-01-01T00:00:00+00:00",
    answer="pass",
    conditions={"load.rate": 100.0, "experiment": "scene"},
    cells={"baseline": {"read": {"p50_ms": Estimate(12.34, 0.0123, 30), "error_rate": Estimate(0.0, 0.001, 30)}}},
    recoveries={"redis-down": (Outage(5.5, 0.1), Outage(30.0, -1.0))},
    counts={"writes.lost": 0.0},
)
BASELINE = Baseline(experiment="scene", runs=(RUN, replace(RUN, run="0badbabe")))


def test_it_is_read_back_as_it_was(tmp_path):
    """Nothing that comparing needs is lost."""
    path = tmp_path / "scene.json"
    save_baseline(path, BASELINE)
    assert load_baseline(path) == BASELINE


def test_the_same_runs_give_the_same_bytes():
    """Keys in order, figures with four digits, one line for each figure: a change is a change of a line."""
    exact = replace(RUN, cells={"baseline": {"read": {"p50_ms": Estimate(12.340001, 0.01230001, 30)}}})
    rough = replace(RUN, cells={"baseline": {"read": {"p50_ms": Estimate(12.34, 0.0123, 30)}}})
    assert as_text(Baseline(experiment="s", runs=(exact,))) == as_text(Baseline(experiment="s", runs=(rough,)))
    text = as_text(BASELINE)
    assert '"p50_ms": {"error": 0.0123, "slices": 30, "value": 12.34}' in text
    assert list(json.loads(text)) == sorted(json.loads(text))
    slower = replace(
        RUN, cells={"baseline": {"read": {**RUN.cells["baseline"]["read"], "p50_ms": Estimate(15.0, 0.01, 30)}}}
    )
    other = as_text(replace(BASELINE, runs=(slower, BASELINE.runs[1])))
    assert len(set(text.splitlines()) ^ set(other.splitlines())) <= 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "cannot be read"),
        ("[]", "no baseline of format"),
        ('{"format": 2}', "no baseline of format"),
        ('{"format": 1, "experiment": "scene", "runs": []}', "holds no run"),
        ('{"format": 1, "experiment": "scene", "runs": [{"run": 5}]}', "run"),
    ],
)
def test_what_is_no_baseline_is_refused(tmp_path, content, said):
    """With the place and what was expected, never half read."""
    path = tmp_path / "scene.json"
    path.write_text(content)
    with pytest.raises(RecordError) as refused:
        load_baseline(path)
    assert said in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_file_that_is_not_there(tmp_path):
    """It is said how to write one."""
    with pytest.raises(RecordError, match="resilience baseline"):
        load_baseline(tmp_path / "none.json")
