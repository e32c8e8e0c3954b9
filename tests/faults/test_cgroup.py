"""What a part may use: what the limit leaves is measured from inside the part, not asked of the group."""

import os
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from resilience.errors import FaultError
from resilience.faults import registry
from resilience.host import cgroups, processes
from resilience.model import FaultSpec, Identity, Json, Launch, Place
from resilience.ports import Fault
from tests.faults.parts import eventually, held
from tests.faults.reasons import without

pytestmark = pytest.mark.stack


def needs(controller: str) -> None:
    """Skip, by name, where this machine cannot."""
    if reason := without(controller)():
        pytest.skip(f"needs a control group that can be written: {reason}")


@dataclass(frozen=True)
class Worker:
    """A part that is one small program; it says what it measures in a file, one figure a line."""

    place: Place
    root: Identity
    log: Path

    def said(self) -> list[str]:
        """What it wrote so far."""
        return self.log.read_text().splitlines()

    def fault(self, kind: str, **settings: Json) -> Fault:
        """A fault of it."""
        spec = FaultSpec(name="tried", kind=kind, on="service", duration_s=20.0, settings=settings)
        fault = registry.build(spec, self.place)
        assert isinstance(fault, Fault)
        return fault


@contextmanager
def worker(folder: Path, program: str) -> Iterator[Worker]:
    """Run a program as a part; end it and its children in the end."""
    script, log = folder / "program.py", folder / "log"
    script.write_text(textwrap.dedent(program))
    launch = Launch(
        name="service",
        argv=(sys.executable, "-u", str(script)),
        environment={},
        folder=str(folder),
        log=str(log),
        tag=f"tests-{folder.name}-{time.monotonic_ns()}",
    )
    root = processes.start(launch)
    try:
        eventually(lambda: bool(log.read_text()))
        yield Worker(Place(name="service", host="127.0.0.1", port=9, via_port=9, identity=root), root, log)
    finally:
        while left := processes.tagged(launch.tag):  # again: it may have forked meanwhile
            processes.end(left, patience_s=0.1)


def groups_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cgroup").read_text()


def cpu_s(pids: list[int]) -> float:
    """Processor time that processes used so far."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(field[11]) + int(field[12]) for field in fields) / os.sysconf("SC_CLK_TCK")


BUSY = """
import os
if os.fork() == 0: os.fork()
print("busy")
while True: pass
"""


def test_a_quota_leaves_its_share(tmp_path: Path):
    """Three busy processes share 20 % of one core, 3 points up or down; without the fault far more (Requirement F4)."""
    needs("cpu")
    with worker(tmp_path, BUSY) as part:
        eventually(lambda: len(part.said()) == 3)
        pids = [identity.pid for identity in (part.root, *processes.descendants(part.root))]
        before = [groups_of(pid) for pid in pids]
        fault = part.fault("cgroup.cpu", percent=20)
        with held(fault):
            began_s, began_cpu_s = time.monotonic(), cpu_s(pids)
            time.sleep(3.0)
            share = (cpu_s(pids) - began_cpu_s) / (time.monotonic() - began_s)
        assert [groups_of(pid) for pid in pids] == before
        began_s, began_cpu_s = time.monotonic(), cpu_s(pids)
        time.sleep(0.5)
        free = (cpu_s(pids) - began_cpu_s) / (time.monotonic() - began_s)
    assert share == pytest.approx(0.20, abs=0.03)
    assert free > 2 * share


FORKING = """
import os, time
print("up")
while True:
    if os.fork() == 0:
        time.sleep(0.3)
        os._exit(0)
    time.sleep(0.01)
    try:
        while os.waitpid(-1, os.WNOHANG)[0]: pass
    except ChildProcessError: pass
"""


def test_children_born_meanwhile_go_in_and_out(tmp_path: Path):
    """A part that forks all the time is held with all its children, and nothing of it is left behind."""
    needs("cpu")
    with worker(tmp_path, FORKING) as part:
        before = groups_of(part.root.pid)
        for _ in range(3):
            fault = part.fault("cgroup.cpu", percent=50)
            with held(fault) as undo:
                time.sleep(0.2)
                eventually(lambda fault=fault, undo=undo: fault.active(undo))
            # Again, because a child that ends just now is in no group any more.
            eventually(
                lambda: {groups_of(identity.pid) for identity in processes.descendants(part.root)} <= {before}, 5.0
            )
        assert groups_of(part.root.pid) == before


ALLOCATING = """
import sys, time
print("up")
kept = []
while True:
    kept.append(bytearray(b"x" * (1024 * 1024)))
    print(len(kept))
    time.sleep(0.05 if len(kept) < 20 else 0.005)
