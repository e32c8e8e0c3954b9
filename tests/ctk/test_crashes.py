"""Whatever becomes of the runner, its terminal, its disk or its memory: the target is given back, and nothing passes.

Requirement F7. What is killed or stopped by a plain signal stands in `test_stopped.py`.
"""

import contextlib
import os
import pty
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from resilience.host import cgroups, processes
from resilience.model import OUTCOMES, Outcome
from resilience.record.reader import read_record
from tests.program import CHAOS, Program, Started, own_block
from tests.scene import Scene, assert_interrupted, assert_nothing_left, doomed, during_fault, soon, verdict_of

pytestmark = [pytest.mark.stack, pytest.mark.slow]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: mounts a file system or makes a control group")


def held_longer(fault: str = "redis-down", duration: str = "20s", **safety: Any) -> dict[str, Any]:
    """A run whose fault would be held for long, with these limits."""
    document = doomed(fault)
    document["method"][0]["provider"]["arguments"]["duration"] = duration
    own = own_block(document)
    own["safety"] = safety
    own["load"] |= {"rate": 100, "warm_up": "2s", "baseline": "8s"}  # gets there on a busy machine, too
    return document


def confirmed(started: Started) -> Scene:
    """The run, holding its fault."""
    started.until(lambda: next((one for one in started.events() if one["kind"] == "fault-confirmed"), None), 60.0)
    return Scene.of(started)


def at_of(started: Started, kind: str) -> float:
    """When an event came, seconds since the run began."""
    event = started.event(kind)
    assert event is not None, f"no {kind}: {started.said()}"
    return float(event["at_s"])


# -------------------------------------------------------------------------------------------------- abort conditions


def first_breach_s(folder: Path, operation: str, limit: float, window_s: float) -> float:
    """The end of the first window in which the share of operations that were not ok is above the limit, by samples."""
    samples = read_record(folder).samples
    mine = samples.operation == list(samples.operations).index(operation)
    end_s, bad = samples.end_ns[mine] / 1e9, samples.outcome[mine] != OUTCOMES.index(Outcome.OK)
    order = np.argsort(end_s)
    end_s, bad = end_s[order], np.cumsum(bad[order])
    for index, at_s in enumerate(end_s):
        before = np.searchsorted(end_s, at_s - window_s)
        failed = bad[index] - (bad[before - 1] if before else 0)
        if at_s >= window_s and failed / (index + 1 - before) > limit:
            return float(at_s)
    raise AssertionError("no window was above the limit")


def test_abort_condition(program: Program):
    """From the first window that breaches to seen reverted in less than two seconds; told why, kept, no pass."""
    condition = {"expression": "rate>0.5 for 1s", "operation": "place-order"}
    document = held_longer(abort=[condition])
    document["method"][0]["provider"]["arguments"]["part"] = "postgres"
    started = program.run(document)
    scene = confirmed(started)
    done = started.done(90)
    assert done.code == 1, "what was seen broken before stays broken: " + done.out + done.err
    assert started.event("interrupted")["detail"]["reason"].startswith(
        "abort condition met: rate>0.5 for 1s of place-order (is "
    )
    kinds = [one["kind"] for one in started.events() if one["kind"].startswith(("interrupted", "fault-"))]
    assert kinds == ["fault-requested", "fault-confirmed", "interrupted", "fault-reverting", "fault-clear"]
    breach_s = first_breach_s(started.record, "place-order", 0.5, 1.0)
    clear_s = at_of(started, "fault-clear")
    assert 0 < clear_s - breach_s < 2.0, f"breached at {breach_s:.3f} s, clear at {clear_s:.3f} s"
    assert_nothing_left(scene)


def test_heartbeat(program: Program):
    """A target that no longer answers, without a fault on it, ends the run within its time and two seconds."""
    started = program.run(held_longer(heartbeat="2s"))
    scene = confirmed(started)
    service = scene.places["service"].identity
    assert service is not None
    stopped = time.monotonic()
    processes.send(service, signal.SIGSTOP)
    try:
        soon(lambda: started.event("fault-clear") is not None, 8.0)
        assert time.monotonic() - stopped > 1.5
    finally:
        processes.send(service, signal.SIGCONT)
    assert_interrupted(started, "the target has not answered", scene)


# ------------------------------------------------------------------------------------------------------- by hand


