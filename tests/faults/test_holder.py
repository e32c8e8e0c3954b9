"""What holds a fault runs by itself, is found by its name, and ends: told to, with its starter, or with its lease."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from resilience.errors import FaultError
from resilience.faults import holder
from resilience.host import processes
from resilience.model import Identity
from tests.faults.parts import eventually

SLEEPER = "tests.faults.sleeper"

Start = Callable[..., tuple[str, Identity]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a holder and waits until it holds."""
    names: list[str] = []

    def begin(lease_s: float = 60.0, **told) -> tuple[str, Identity]:
        name = holder.new_name()
        names.append(name)
        begun = tmp_path / name
        process = holder.start(name, SLEEPER, {"begun": str(begun), **told}, lease_s=lease_s)
        eventually(lambda: begun.exists() or not processes.alive(process), 10.0)
        return name, process

    yield begin
    for name in names:
        processes.end(processes.tagged(name), patience_s=0.1)


def test_it_is_found_by_its_name_and_ended(start: Start):
    """Whoever knows the name finds it and ends it, twice if need be; others of its kind stay (Requirement F7)."""
    name, process = start()
    other, stays = start()
    assert holder.holding(name) == (process,)
    holder.end(name)
    assert not processes.alive(process)
    assert holder.holding(name) == ()
    holder.end(name)
    assert holder.holding(other) == (stays,)


def test_another_process_ends_it(start: Start):
    """The name is all that the reaper has."""
    name, process = start()
    code = "import sys; from resilience.faults import holder; holder.end(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, name], check=True, timeout=30)
    eventually(lambda: not processes.alive(process))


def test_one_that_does_not_listen_is_ended_all_the_same(start: Start):
    """A holder that ignores SIGTERM, or is stopped, is killed."""
    name, process = start(deaf=True)
    processes.send(process, signal.SIGSTOP)
    holder.end(name)
    assert not processes.alive(process)


def test_it_ends_with_its_lease(start: Start):
    """Should everybody forget it, the kernel ends it when its time is over."""
    _, process = start(lease_s=0.3, deaf=True)
    eventually(lambda: not processes.alive(process), 10.0)


def test_a_lease_of_nothing_is_over_at_once(start: Start):
    """An alarm after no time would be none."""
    _, process = start(lease_s=0.0)
    eventually(lambda: not processes.alive(process), 10.0)


STARTER = """
import sys, time
from resilience.faults import holder
holder.start(sys.argv[1], "tests.faults.sleeper", {"begun": sys.argv[2]}, lease_s=60.0)
time.sleep(60)
"""


@pytest.mark.parametrize("early", [False, True])
def test_it_ends_with_its_starter(tmp_path: Path, early: bool):
    """A starter that is killed takes it along, without anybody's doing, also before it holds (Requirement F7)."""
    name, begun = holder.new_name(), tmp_path / "begun"
    starter = subprocess.Popen([sys.executable, "-c", STARTER, name, str(begun)], cwd=Path(__file__).parents[2])
    try:
        eventually(lambda: bool(holder.holding(name)) and (early or begun.exists()), 20.0)
    finally:
        starter.kill()
        starter.wait()
    try:
        eventually(lambda: not holder.holding(name), 10.0)
    finally:
        processes.end(processes.tagged(name), patience_s=0.1)


def test_signals_that_the_starter_ignores_end_it(start: Start):
    """A runner that ignores SIGTERM, or blocks the alarm, starts holders that do neither."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    try:
        _, listens = start()
        _, ends = start(lease_s=0.3)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGTERM, before)
    processes.send(listens, signal.SIGTERM)
    eventually(lambda: not processes.alive(listens))
    eventually(lambda: not processes.alive(ends), 10.0)


def test_it_goes_first_when_memory_is_short(start: Start):
    """The kernel is to end what bends the target before the target."""
    _, process = start()
    own = int(Path(f"/proc/{os.getpid()}/oom_score_adj").read_text())
    assert int(Path(f"/proc/{process.pid}/oom_score_adj").read_text()) == 500 > own


def test_what_it_is_told_cannot_rename_it(start: Start):
    """Its name, lease and starter are the framework's: orders of the same names do not count."""
    name, process = start(name="somebody")
    words = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
    assert json.loads(words[-2])["name"] == name


def test_one_that_cannot_be_started_is_a_fault_error(monkeypatch: pytest.MonkeyPatch):
    """No interpreter: the fault failed, and says so."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(FaultError, match="cannot be started"):
        holder.start(holder.new_name(), SLEEPER, {}, lease_s=1.0)
