"""The main job end to end, on real parts: load, Redis failing, a verdict, its exit code.

Requirements E1, J1, J3, J4.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from resilience.judge.verdict import judge
from resilience.model import Answer
from resilience.record.reader import read_record
from tests.healthy import Healthy
from tests.program import Program, left_of, own_block, short

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]


@pytest.mark.slow
def test_healthy_run_passes(healthy: Healthy):
    """The healthy target passes every part, and the exit code says so. Requirement E1."""
    assert healthy.done.code == 0, healthy.done.out + healthy.done.err
    verdict = healthy.json("verdict.json")
    assert verdict["answer"] == "pass"
    assert {part["name"]: part["answer"] for part in verdict["parts"]} == dict.fromkeys(
        ("writes", "degradation", "objectives", "recovery", "faults", "validity"), "pass"
    )
    assert verdict["because"] in " ".join(healthy.done.out.split()), "the sentence is shown to the user"


@pytest.mark.slow
def test_healthy_run_saw_what_it_claims(healthy: Healthy):
    """Nothing passes because nothing happened: faults were seen, reads degraded, the restart hurt, writes are there."""
    verdict = healthy.json("verdict.json")
    assert [fault["name"] for fault in verdict["faults"]] == ["redis-down", "redis-hung", "service-killed"]
    for fault in verdict["faults"]:
        assert fault["requested_s"] <= fault["confirmed_s"] < fault["reverted_s"] <= fault["clear_s"]
    phases = {(phase["name"], phase["fault"]): phase["operations"] for phase in verdict["phases"]}
    assert phases["fault", "redis-down"]["read-item"]["degraded"] > 100
    assert phases["fault", "service-killed"]["all"]["failed"] > 100
    assert phases["after", ""]["all"]["error_rate"] < 0.001
    writes = verdict["writes"]
    assert writes["acknowledged"] > 300
    assert writes["verified"] == writes["acknowledged"]
    assert 0.5 < verdict["recovery"]["mttr_s"] < 6.0
    assert len(verdict["recovery"]["cycles"]) == 3


@pytest.mark.slow
def test_nothing_is_left(healthy: Healthy):
    """No process, no folder, no debt and no file outside the folder of records."""
    assert healthy.left == ()
    assert list((healthy.program.state / "debts").iterdir()) == []
    assert {path.name for path in healthy.program.folder.iterdir()} == {"short.yaml", "runs", "chaostoolkit.log"}
    assert {path.name for path in healthy.program.runs.iterdir()} == {"latest", healthy.record.name}


@pytest.mark.slow
def test_no_secret_in_the_record(healthy: Healthy):
    """Passwords of the stack are in no byte of the record, no log, no command line and not in the debt book."""
    assert len(healthy.secrets) >= 3
    assert all(len(secret) > 20 for secret in healthy.secrets)
    assert b"resilience.load.process" in healthy.seen
    assert b"process.kill" in healthy.seen
    everything = [healthy.seen, healthy.done.out.encode(), healthy.done.err.encode()]
    files = [path for path in healthy.program.folder.rglob("*") if path.is_file()]
    everything += [path.read_bytes() for path in files]
    everything += [repr(pq.read_table(path).to_pydict()).encode() for path in files if path.suffix == ".parquet"]
    for secret in healthy.secrets:
        assert not any(secret.encode() in content for content in everything)


@pytest.mark.slow
def test_check_gives_the_same_answer(healthy: Healthy):
    """Judging the record again, from outside, is the same judgement to the letter, and changes nothing."""
    before = {path: path.stat().st_mtime_ns for path in healthy.record.rglob("*")}
    again = healthy.program.resilience("check", "runs/latest", "--json")
    assert again.code == 0
    assert again.out == (healthy.record / "verdict.json").read_text()
    assert {path: path.stat().st_mtime_ns for path in healthy.record.rglob("*")} == before


@pytest.mark.slow
def test_a_record_that_lost_something_does_not_pass(healthy: Healthy, tmp_path: Path):
    """One file of samples, the ledger or the truth missing: unknown, never pass."""
    parts = {name: min((healthy.record / name).iterdir()).relative_to(healthy.record) for name in ("samples", "writes")}
    parts["truth"] = Path("writes", "truth.json")
    for name, missing in parts.items():
        copy = tmp_path / name
        shutil.copytree(healthy.record, copy)
        (copy / missing).unlink()
        assert judge(read_record(copy)).answer is Answer.UNKNOWN, missing


@pytest.mark.slow
def test_report_is_made_again(healthy: Healthy, tmp_path: Path):
    """`resilience report` writes what was asked for, elsewhere; a format that is not known is refused (3)."""
    out = tmp_path / "reports"
    done = healthy.program.resilience("report", "runs/latest", "--format", "html,json", "--out", str(out))
    assert done.code == 0
    assert b"Redis fails, the service degrades gracefully" in (out / "report.html").read_bytes()
    verdict = json.loads((healthy.record / "verdict.json").read_text())
    made = json.loads((out / "report.json").read_text())
    assert {key: made[key] for key in verdict} == verdict
    refused = healthy.program.resilience("report", "runs/latest", "--format", "docx", "--out", str(out))
    assert refused.code == 3
    assert "docx" in refused.err


@pytest.mark.slow
def test_acknowledged_before_commit_is_a_loss(program: Program):
    """Planted bug B01: orders that were acknowledged and are not there fail the run, and that is said first. J4."""
    done = program.run(short("service-killed"), TARGET_BUGS="B01").done(120)
    verdict = verdict_of(program)
    assert done.code == 1, done.out + done.err
    assert verdict["answer"] == "fail"
    assert verdict["writes"]["lost"] > 0
    assert verdict["because"].startswith("writes")
    assert f"{verdict['writes']['lost']:,}" in verdict["because"]
    again = program.resilience("check", "runs/latest", "--json")
    assert again.code == 1
    assert json.loads(again.out) == verdict


@pytest.mark.slow
def test_no_timeout_is_no_graceful_degradation(program: Program):
    """Planted bug B19: a service that hangs with Redis fails by degradation and objectives, without a loss. J1."""
    done = program.run(short("redis-hung"), TARGET_BUGS="B19").done(120)
    verdict = verdict_of(program)
    assert done.code == 1, done.out + done.err
    assert verdict["writes"]["lost"] == 0
    failed = {part["name"] for part in verdict["parts"] if part["answer"] == "fail"}
    assert {"degradation", "objectives"} <= failed
    assert "writes" not in failed
    assert verdict["because"].startswith("degradation")


@pytest.mark.slow
def test_truth_that_cannot_be_read_is_unknown(program: Program):
    """Objectives, degradation and recovery pass, but nobody knows about the writes: unknown, exit 2. J4."""
    document = short("redis-down")
    truth = own_block(document)["ledger"]["truth"]
    truth["query"] = truth["query"].replace("FROM orders", "FROM no_such_table")
    started = program.run(document)
    started.until(lambda: "stack.embedded" in started.owed(), 30)
    owed = started.owed()
    done = started.done(120)
    assert done.code == 2, done.out + done.err
    verdict = verdict_of(program)
    assert verdict["answer"] == "unknown"
    assert "no_such_table" in verdict["because"]
    answers = {part["name"]: part["answer"] for part in verdict["parts"]}
    assert (answers["objectives"], answers["writes"]) == ("pass", "unknown")
    assert left_of(owed) == []


def verdict_of(program: Program) -> Any:
    """What the run of this folder was judged to be."""
    return json.loads((program.runs / "latest" / "verdict.json").read_bytes())
