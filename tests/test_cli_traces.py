"""`resilience traces` as its user calls it: Requirement M3."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from resilience.cli import main
from resilience.judge.quantiles import NS
from resilience.record.documents import save_experiment, save_plan
from resilience.record.events import EventLog
from resilience.record.samples import SampleWriter
from tests.judge.builder import NAMES, Scene
from tests.report.test_command import Told
from tests.report.test_spans import receiver

TRACE = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"


def written(folder: Path, *, traced: bool) -> Path:
    """A run folder with a handful of operations, two of them with a trace if it is wanted."""
    made = Scene(faults=(), end_s=20.0).record()
    folder.mkdir()
    save_experiment(folder, made.experiment)
    save_plan(folder, made.plan)
    clock = Told()
    log = EventLog(
        folder / "events.jsonl",
        clock,
        header={"run": made.plan.run, "stack": "embedded", "wall_clock": "2026-01-01T00:00:00+00:00"},
    )
    for event in made.events[1:-1]:
        clock.at_s = event.at_s
        log.emit(event.kind, event.name, **event.detail)
    log.close()
    samples = SampleWriter(folder, "load", NAMES, said=("trace",) if traced else ())
    for number, trace in enumerate((TRACE, "", TRACE.replace("0af", "1af"), "")):
        begin = number * NS
        samples.add(begin, begin, begin + (number + 1) * NS // 100, 0, 0, 200, said=("", trace))
    samples.close()
    return folder


def asked(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["traces", *words])
    return done.exit_code, done.output


def test_the_slowest_are_printed_and_told_as_json(tmp_path):
    """The slowest first, as many as are asked for."""
    folder = str(written(tmp_path / "run", traced=True))
    code, output = asked(folder, "--json")
    told = json.loads(output)
    assert code == 0
    assert told["sent"] is None
    assert [one["response_s"] for one in told["slowest"]] == [0.03, 0.01]
    assert told["slowest"][1]["trace"] == TRACE.partition("-")[0]
    assert len(json.loads(asked(folder, "--most", "1", "--json")[1])["slowest"]) == 1
    assert TRACE[:12] in asked(folder)[1]


def test_a_run_without_traces_says_how_to_have_some(tmp_path):
    """No table of nothing."""
    code, output = asked(str(written(tmp_path / "run", traced=False)))
    assert code == 0
    assert "tracing: {share: 0.01}" in output


def test_a_run_is_sent_to_a_collector(tmp_path):
    """The run, its phases and the two operations; how many is told."""
    pytest.importorskip("opentelemetry.sdk", reason="needs the extra 'tracing'")
    folder = str(written(tmp_path / "run", traced=True))
    with receiver() as (url, taken):
        code, output = asked(folder, "--to", url)
    assert code == 0
    spans = [
        span for *_, request in taken for one in request.resource_spans for two in one.scope_spans for span in two.spans
    ]
    assert f"{len(spans)} spans were sent to {url}" in output
    assert {span.trace_id.hex() for span in spans if span.name == "read-item"} == {
        TRACE.partition("-")[0],
        TRACE.replace("0af", "1af").partition("-")[0],
    }


def test_what_is_no_run_is_refused(tmp_path):
    """A folder without events."""
    code, output = asked(str(tmp_path))
    assert code == 3
    assert "not the folder of a run" in output
