"""Runs as pages take them: read from their folders, ordered, each once."""

import json

from resilience.report.performance.inputs import Inputs, in_order, take
from resilience.report.performance.pages import written
from tests.report.performance.scene import CAPACITY, HEADER, document, taken


def test_the_same_runs_in_any_order_give_the_same_bytes():
    """Ordered by when they began, each once."""
    later = {**HEADER, "wall_clock": "2026-01-02T04:00:00.000+00:00"}
    runs = [taken("peak", "bbbb2222", header=later), taken(), taken()]
    first, second = (written(Inputs(runs=in_order(each))) for each in (runs, runs[::-1]))
    assert first == second
    assert [one.run for one in in_order(runs)] == ["aaaa1111", "bbbb2222"]


def test_a_run_is_read_from_its_folder(tmp_path):
    """Verdict, header and, where there is one, the result of a capacity run."""
    (tmp_path / "verdict.json").write_text(json.dumps(document()))
    (tmp_path / "events.jsonl").write_text(json.dumps({"kind": "header", "detail": HEADER}) + "\n" + "{}\n")
    (tmp_path / "experiment.json").write_text(json.dumps({"stack": {"service": {"environment": {"A": "1"}}}}))
    assert take(tmp_path).settings == {"A": "1"}
    assert take(tmp_path).at == "2026-01-02 03:04:05"
    assert take(tmp_path).capacity == {}
    (tmp_path / "capacity.json").write_text(json.dumps(CAPACITY))
    assert take(tmp_path).capacity == CAPACITY
