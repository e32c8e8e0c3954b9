"""The part *regression* of a verdict. Requirements M4, E7."""

import json
from dataclasses import replace

import pytest

from resilience.judge.regression.part import baseline_of, measured_of
from resilience.judge.verdict import judge
from resilience.model import Answer, Regression
from tests.judge.builder import honest

FEW = Regression(floor_s=0.0)
LONG = honest(rate=400.0)


def measured(scene):
    """What is measured of a scene."""
    verdict = judge(scene.record())
    return measured_of(scene.case(), verdict.parts, verdict.document)


@pytest.fixture(scope="module")
def baseline():
    """Three healthy runs."""
    return baseline_of("scene", [replace(measured(LONG.but(seed=seed)), run=str(seed)) for seed in (11, 12, 13)])


def told(scene, baseline, settings=FEW):
    """The verdict of a scene that is compared with a baseline."""
    record = scene.record()
    return judge(replace(record, baseline=baseline, experiment=replace(record.experiment, regression=settings)))


def part(verdict):
    """Its part."""
    return next((part for part in verdict.parts if part.name == "regression"), None)


def test_without_a_baseline_there_is_no_such_part():
    """Old files and old records are judged as before."""
    verdict = judge(LONG.record())
    assert part(verdict) is None
    assert "regression" not in verdict.document


def test_a_run_as_before_passes(baseline):
    """And says how much of it could be told."""
    found = part(told(LONG.but(seed=14), baseline))
    assert found.answer is Answer.PASS, found.because
    assert "shown to be the same" in found.because


def test_slower_by_more_than_the_margin_fails(baseline):
    """Requirement E7: twice as slow, which no objective of the file forbids, fails."""
    verdict = told(LONG.but(seed=14, latency_s=0.010), baseline)
    assert part(verdict).answer is verdict.answer is Answer.FAIL
    assert "p50 of read-item" in part(verdict).because
    json.dumps(verdict.document["regression"])


def test_slower_within_the_margin_does_not_fail(baseline):
    """Twice as slow, with a margin of 150 %."""
    found = part(told(LONG.but(seed=14, latency_s=0.010), baseline, replace(FEW, margin=1.5)))
    assert found.answer is not Answer.FAIL


def test_a_baseline_that_should_be_there_and_is_not():
    """The file names one: without it nothing is known."""
    found = part(told(LONG, None, Regression(baseline="baselines/scene.json")))
    assert found.answer is Answer.UNKNOWN


def test_a_run_that_was_not_fit_cannot_fail_for_it(baseline):
    """The record itself is not whole: what it measured is compared with nothing."""
    found = part(told(LONG.but(seed=14, latency_s=0.010, problems=("a file is missing",)), baseline))
    assert found.answer is Answer.UNKNOWN
    assert "not fit" in found.because


def test_what_is_measured(baseline):
    """Operations of the phases without recovery; outages by what was written; counts of the whole run."""
    run = baseline.runs[0]
    assert set(run.cells) == {"baseline", "fault(redis-down)"}
    assert set(run.cells["baseline"]) == {"read-item", "read-order", "place-order"}
    assert list(run.recoveries) == ["toxiproxy.down on redis"]
    assert run.counts["writes.lost"] == 0
    assert run.unfit == ""
