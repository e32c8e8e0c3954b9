"""The pages together: what is missing is told, the same inputs give the same bytes (Requirement M6)."""

import copy

from resilience.report.performance.inputs import Inputs, Taken
from resilience.report.performance.pages import PAGES, lacking, written
from tests.report.performance.scene import SEARCH, document, taken


def test_without_anything_every_page_says_what_is_missing():
    """Nothing is left out silently: four scenarios, baselines, two searches, capacity, optimisation."""
    pages = written(Inputs(runs=()))
    assert list(pages) == ["README.md", *PAGES]
    assert len(lacking(Inputs(runs=()))) == 9
    assert all("**Missing:**" in page for page in pages.values())
    assert all(f"* {one}" in pages["README.md"] for one in lacking(Inputs(runs=())))
    assert pages["results.md"].count("**Missing:** no run of it was given") == 4


def test_nothing_that_names_a_machine_and_no_markup_of_others():
    """Cores and memory, not the processor; a title is only text."""
    hostile = taken(title="<script>alert(1)</script> | [x](http://evil) @all")
    text = "".join(written(Inputs(runs=(hostile,))).values())
    assert "Secret 9000" not in text
    assert "2 cores, 24 GiB of memory, Linux" in text
    assert "<script>" not in text
    assert "http://evil" not in text
    assert " @all" not in text


def test_what_is_missing_in_a_verdict_is_absent_and_no_error():
    """Whatever key is gone."""
    whole = document(search=SEARCH, capacity={"copies": 1})
    for key in whole:
        cut = copy.deepcopy(whole)
        del cut[key]
        run = Taken(cut, {}, {})
        assert written(Inputs(runs=(run,), before=run, after=run))
