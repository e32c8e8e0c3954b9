"""A worker on another host, which is a network namespace here: it sees no file of the run. Requirement L5."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from resilience.columns import Mark
from resilience.load.drivers.locust import check_account
from resilience.model import OUTCOMES
from resilience.record.ledger import read_ledger
from resilience.record.samples import read_samples

PROGRAM = Path(__file__).with_name("two_hosts.py")
ROOT = PROGRAM.parents[3]
IP = shutil.which("ip") or ""
MASTER, OTHER = "10.77.0.1", "10.77.0.2"


def _ip(*words: str) -> None:
    subprocess.run([IP, *words], check=True, capture_output=True)


@pytest.fixture
def hosts() -> Iterator[tuple[str, str]]:
    """Two network namespaces with a way between them, and no way anywhere else."""
    if os.geteuid() != 0 or not IP:
        pytest.skip("network namespaces need root and the program ip")
    here, there = (f"rsl-{side}-{os.getpid()}" for side in ("a", "b"))
    made = []
    try:
        for name in (here, there):
            if subprocess.run([IP, "netns", "add", name], check=False, capture_output=True).returncode:
                pytest.skip("network namespaces cannot be made here")
            made.append(name)
        _ip("link", "add", "v0", "netns", here, "type", "veth", "peer", "name", "v0", "netns", there)
        for name, address in ((here, MASTER), (there, OTHER)):
            _ip("-n", name, "addr", "add", f"{address}/24", "dev", "v0")
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", name, "link", "set", "v0", "up")
        yield here, there
    finally:
        for name in made:
            _ip("netns", "del", name)


def run(hosts: tuple[str, str], folder: Path, how: str) -> dict:
    """A run in which this happens to the worker there, and what came of it."""
    here, there = hosts
    argv = [IP, "netns", "exec", here, sys.executable, str(PROGRAM), MASTER, str(folder), there, how]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=110, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_its_samples_and_its_ledger_are_whole_in_the_record(hosts, tmp_path):
    """As if it had written them here: sealed, complete, and by the clock of the run."""
    said = run(hosts, tmp_path, "nothing")
    account = said["account"]
    check_account(account)
    samples, problems = read_samples(tmp_path)
    ledger = read_ledger(tmp_path)
    assert problems == ledger.problems == ()
    assert len(samples) == account["offered"] == account["ok"] == said["asked"]
    assert int(np.count_nonzero(ledger.mark == Mark.ACKNOWLEDGED)) == account["acknowledged"] > 20
    remote = [worker for worker in account["workers"] if worker["remote"]]
    assert [worker["name"] for worker in remote] == ["load-2"]
    assert remote[0]["ok"] > 50
    assert abs(remote[0]["offset_s"]) <= remote[0]["uncertainty_s"] < 0.5  # it is the same clock, which nobody told it
    assert said["code"] == 0


def test_a_worker_that_is_cut_off_is_lost_and_stops_by_itself(hosts, tmp_path):
    """What it had sent is there, what it may have sent is unknown, what it cannot have sent is dropped."""
    said = run(hosts, tmp_path, "cut")
    account = said["account"]
    check_account(account)
    samples, problems = read_samples(tmp_path)
    counted = Counter(OUTCOMES[code].value for code in samples.outcome.tolist())
    assert counted == {each.value: account[each.value] for each in OUTCOMES if account[each.value]}
    [lost] = [worker for worker in account["workers"] if worker["lost_at_s"] is not None]
    assert lost["name"] == "load-2"
    assert min(lost["ok"], lost["unknown"], lost["dropped"]) > 0
    assert [note for note in said["notes"] if "load-2" in note and "nothing was heard" in note]
    assert any("not sealed" in problem for problem in (*problems, *read_ledger(tmp_path).problems))
    assert account["ok"] <= said["asked"] <= account["ok"] + account["unknown"]
    assert said["code"] == 4  # it could not finish, and says so
