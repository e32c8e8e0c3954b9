"""The page of baselines tells figures with their intervals (Requirement M4)."""

from resilience.model import Baseline, Estimate, Measured
from resilience.report.performance.inputs import Inputs
from resilience.report.performance.pages import lacking, written
from tests.report.performance.scene import HEADER, row


def test_baselines_are_told_with_their_intervals():
    """An error of a time is one of its logarithm; a run that was too short for an interval says so."""
    long = {
        "p95_ms": Estimate(100.0, 0.1, 61),
        "ok_per_s": Estimate(50.0, 0.0, 61),
        "error_rate": Estimate(0.01, 0.01, 61),
    }
    run = Measured(run="aaaa1111", at=HEADER["wall_clock"], answer="pass", cells={"baseline": {"all": long}})
    short = Measured(
        run="bbbb2222",
        at="",
        answer="pass",
        unfit="busy",
        cells={"baseline": {"one": {"p95_ms": Estimate(1.0, 0.1, 3)}}},
    )
    inputs = Inputs(runs=(), baselines={"baselines/normal.json": Baseline(experiment="normal", runs=(run, short))})
    page = written(inputs)["baselines.md"]
    assert row(page, "baseline | all")[2:] == [
        "50 (50 to 50)",
        "–",
        "100 ms (81.9 ms to 122 ms)",
        "–",
        "1 % (0 % to 3 %)",
    ]
    assert "1 ms (too short for an interval)" in page
    assert "not fit to be compared (busy)" in page
    assert "`resilience compare baselines/normal.json runs/latest`" in page
    assert not [one for one in lacking(inputs) if "baselines" in one]
