"""JSON: the verdict as it is, and the run over time."""

import json

import numpy as np
import pytest

from resilience.errors import SpecError
from resilience.report.documents import render
from resilience.report.material import Material
from resilience.report.selection import Selection


def made(runs, **wanted):
    """The document."""
    return json.loads(render(runs, Selection(**wanted)))


def test_the_verdict_is_unchanged_and_the_series_account_for_all(record, verdict):
    """Requirement R1: every key of `verdict.json` with its value; bins that add up to all samples."""
    document = made([Material(record, verdict)])
    want = json.loads(json.dumps(verdict.document))
    assert {key: document[key] for key in want} == want
    series = document["series"]
    assert sum(series["offered"]) == len(record.samples)
    assert len(series["at_s"]) == len(series["p99_ms"]) == 69
    assert sum(cell[2] for cell in series["heat"]["cells"]) == np.count_nonzero(record.samples.outcome != 3)
    assert document["gaps"]


def test_only_what_is_wanted(record, verdict):
    """A stretch cuts the series, operations and phases thin it out; what was judged stays as it was."""
    whole = made([Material(record, verdict)])
    cut = made([Material(record, verdict)], from_s=19.0, to_s=27.0)
    assert cut["series"]["at_s"] == [float(second) for second in range(19, 27)]
    assert cut["series"]["offered"] == whole["series"]["offered"][19:27]
    assert {cell[0] for cell in cut["series"]["heat"]["cells"]} == set(range(8))
    one = made([Material(record, verdict)], operations=("place-order",), phases=("fault",))
    of_it = (record.samples.operation == 2).sum()
    assert 0 < sum(one["series"]["offered"]) < of_it
    assert one["series"]["offered"][5] == 0
    assert one["phases"] == cut["phases"] == whole["phases"]


def test_names_that_no_run_has_are_refused(record, verdict):
    """As with every export."""
    with pytest.raises(SpecError, match="'nope' is not one of"):
        made([Material(record, verdict)], operations=("nope",))


def test_several_runs_and_hostile_texts(record, verdict, make):
    """A list of documents; whatever the texts hold, it is JSON."""
    document = made([Material(record, verdict), Material(*make.hostile())])
    assert [run["answer"] for run in document["runs"]] == ["pass", "fail"]
