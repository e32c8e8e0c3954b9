"""A whole record, read back."""

import json
from dataclasses import replace

import numpy as np
import pytest

from resilience.columns import Mark, Truth
from resilience.errors import RecordError
from resilience.model import Degradation, Dependency, EventKind
from resilience.record import truth as truths
from resilience.record.documents import digests, save_experiment, save_plan
from resilience.record.events import EventLog
from resilience.record.ledger import LedgerWriter
from resilience.record.reader import read_record
from resilience.record.readings import ReadingsWriter
from resilience.record.redact import Redactor
from resilience.record.samples import SampleWriter

ACCOUNT = {"offered": 4, "ok": 3, "failed": 1, "unknown": 0, "dropped": 0, "attempted": 2, "acknowledged": 1}


def write(folder, experiment, plan, clock, *, account=ACCOUNT, run=None, stack="compose"):
    """A run as its parts write it, all closed and sealed."""
    save_experiment(folder, experiment)
    save_plan(folder, plan)
    log = EventLog(folder / "events.jsonl", clock, header={"run": run or plan.run, "stack": stack})
    samples = SampleWriter(folder, "load", ("read",))
    for outcome in (0, 0, 0, 1):
        samples.add(0, 0, 1, 0, outcome)
    samples.close()
    ledger = LedgerWriter(folder / "writes" / "load.ledger", plan.run)
    ledger.note(Mark.ATTEMPTED, 0, 0, 0, 0)
    ledger.note(Mark.ACKNOWLEDGED, 0, 0, 0, 1)
    ledger.note(Mark.ATTEMPTED, 0, 0, 1, 2)
    ledger.close()
    if account is not None:
        log.emit(EventKind.LOAD, **account)
    one = np.array([0])
    truths.save(folder, Truth(one, one, one, one == 0, one, (), {"fsync": "on"}, 9))
    log.close()


@pytest.fixture
def run(tmp_path, experiment, plan, clock):
    """A complete record."""
    folder = tmp_path / "run"
    folder.mkdir()
    write(folder, experiment, plan, clock)
    return folder


def test_whole_record_reads_without_problem(run, experiment, plan):
    """What the parts of a run wrote comes back as one value."""
    record = read_record(run)
    assert record.problems == ()
    assert record.ledger.problems == ()
    assert (record.experiment, record.plan, record.stack, record.folder) == (experiment, plan, "compose", str(run))
    assert [event.kind for event in record.events] == [EventKind.HEADER, EventKind.LOAD, EventKind.FOOTER]
    assert (len(record.samples), len(record.ledger), len(record.truth)) == (4, 3, 1)
    assert record.truth.facts == {"fsync": "on"}


def test_what_was_planned_cannot_be_changed_afterwards(run, plan, clock):
    """One changed digit in the experiment or the plan is a problem of the record (Requirement J4)."""
    events = run / "events.jsonl"
    events.unlink()
    log = EventLog(events, clock, header={"run": plan.run, "stack": "compose", "documents": digests(run)})
    log.emit(EventKind.LOAD, **ACCOUNT)
    log.close()
    assert read_record(run).problems == ()
    for name, old, new in (("experiment.json", '"rate": 10', '"rate": 11'), ("plan.json", '"seed": 1', '"seed": 3')):
        path = run / name
        before = path.read_text()
        path.write_text(before.replace(old, new))
        assert path.read_text() != before
        assert f"{name} is not as it was when the run began" in read_record(run).problems
        path.write_text(before)


def test_link_reads_as_what_it_points_at(run):
    """`runs/latest` can be read; the record names the run itself."""
    link = run.parent / "latest"
    link.symlink_to(run.name)
    assert read_record(link).folder == str(run)


def test_readings_of_dependencies_are_read_in_the_order_of_the_file(run, experiment):
    """Requirement J1: one that is not there is a problem of its own, and of nothing else."""
    asked = Degradation(dependencies=(Dependency(name="one", part="redis"), Dependency(name="two", part="postgres")))
    save_experiment(run, replace(experiment, degradation=asked))
    writer = ReadingsWriter(run, "two", "transactions", Redactor())
    writer.add(5, 7.0, "a")
    writer.close()
    record = read_record(run)
    assert [(one.name, len(one), len(one.problems)) for one in record.readings] == [("one", 0, 1), ("two", 1, 0)]
    assert record.problems == ()


def without(name):
    return lambda run: (run / name).unlink()


