"""Who carries the load of an experiment here, and whole runs of several, one of them killed. Requirements L5, L11."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from resilience.cli import main
from resilience.ctk import workers as module
from resilience.ctk.run import load_file
from resilience.ctk.workers import TOKEN, Staff, gathering_of, staff_of
from resilience.errors import LoadError
from resilience.load.drivers.calibration import Calibration
from resilience.model import Experiment, Workers
from tests.program import ROOT, Program, words_of

FILE = ROOT / "experiments" / "load" / "distributed.yaml"
OPEN = ROOT / "experiments" / "load" / "step.yaml"


@pytest.fixture
def machine(monkeypatch):
    """A machine of four cores, each good for 1000 operations per second; and how often it was measured."""
    asked = []

    def measured() -> Calibration:
        asked.append(None)
        return Calibration(
            per_worker_s=1000.0, cores=4, lag_p50_s=0.0, lag_p99_s=0.001, offered_per_s=4000.0, machine="x", at=0.0
        )

    monkeypatch.setattr(module, "calibration", measured)
    return asked


def experiment(rate: float, workers: Workers) -> Experiment:
    """The shipped one with another rate and other workers."""
    told = load_file(FILE)
    return replace(told, load=replace(told.load, rate=rate, workers=workers))


@pytest.mark.parametrize(
    ("rate", "workers", "local", "measured", "warned"),
    [
        (250.0, Workers(), 1, 0, False),
        (650.0, Workers(), 1, 0, False),
        (1300.0, Workers(), 2, 1, False),
        (2700.0, Workers(), 4, 1, False),
        (9000.0, Workers(), 4, 1, True),
        (9000.0, Workers(local=2), 2, 1, True),
        (1900.0, Workers(local=2), 2, 0, False),
        (9000.0, Workers(remote=9, listen="h:1"), 1, 0, False),
        (12000.0, Workers(remote=9, listen="h:1"), 4, 1, False),
        (30000.0, Workers(remote=9, listen="h:1"), 4, 1, True),
        (1300.0, Workers(remote=3, listen="h:1"), 1, 0, False),
        (9000.0, Workers(local=0, remote=1, listen="h:1"), 0, 1, False),
    ],
)
def test_as_many_as_the_rate_needs_and_a_warning_if_that_is_too_much(machine, rate, workers, local, measured, warned):
    """Little is never measured; what the file says is done; more than can be offered is told, with both figures."""
    staff = staff_of(experiment(rate, workers))
    assert (staff.local, len(machine), bool(staff.warning)) == (local, measured, warned)
    assert staff.document["peak_per_s"] == rate
    assert staff.document["per_worker_s"] == (1000.0 if measured else None)
    if warned:
        share = rate * local / (local + workers.remote)
        assert f"{share:,.0f} operations/s" in staff.warning
        assert f"{1000 * local:,.0f}" in staff.warning


def test_a_machine_that_cannot_be_measured_is_no_reason_not_to_run(monkeypatch):
    """It is told."""

    def broken() -> Calibration:
        raise LoadError("no echo")

    monkeypatch.setattr(module, "calibration", broken)
    staff = staff_of(experiment(5000.0, Workers(local=2)))
    assert "no echo" in staff.warning
    assert staff.local == 2


def test_a_script_brings_its_own_workers():
    """What k6 or Artillery do is theirs."""
    assert staff_of(load_file(ROOT / "experiments" / "load" / "k6-script.yaml")) is None


def test_workers_of_other_hosts_are_told_how_to_join(capsys, monkeypatch):
    """The command with the token, once, to the person; the token is new each time, unless the environment names it."""
    told = experiment(250.0, Workers(local=1, remote=2, wait_s=7.0, listen="10.0.0.1:5557"))
    staff = staff_of(told)
    first, second = gathering_of(told, staff), gathering_of(told, staff)
    said = capsys.readouterr().err
    assert f"{TOKEN}={first.token} resilience worker --connect 10.0.0.1:5557" in said
    assert first.token != second.token
    assert (first.local, first.remote, first.wait_s, first.listen) == (1, 2, 7.0, "10.0.0.1:5557")
    assert first.token not in repr(first)
    monkeypatch.setenv(TOKEN, "mine")
    assert gathering_of(told, staff).token == "mine"


def test_one_process_needs_nobody_to_gather():
    """A load that one process carries is as it always was."""
    alone = Staff(local=1, remote=0, auto=True, peak_per_s=1.0, measured=None)
    assert gathering_of(load_file(FILE), alone) is None


def test_the_plan_says_who_carries_the_load():
    """For people and for programs."""
    told = json.loads(CliRunner().invoke(main, ["plan", str(FILE), "--json"]).output)["workers"]
    assert (told["local"], told["remote"], told["auto"], told["warning"]) == (2, 0, False, "")
    shown = CliRunner().invoke(main, ["plan", str(FILE)]).output
    assert "the load is carried by 2 processes of this machine" in " ".join(shown.split())


def short(program: Program) -> dict:
    """The shipped experiment with two workers, in half a minute."""
    path = program.folder / "distributed.json"
    done = CliRunner().invoke(main, ["shorten", str(FILE), "--times", "0.12", "--out", str(path)])
    assert done.exit_code == 0, done.output
    document = json.loads(path.read_bytes())
    own = document["extensions"][0]
    own["stack"]["service"]["environment"] = {"PYTHONPATH": str(ROOT)}  # the variant is outside the checkout
    own["objectives"] = [one for one in own["objectives"] if not str(one).startswith("p(")]  # the machine may be busy
    own["recovery"] |= {"latency_floor": "1s", "hold": "2s"}
    return document


@pytest.mark.stack
@pytest.mark.parametrize("killed", [False, True], ids=["all there", "one killed"])
def test_a_whole_run_with_two_workers(program: Program, killed: bool):
    """It passes; with a worker killed over the fault it does not, and the verdict says what is missing."""
    started = program.run(short(program))
    if killed:
        started.until_event("fault-confirmed")
        worker = next(one for one in started.load() if b"--local" in words_of(one))
        os.kill(worker.pid, signal.SIGKILL)
    code = started.done(120).code
    verdict = json.loads((started.record / "verdict.json").read_bytes())
    rows = verdict["load"]["workers"]
    assert [row["name"] for row in rows] == ["load-1", "load-2"]
    [header] = [event for event in started.events() if event["kind"] == "header"]
    assert header["detail"]["workers"]["local"] == 2
    [account] = [event["detail"] for event in started.events() if event["kind"] == "load"]
    assert account["offered"] == account["ok"] + account["failed"] + account["unknown"] + account["dropped"]
    assert account["offered"] == verdict["load"]["offered"]
    if not killed:
        assert (code, verdict["answer"]) == (0, "pass"), verdict["because"]
        assert all(row["ok"] > 300 for row in rows)
        return
    assert (code, verdict["answer"]) == (2, "unknown"), verdict["because"]
    [lost] = [row for row in rows if row["lost_at_s"] is not None]
    assert lost["name"] in verdict["because"]
    assert min(lost["unknown"], lost["dropped"]) > 0
    problem = started.event("problem", "load")
    assert problem is not None
    assert "its process ended with code -9" in problem["detail"]["message"]
    assert not Path(f"/proc/{worker.pid}").exists()
