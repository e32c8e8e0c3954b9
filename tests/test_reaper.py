"""Whatever becomes of the runner, its faults are put back: on real servers, with real signals (Requirement F7)."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from resilience import reaper
from resilience.faults import registry
from resilience.host import processes
from resilience.model import Launch, Undo
from resilience.runtime import debts
from resilience.runtime.debts import DebtBook
from tests.faults.parts import SETTINGS, Parts, eventually, fault_on, parts

Start = Callable[..., "Runner"]


class Runner:
    """The process that is killed, see `resilience.drill.runner`."""

    def __init__(self, state: Path, running: Parts, kinds: str, moment: str, duration_s: float = 30.0) -> None:
        faults = [
            {"name": f"fault-{number}", "kind": kind, "on": "redis", "settings": SETTINGS[kind]}
            for number, kind in enumerate(kinds.split(","))
        ]
        orders = {"state": str(state), "stack": running.place.state, "faults": faults, "moment": moment}
        words = json.dumps({**orders, "duration_s": duration_s, "dwell_s": 0.5})
        argv = [sys.executable, "-m", "resilience.drill.runner", words]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        self.moment = moment
        self.lines: list[str] = []

    def until(self, word: str) -> str:
        """Read on until a line begins with the word; that line."""
        for line in self.process.stdout:
            self.lines.append(line.strip())
            if line.startswith(word):
                return line.strip()
        raise AssertionError(f"ended before {word!r}: {self.lines}")

    def reaper(self) -> int:
        """The reaper's process number."""
        return int(self.until("reaper").split()[1])

    def died(self) -> None:
        """SIGKILL at its moment."""
        self.until(f"at {self.moment}")
        self.process.kill()
        self.lines += self.process.communicate(timeout=30)[0].splitlines()
        assert self.process.returncode == -signal.SIGKILL, self.lines


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Parts]:
    with parts(tmp_path_factory.mktemp("parts")) as started:
        yield started


@pytest.fixture
def start(tmp_path: Path, running: Parts) -> Iterator[Start]:
    started = []

    def begin(kinds: str, moment: str, duration_s: float = 30.0) -> Runner:
        assert running.healthy()
        runner = Runner(tmp_path, running, kinds, moment, duration_s)
        started.append(runner)
        return runner

    yield begin
    for runner in started:
        runner.process.kill()
        runner.process.communicate()


def gone(running: Parts, state: Path) -> bool:
    """Nothing is left at the target, and nothing is owed."""
    return running.healthy() and not debts.outstanding(state)


@pytest.mark.stack
@pytest.mark.parametrize("kind", sorted(SETTINGS))
def test_runner_killed_while_it_holds(start: Start, running: Parts, tmp_path: Path, kind: str):
    """SIGKILL in the middle of any kind of fault: gone within a second, nothing owed, no book left."""
    runner = start(kind, "never")
    runner.until("holding")
    assert not running.healthy()
    runner.process.kill()
    assert eventually(lambda: gone(running, tmp_path)) < 1.0
    eventually(lambda: not list((tmp_path / "debts").glob("*.jsonl")))


@pytest.mark.stack
@pytest.mark.parametrize("moment", ["requested", "inject", "injected", "confirmed", "reverting", "reverted", "clear"])
@pytest.mark.parametrize("kind", ["toxiproxy.timeout", "process.kill"])
def test_runner_killed_at_any_step(start: Start, running: Parts, tmp_path: Path, kind: str, moment: str):
    """SIGKILL at each line of the lease: gone within a second, and never two instances of what was restarted."""
    runner = start(kind, moment)
    runner.died()
    assert eventually(lambda: gone(running, tmp_path)) < 1.0
    eventually(lambda: processes.alive(running.recorded()))
    assert processes.listener(running.place.port, str(running.folder)) == running.recorded()


@pytest.mark.stack
def test_runner_killed_with_faults_inside_each_other(start: Start, running: Parts, tmp_path: Path):
    """Nested faults are put back together, the latest first."""
    runner = start("toxiproxy.latency,toxiproxy.timeout,process.kill", "confirmed")
    runner.died()
    assert eventually(lambda: gone(running, tmp_path)) < 1.0