DAMAGE = {
    "events": (without("events.jsonl"), "the event log cannot be read"),
    "samples": (without("samples/load-00000.parquet"), "samples/load-00000.parquet is missing"),
    "samples' seal": (without("samples/_load.sealed.json"), "are not sealed"),
    "truth": (without("writes/truth.parquet"), "the truth about writes"),
    "truth's facts": (without("writes/truth.json"), "truth.json"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE.keys())
def test_missing_part_is_a_problem(run, damage, message):
    """Whatever is missing, the rest is read and the record says so: the verdict can then only be unknown or fail."""
    damage(run)
    record = read_record(run)
    assert message in " ".join(record.problems)
    assert record.experiment.title == "Redis fails"


def test_missing_ledger_is_a_problem(run):
    """A ledger file that is gone is a problem of the ledger, and the counts do not agree either."""
    (run / "writes" / "load.ledger").unlink()
    record = read_record(run)
    assert "there is no write ledger" in record.ledger.problems[0]
    assert "the load generator counted 2 attempted, the record has 0" in record.problems


def test_samples_that_vanished_with_their_seal_are_noticed(run):
    """Whole files removed with their seal leave no trace in the folder; the generator's own account tells."""
    (run / "samples" / "load-00000.parquet").unlink()
    (run / "samples" / "_load.sealed.json").unlink()
    assert "the load generator counted 4 offered, the record has 0" in read_record(run).problems


@pytest.mark.parametrize("name", ACCOUNT)
def test_counts_that_disagree_are_a_problem(tmp_path, experiment, plan, clock, name):
    """Offered, each outcome, attempted, acknowledged: each must be what the generator counted (Requirement L3)."""
    write(tmp_path, experiment, plan, clock, account={**ACCOUNT, name: 77})
    assert read_record(tmp_path).problems == (f"the load generator counted 77 {name}, the record has {ACCOUNT[name]}",)


def test_missing_account_is_a_problem(tmp_path, experiment, plan, clock):
    """Without the generator's account nobody knows whether samples are missing."""
    write(tmp_path, experiment, plan, clock, account=None)
    assert "own account is missing" in " ".join(read_record(tmp_path).problems)


def test_events_of_another_run_are_a_problem(tmp_path, experiment, plan, clock):
    """Parts of different runs in one folder are not taken for one run."""
    write(tmp_path, experiment, plan, clock, run="ffffffff")
    assert read_record(tmp_path).problems == ("events are of run 'ffffffff', plan.json is of run '0badcafe'",)


def test_stack_is_the_experiments_if_the_header_does_not_say(tmp_path, experiment, plan, clock):
    """The header knows better, the experiment knows at least what was asked for."""
    write(tmp_path, experiment, plan, clock, stack=None)
    assert read_record(tmp_path).stack == "embedded"


def test_experiment_without_ledger_needs_none(tmp_path, experiment, plan, clock):
    """Who promises nothing about writes is not asked for a ledger or a truth."""
    write(tmp_path, replace(experiment, ledger=None), plan, clock)
    record = read_record(tmp_path)
    assert (record.ledger, record.truth, record.problems) == (None, None, ())


def test_run_in_progress_is_read_without_complaint(tmp_path, experiment, plan, clock):
    """The baseline is judged while the run goes on: no footer, no seal, no truth, no account yet, no problem."""
    save_experiment(tmp_path, experiment)
    save_plan(tmp_path, plan)
    log = EventLog(tmp_path / "events.jsonl", clock, header={"run": plan.run})
    samples = SampleWriter(tmp_path, "load", ("read",))
    samples.add(0, 0, 1, 0, 0)
    samples.flush()
    ledger = LedgerWriter(tmp_path / "writes" / "load.ledger", plan.run)
    ledger.note(Mark.ATTEMPTED, 0, 0, 0, 0)
    record = read_record(tmp_path, finished=False)
    assert record.problems + record.ledger.problems == ()
    assert (len(record.samples), len(record.ledger), record.truth) == (1, 1, None)
    unfinished = read_record(tmp_path)
    assert len(unfinished.problems) == 4
    assert len(unfinished.ledger.problems) == 1
    log.close()
    ledger.close()


@pytest.mark.parametrize("names", [["experiment.json"], ["plan.json"], ["experiment.json", "plan.json"]])
def test_folder_that_is_no_run_is_an_error(run, names):
    """Without experiment or plan there is nothing to judge; every missing file is named."""
    for name in names:
        (run / name).unlink()
    with pytest.raises(RecordError) as caught:
        read_record(run)
    assert [problem.where for problem in caught.value.problems] == [str(run / name) for name in names]


def test_nothing_at_all_is_an_error(tmp_path):
    """A path that is not there is one error with both files, not a traceback."""
    with pytest.raises(RecordError, match="is this the folder of a run"):
        read_record(tmp_path / "nowhere")


def test_every_damaged_file_is_survived(run):
    """Any one file replaced by nonsense costs that file and gives a problem, never an exception (Requirement J4)."""
    names = [path.relative_to(run) for path in run.rglob("*") if path.is_file()]
    assert len(names) == 8
    for name in names:
        whole = (run / name).read_bytes()
        for content in (b"", b"nonsense", whole[: len(whole) // 2], json.dumps({"a": [1]}).encode()):
            (run / name).write_bytes(content)
            if name.name in {"experiment.json", "plan.json"}:
                with pytest.raises(RecordError):
                    read_record(run)
            else:
                record = read_record(run)
                assert record.problems + record.ledger.problems, name
        (run / name).write_bytes(whole)
