"""`resilience report` as its user calls it."""

import json

import pytest
from click.testing import CliRunner

from resilience.cli_report import FILES, report
from resilience.errors import SpecError
from resilience.record.documents import save_experiment, save_plan
from resilience.record.events import EventLog
from resilience.record.samples import SampleWriter


class Told:
    """A clock that says what it is told."""

    at_s = 0.0

    def now_s(self):
        """The time."""
        return self.at_s

    def sleep_until(self, at_s):
        """Be there."""
        self.at_s = at_s


@pytest.fixture
def run(make, tmp_path):
    """A run folder: the record of the other tests, cut to its first seconds."""
    record, folder = make.record(), tmp_path / "20310203T040506Z-run"
    folder.mkdir()
    save_experiment(folder, record.experiment)
    save_plan(folder, record.plan)
    clock = Told()
    log = EventLog(folder / "events.jsonl", clock, header={"run": record.plan.run, "stack": "embedded"})
    for event in record.events[1:]:
        clock.at_s = event.at_s
        log.emit(event.kind, event.name, **event.detail)
    log.close()
    writer = SampleWriter(folder, "load", record.samples.operations)
    for at_ns in range(0, 5 * 10**9, 10**7):
        writer.add(at_ns, at_ns, at_ns + 10**6, 0, 0, 200)
    writer.close()
    return folder


def called(*words):
    """What came of it: the lines that it printed."""
    done = CliRunner().invoke(report, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()


def test_formats_beside_the_record(run):
    """Each under its name in the run's own folder, or where it is told."""
    formats = [name for name in FILES if name != "pdf"]  # that one is tested by itself
    assert called(run, "--format", ",".join(formats)) == [str(run / FILES[name]) for name in formats]
    assert json.loads((run / "report.json").read_text())["answer"] == "unknown"
    assert (run / "report.html").read_text().startswith("<!doctype html>")
    assert (run / "report.md").read_text().startswith("## ❔ UNKNOWN")
    assert len((run / "report.csv").read_text().splitlines()) == 501


def test_several_runs_are_one_report(run, tmp_path):
    """One file for all, in a folder that must be named."""
    out = tmp_path / "new" / "suite"
    called(run, run, "--format", "html,csv,junit", "--out", out)
    page = (out / "report.html").read_text()
    assert page.count("<article") == 2
    assert page.count('id="run-2-recovery"') == 1
    assert len((out / "report.csv").read_text().splitlines()) == 1001


def test_a_part_of_a_run(run):
    """Range, phase, operation and columns of an export."""
    called(run, "--format", "csv", "--from", "1", "--to", "2", "--phase", "warm-up", "--columns", "arrival_s,phase")
    lines = (run / "report.csv").read_text().splitlines()
    assert (lines[0], len(lines)) == ("arrival_s,phase", 101)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--format", "html,docx"], "'docx' is not one of html, pdf, md, csv, json, junit"),
        (["--from", "1"], "no format that is asked for can be of a part"),
        (["--columns", "phase"], "has columns"),
        (["--format", "csv", "--operation", "reed"], "'reed' is not one of place-order, read-item, read-order"),
    ],
)
def test_wrong_words_are_refused(run, words, said):
    """With the value and what was expected; nothing is written."""
    before = sorted(run.iterdir())
    with pytest.raises(SpecError, match=said):
        called(run, *words)
    assert sorted(run.iterdir()) == before


def test_what_is_no_run(tmp_path, run):
    """A folder without a record, and several runs without a folder to write to."""
    with pytest.raises(SpecError, match="not the folder of a run"):
        called(tmp_path / "nothing")
    with pytest.raises(SpecError, match="--out"):
        called(run, run)
