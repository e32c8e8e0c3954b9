"""The page of results has the figures of verdicts, and of nothing else (Requirement M6)."""

import pytest

from resilience.report.performance.inputs import Inputs
from resilience.report.performance.pages import written
from tests.report.performance.scene import row, taken


def test_results_are_the_figures_of_the_verdict():
    """Rates are of ok operations over the phase's own length; the loaded phase also by operation; no warm-up."""
    page = written(Inputs(runs=(taken(),)))["results.md"]
    assert "short variant: 0.05 of its length" in page
    expected = "20 s", "all", "45", "10 %", "40 ms", "80 ms", "160 ms", "240 ms", "1.5"
    rows = [line for line in page.splitlines() if line.startswith("| after | ")]
    assert [cell.strip() for cell in rows[0].strip("|").split(" | ")] == ["after", *expected]
    assert [line.split(" | ")[2] for line in rows] == ["all", "list", "read"]
    assert row(page, "baseline")[1:5] == ["10 s", "all", "10", "0 %"]
    assert "warm-up" not in page
    assert "999" not in page
    assert "full service throughout" in page


def test_resources_that_are_near_a_limit_are_shown_and_the_others_counted():
    """The usual ones always."""
    page = written(Inputs(runs=(taken(),)))["results.md"]
    assert row(page, "`process.cpu`") == [
        "`process.cpu`",
        "service",
        "1.5 cores",
        "0.75 cores",
        "1.5 cores",
        "2 cores",
        "90 %",
    ]
    assert row(page, "`postgres.connections`")[2:] == ["42", "21", "42", "100", "42 %"]
    assert "redis.keys" not in page
    assert "3 series were read" in page
    none = written(Inputs(runs=(taken(resources={}),)))["results.md"]
    assert "**Missing:** no resource was read in after" in none


@pytest.mark.parametrize("answer", ["fail", "unknown"])
def test_a_run_that_did_not_pass_is_never_shown_as_if_it_had(answer):
    """Its answer stands before its figures, and that they are those of such a run."""
    pages = written(Inputs(runs=(taken(answer=answer),)))
    assert f"**{answer}**, all is well. These are the figures of a run that did not pass." in pages["results.md"]
    assert row(pages["README.md"], "`aaaa1111`")[-1] == answer