"""


def test_memory_beyond_the_limit_is_not_given(tmp_path: Path):
    """A part that takes more and more is ended by the kernel at the limit, counted from the injection on."""
    needs("memory")
    with worker(tmp_path, ALLOCATING) as part:
        fault = part.fault("cgroup.memory", limit_mb=30)
        undo = fault.prepare()
        before = len(part.said())
        fault.inject(undo)
        try:
            eventually(lambda: fault.active(undo), 2.0)
            assert "of 30 MB used" in fault.proof
            assert not processes.wait_gone([part.root], 15.0), "it went on taking memory"
            taken = len(part.said()) - before
        finally:
            fault.revert(undo)
        assert fault.active(undo) is False
    assert 10 <= taken <= 32


SPAWNING = """
import errno, os, time
print("up")
while True:
    try:
        child = os.fork()
    except OSError as error:
        print(errno.errorcode[error.errno])
    else:
        if child == 0: os._exit(0)
        os.waitpid(child, 0)
        print("forked")
    time.sleep(0.02)
"""


def test_no_process_beyond_the_limit(tmp_path: Path):
    """Without headroom a fork fails with EAGAIN; afterwards it succeeds again."""
    needs("pids")
    with worker(tmp_path, SPAWNING) as part:
        eventually(lambda: "forked" in part.said())
        fault = part.fault("cgroup.pids", headroom=0)
        with held(fault):
            eventually(lambda: part.said()[-3:] == ["EAGAIN"] * 3)
        eventually(lambda: part.said()[-3:] == ["forked"] * 3)


WRITING = """
import os, time
handle = os.open("data", os.O_WRONLY | os.O_CREAT | os.O_DSYNC)
block = b"x" * 65536
while True:
    began = time.monotonic()
    for n in range(4): os.pwrite(handle, block, n * 65536)
    print(time.monotonic() - began)
"""


def test_synchronous_writes_are_slowed_down(tmp_path: Path):
    """256 KiB at 512 KiB/s take half a second, give or take; before and after they take far less."""
    needs("io")
    with worker(tmp_path, WRITING) as part:
        fault = part.fault("cgroup.io", write_kb_per_s=512)
        quick = min(float(said) for said in part.said())
        with held(fault):
            known = len(part.said())
            eventually(lambda: len(part.said()) > known + 4, 10.0)
            slow = [float(said) for said in part.said()[known + 1 : known + 4]]
        known = len(part.said())
        eventually(lambda: len(part.said()) > known + 4, 10.0)
        after = min(float(said) for said in part.said()[known + 2 :])
    assert sum(slow) / 3 == pytest.approx(0.5, rel=0.25)
    assert max(quick, after) < 0.25


def test_refused_where_it_is_already(tmp_path: Path):
    """A part that is limited by one of ours is not limited again."""
    needs("cpu")
    with ExitStack() as stack:
        part = stack.enter_context(worker(tmp_path, BUSY))
        stack.enter_context(held(part.fault("cgroup.cpu", percent=50)))
        another = part.fault("cgroup.cpu", percent=20)
        with pytest.raises(FaultError, match="already"):
            another.prepare()


def test_a_part_that_is_gone_owes_nothing(tmp_path: Path):
    """If the part ended, its group is removed all the same, and nothing is said to be active."""
    needs("cpu")
    with worker(tmp_path, BUSY) as part:
        fault = part.fault("cgroup.cpu", percent=50)
        undo = fault.prepare()
        fault.inject(undo)
        path = cgroups.group_from(undo.data["group"]).path
        assert path in {str(found) for found in cgroups.leftovers()}
        family = (part.root, *processes.descendants(part.root))
        for identity in family:
            processes.send(identity, 9)
        processes.wait_gone(family, 2.0)
        assert fault.active(undo) is False
        fault.revert(undo)
        assert not Path(path).exists()


def test_somebody_elses_limit_is_seen(tmp_path: Path):
    """If the limit is changed by somebody else meanwhile, the fault is not what was asked for, and says so."""
    needs("cpu")
    with worker(tmp_path, BUSY) as part:
        fault = part.fault("cgroup.cpu", percent=50)
        with held(fault) as undo:
            group = cgroups.group_from(undo.data["group"])
            name, value = group.limits[-1]
            (Path(group.path) / name).write_text(value.replace("5000", "7000"))
            with pytest.raises(FaultError, match="7000"):
                fault.active(undo)


def test_a_limit_that_limits_nothing_is_refused(tmp_path: Path):
    """More than the machine has is no throttling; neither is no rate at all. Both are said before anything is done."""
    with worker(tmp_path, BUSY) as part:
        for kind, settings in (("cgroup.cpu", {"percent": 10_000}), ("cgroup.io", {"write_kb_per_s": 0})):
            with pytest.raises(FaultError, match="limit"):
                part.fault(kind, **settings)


def test_preflight_says_what_is_missing(tmp_path: Path):
    """A process that is not there cannot be limited, which is found by looking."""
    gone = Identity(pid=2**22 + 1, start_ticks=1, boot=processes.boot_id())
    with worker(tmp_path, BUSY) as part:
        place = replace(part.place, identity=gone)
        spec = FaultSpec(name="tried", kind="cgroup.cpu", on="service", duration_s=1.0)
        assert "does not run" in str(registry.fits(spec, place)[0])