def test_abort_says_when_it_is_over(program: Program):
    """`resilience abort` returns once nothing is in place; asked again, it says that the run is over."""
    started = program.run(held_longer())
    scene = confirmed(started)
    done = program.resilience("abort")
    assert done.code == 0, done.out + done.err
    assert "was stopped; nothing is in place any more" in done.out
    assert scene.healed()
    assert started.event("fault-clear") is not None
    assert_interrupted(started, "an abort was asked for", scene)
    assert "is over" in program.resilience("abort").out


def test_abort_on_a_kept_stack(program: Program):
    """The same where the stack stays: nothing is in place on it afterwards, and it is well."""
    document = held_longer()
    assert program.resilience("up", "--file", program.write(document)).code == 0
    try:
        started = program.run(document)
        started.until_event("fault-confirmed", "redis-down")
        done = program.resilience("abort", str(started.record))
        assert done.code == 0, done.out + done.err
        assert started.event("fault-clear", "redis-down") is not None
        assert started.done(60).code in {1, 2}
        assert program.resilience("status").code == 0
        assert program.resilience("debts").code == 0
    finally:
        program.resilience("down")


# ------------------------------------------------------------------------------------------------------- the terminal


class OnTerminal(Started):
    """A program on a terminal of its own, which can be closed."""

    def __init__(self, words: tuple[str, ...], program: Program) -> None:
        self.folder, self.state = program.folder, program.state
        self._text = b""
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            (str(shutil.which("setsid")), "--ctty", *words),
            cwd=program.folder,
            env=program.env | {"TERM": "xterm"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while piece := os.read(self._ours, 65536):
                self._text += piece

    def said(self) -> str:
        """What it showed."""
        return self._text.decode(errors="replace")

    def close(self) -> None:
        """The terminal goes: its session gets SIGHUP, and nothing can be shown any more."""
        os.close(self._ours)


def test_terminal_lost(program: Program):
    """The window is closed in the middle of a fault: given back, the record kept and judged unknown, nothing left."""
    started = OnTerminal((*CHAOS, "run", program.write(held_longer())), program)
    program.watch(started)
    scene = confirmed(started)
    started.close()
    soon(scene.healed, 3.0)
    code = started.process.wait(60)
    answer = verdict_of(started)["answer"]
    assert answer != "pass"
    assert code == {"fail": 1, "unknown": 2}[answer], started.said()
    assert "SIGHUP" in started.event("interrupted")["detail"]["reason"]
    assert (started.record / "report.html").is_file()
    assert_nothing_left(scene)


# ---------------------------------------------------------------------------------------------------- stopped, killed


def test_runner_stopped_for_longer_than_its_lease(program: Program):
    """SIGSTOP: the reaper gives back when it has not heard of the runner for too long; going on, that does not pass."""
    started = during_fault(program, "redis-hung")
    scene = Scene.of(started)
    started.process.send_signal(signal.SIGSTOP)
    try:
        soon(scene.healed, 9.0)
    finally:
        started.process.send_signal(signal.SIGCONT)
    done = started.done(90)
    assert done.code != 0, done.out + done.err
    assert verdict_of(started)["answer"] != "pass"
    assert_nothing_left(scene)


def test_reaper_killed_first_and_then_the_runner(program: Program):
    """Nobody is left to act: what is owed is listed (5), a run is refused (5), and `reap` gives it all back (0)."""
    started = during_fault(program, "redis-hung")
    scene = Scene.of(started)
    started.process.send_signal(signal.SIGSTOP)
    os.kill(scene.reaper.pid, signal.SIGKILL)
    started.process.kill()
    started.process.wait()
    assert not scene.healed()
    assert program.resilience("debts").code == 5
    assert program.resilience("abort").code == 5
    refused = program.chaos("run", program.write(doomed("redis-hung")))
    assert refused.code == 5, refused.err
    assert "--settle" in refused.err
    assert not scene.healed(), "nothing was settled unasked"
    done = program.resilience("reap")
    assert done.code == 0, done.out + done.err
    assert "redis-hung" in done.out
    assert scene.healed()
    assert_nothing_left(scene)


def test_toxiproxy_dies_with_a_toxic(program: Program):
    """A server that dies takes its toxics along: nothing is owed, and a fault that went away early is no pass."""
    document = held_longer(duration="6s")
    document["method"][0]["provider"]["arguments"] |= {
        "kind": "toxiproxy.latency",
        "settings": {"latency_ms": 300},
    }
    started = program.run(document)
    scene = confirmed(started)
    server = scene.places["toxiproxy"].identity
    assert server is not None
    assert processes.send(server, signal.SIGKILL)
    done = started.done(90)
    assert done.code in {1, 2}, done.out + done.err
    verdict = verdict_of(started)
    assert verdict["answer"] != "pass"
    faults = next(part for part in verdict["parts"] if part["name"] == "faults")
    assert faults["answer"] == "unknown", faults
    assert_nothing_left(scene)


# ------------------------------------------------------------------------------------------------- disk and memory


@pytest.fixture
def small_disk(program: Program) -> Iterator[Path]:
    """The folder of runs is a small file system of its own."""
    program.runs.mkdir()
    mount = shutil.which("mount"), shutil.which("umount")
    subprocess.run([mount[0], "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(program.runs)], check=True, timeout=10)
    yield program.runs
    program.end()
    subprocess.run([mount[1], "--lazy", str(program.runs)], check=True, timeout=10)


def fill(folder: Path, leave_bytes: int) -> None:
    """Write until so much is left."""
    with (folder / "full").open("wb") as file, contextlib.suppress(OSError):
        while (free := os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize) > leave_bytes:
            file.write(b"x" * min(65536, free - leave_bytes))
            file.flush()


@needs_root
def test_disk_nearly_full(program: Program, small_disk: Path):
    """The run stops while it can still say so: given back, recorded, judged, exit 2."""
    started = program.run(held_longer(min_free_disk="8MB"))
    scene = confirmed(started)
    fill(small_disk, 6_000_000)
    soon(scene.healed, 4.0)
    assert_interrupted(started, "safety.min_free_disk is 8 MB", scene)


@needs_root
def test_disk_full(program: Program, small_disk: Path):
    """Not a byte is left for the record: given back all the same, nothing is left, and it does not pass."""
    started = program.run(held_longer(min_free_disk="8MB"))
    scene = confirmed(started)
    fill(small_disk, 0)
    soon(scene.healed, 4.0)
    done = started.done(90)
    assert done.code not in {0, 3, 4}, done.out + done.err
    assert_nothing_left(scene)


def test_runner_cannot_write(program: Program):
    """The runner's own files cannot grow any more, its book of debts neither: the reaper closes what it cannot."""
    started = program.run(held_longer(duration="4s"))
    scene = confirmed(started)
    resource.prlimit(started.process.pid, resource.RLIMIT_FSIZE, (1, 1))
    done = started.done(90)
    assert done.code not in {0, 3, 4}, done.out + done.err
    assert scene.healed()
    assert_nothing_left(scene)


BALLAST = """
import sys
sys.stdin.readline()
held = []
while True:
    held.append(bytearray(1 << 20))
    held[-1][::4096] = b"x" * 256
"""


@needs_root
@pytest.mark.skipif(cgroups.find_tree("memory") is None, reason="needs a control group tree with the memory controller")
def test_machine_short_of_memory(program: Program):
    """The kernel picks the runner to be killed for want of memory: within a second nothing is in place."""
    started = program.run(held_longer())
    scene = confirmed(started)
    tree = cgroups.find_tree("memory")
    group = tree.mount / f"tests-{os.getpid()}-{time.monotonic_ns()}"
    group.mkdir()
    ballast = subprocess.Popen([sys.executable, "-c", BALLAST], stdin=subprocess.PIPE)
    try:
        limits = ("memory.limit_in_bytes",) if tree.version == 1 else ("memory.max", "memory.swap.max")
        for name in limits:
            (group / name).write_text("0" if name == "memory.swap.max" else "100000000")
        for process in (ballast, started.process):
            (group / "cgroup.procs").write_text(str(process.pid))
        Path(f"/proc/{started.process.pid}/oom_score_adj").write_text("1000")
        ballast.stdin.write(b"go\n")
        ballast.stdin.flush()
        assert started.process.wait(30) == -signal.SIGKILL
        soon(scene.healed, 1.5)
    finally:
        ballast.kill()
        ballast.communicate()
        with contextlib.suppress(OSError):
            group.rmdir()
    assert_nothing_left(scene)
    assert not (started.record / "verdict.json").exists()
    assert program.resilience("debts").code == 0