@pytest.mark.stack
def test_whole_process_group_killed(start: Start, running: Parts, tmp_path: Path):
    """The reaper is in a session of its own: what takes the runner's group does not take it; nor does SIGTERM."""
    runner = start("toxiproxy.down", "never")
    number = runner.reaper()
    runner.until("holding")
    assert os.getsid(number) == number != os.getsid(runner.process.pid)
    for deaf in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(number, deaf)
    runner.process.kill()
    assert eventually(lambda: gone(running, tmp_path)) < 1.0


@pytest.mark.stack
def test_runner_stopped(start: Start, running: Parts, tmp_path: Path):
    """A runner that is stopped cannot hold a fault beyond its lease; and when it goes on, it says that it did not."""
    runner = start("process.pause", "never", 0.9)  # the lease: 2 × 1 + 0.9 + 0.2 s
    runner.until("holding")
    runner.process.send_signal(signal.SIGSTOP)
    assert eventually(lambda: gone(running, tmp_path)) < 3.5
    runner.process.send_signal(signal.SIGCONT)
    assert "the reaper ended the lease" in runner.until("FaultError")
    assert any(line.startswith("fault-problem") for line in runner.lines)


@pytest.mark.stack
def test_reaper_killed_is_noticed(start: Start, running: Parts, tmp_path: Path):
    """Without a reaper the run does not go on: within a second it is interrupted and gives back what it holds."""
    runner = start("toxiproxy.down", "never")
    number = runner.reaper()
    runner.until("holding")
    os.kill(number, signal.SIGKILL)
    assert eventually(lambda: gone(running, tmp_path)) < 1.0
    assert "the reaper is gone" in runner.until("Interrupted")


@pytest.mark.stack
@pytest.mark.parametrize("kind", ["toxiproxy.latency", "process.kill"])
def test_reaper_killed_as_well(start: Start, running: Parts, tmp_path: Path, kind: str):
    """With runner and reaper gone the debt is on disk, and the next command settles it."""
    runner = start(kind, "never")
    number = runner.reaper()
    runner.until("holding")
    refused = reaper.settle_all(tmp_path)
    assert [page.run for page in refused.refused] == ["abcdef01"], "a running run's debts are left alone"
    assert not running.healthy()
    runner.process.send_signal(signal.SIGSTOP)
    os.kill(number, signal.SIGKILL)
    runner.process.kill()
    runner.process.wait()
    assert [problem.where for problem in reaper.list_debts(tmp_path)] == ["fault-0"]
    report = reaper.settle_all(tmp_path)
    assert report.settled == ("fault-0 of run abcdef01",)
    assert not report.problems
    assert running.healthy()
    assert reaper.list_debts(tmp_path) == ()


@pytest.mark.stack
def test_one_that_cannot_be_settled_does_not_stop_the_rest(running: Parts, tmp_path: Path):
    """A debt of an unknown kind, the latest, stays owed with its reason; the one before it is settled."""
    book = DebtBook.create(tmp_path, "r1")
    fault = fault_on("toxiproxy.down", running.place)
    undo = fault.prepare()
    book.owe("down", undo)
    fault.inject(undo)
    book.owe("odd", Undo(kind="nobody.knows", data={}))
    problems = reaper.settle(book, book.owed())
    assert [problem.where for problem in problems] == ["odd"]
    assert running.healthy()
    assert [debt.fault for debt in book.owed()] == ["odd"]
    assert "no kind of fault" in reaper.list_debts(tmp_path)[0].message


def test_ends_the_load_it_is_told_of(tmp_path: Path):
    """A `load.process` debt ends every process with the tag, and no other."""
    tag = f"tests-{os.getpid()}-{time.monotonic_ns()}"
    sleeper = (sys.executable, "-c", "import time; time.sleep(60)")
    kinds = {"ours": tag, "theirs": f"{tag}-other"}
    started = {
        name: processes.start(
            Launch(
                name=name, argv=sleeper, environment={}, folder=str(tmp_path), log=str(tmp_path / "log"), tag=its_tag
            )
        )
        for name, its_tag in kinds.items()
    }
    try:
        with DebtBook.create(tmp_path, "r2") as book:
            book.owe("load", Undo(kind="load.process", data={"tag": tag}))
            assert reaper.settle(book, book.owed()) == ()
        assert not processes.alive(started["ours"])
        assert processes.alive(started["theirs"])
    finally:
        processes.end(list(started.values()))


def test_every_kind_of_fault_can_be_loaded():
    """What the reaper loads before it says ready is everything that can be owed."""
    assert all(registry.find(name).name == name for name in registry.KINDS)
