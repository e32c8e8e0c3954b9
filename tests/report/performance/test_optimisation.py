"""The page of an optimisation claims what its figures say (Requirement M6)."""

import pytest

from resilience.report.performance.inputs import Inputs
from resilience.report.performance.pages import written
from tests.report.performance.scene import HEADER, row, taken


@pytest.mark.parametrize(
    ("ok", "p95", "said"),
    [
        (1000, 39.0, "p95 was halved and throughput doubled, or better, of all operations together."),
        (1000, 41.0, "p95 was halved and throughput doubled, or better, of no operation."),
        (990, 39.0, "p95 was halved and throughput doubled, or better, of no operation."),
    ],
)
def test_an_optimisation_is_told_by_both_of_its_figures(ok, p95, said):
    """Only if p95 is at most half and throughput at least twice what they were; with the limit that was found."""
    header = {**HEADER, "versions": {**HEADER["versions"], "target": "slow variant: no-cache"}}
    found = {
        "answer": "found",
        "because": "the database was busy",
        "windows": [{"ranked": [{"recommendation": "add an index"}]}],
    }
    before = taken("leafing", "before01", ok=500, p95=80.0, bottlenecks=found, header=header)
    after = taken("leafing", "after001", ok=ok, p95=p95)
    compared = {
        "answer": "better",
        "because": "quicker",
        "before": [{"run": "before01"}],
        "after": [{"run": "after001"}],
    }
    inputs = Inputs(runs=(), before=before, after=after, compared=compared)
    page = written(inputs)["optimisation.md"]
    assert said in page
    assert row(page, "all") == [
        "all",
        "25",
        f"{ok / 20:g}",
        f"{ok / 500:.3g}",
        "80 ms",
        f"{p95:g} ms",
        f"{p95 / 80:.3g}",
        *row(page, "all")[7:],
    ]
    assert "slow variant: no-cache" in page
    assert "the database was busy" in page
    assert "* add an index" in page
    assert "**better**: quicker" in page
    assert [one.run for one in inputs.all] == ["after001", "before01"]


def test_an_optimisation_that_cannot_be_told_is_no_success():
    """Nothing was ok before: no ratio, and no claim."""
    before, after = taken("leafing", "before01", ok=0), taken("leafing", "after001")
    page = written(Inputs(runs=(), before=before, after=after))["optimisation.md"]
    assert "throughput cannot be compared" in page
    assert "or better, of no operation" in page
    assert "**Missing:** the two were not compared" in page
