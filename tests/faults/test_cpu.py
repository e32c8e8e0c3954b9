"""A share of a core by signals: measured at the part; and whoever is killed, its processes are continued."""

import signal
import time
from pathlib import Path

import pytest

from resilience.errors import FaultError
from resilience.faults import holder, registry
from resilience.host import processes
from resilience.model import FaultSpec, Identity
from resilience.ports import Fault
from tests.faults.parts import eventually, held, over_json
from tests.faults.test_cgroup import BUSY, FORKING, Worker, cpu_s, worker

pytestmark = pytest.mark.stack


def family(part: Worker) -> tuple[Identity, ...]:
    return (part.root, *processes.descendants(part.root))


def share(part: Worker, for_s: float) -> float:
    """Of a core, of all processes of the part together."""
    pids = [identity.pid for identity in family(part)]
    began_s, began_cpu_s = time.monotonic(), cpu_s(pids)
    time.sleep(for_s)
    return (cpu_s(pids) - began_cpu_s) / (time.monotonic() - began_s)


def runs(part: Worker) -> bool:
    """Whether none of its processes is stopped, seen several times: they might be continued for a moment only."""

    def once() -> bool:
        time.sleep(0.03)
        return "T" not in {processes.state_of(identity) for identity in family(part)}

    return all(once() for _ in range(8))


def by_signals(part: Worker, percent: int = 20) -> Fault:
    return part.fault("cgroup.cpu", percent=percent, mechanism="signals")


def busy(folder: Path):
    """A part of three busy processes."""
    return worker(folder, BUSY)


def test_signals_leave_the_share_that_was_asked_for(tmp_path: Path):
    """Three busy processes share 10 % of a core, 2 points up or down, and afterwards they run (Requirement F4)."""
    with busy(tmp_path) as part:
        eventually(lambda: len(part.said()) == 3)
        fault = by_signals(part, percent=10)
        with held(fault) as undo:
            assert "3 processes are held by signals" in fault.proof
            got = share(part, 3.0)
            other = registry.from_undo(over_json(undo))
            eventually(lambda: other.active(undo), 3.0)
        assert runs(part)
        assert share(part, 1.0) > 1.5 * got
    assert got == pytest.approx(0.10, abs=0.02)


@pytest.mark.parametrize("who", ["holder", "guard", "both"])
def test_whoever_of_the_holders_is_killed_the_part_runs(tmp_path: Path, who: str):
    """The guard continues what the holder stopped; without a guard it is told; without both, the revert continues."""
    with busy(tmp_path) as part:
        eventually(lambda: len(part.said()) == 3)
        fault = by_signals(part, percent=1)
        undo = fault.prepare()
        fault.inject(undo)
        try:
            eventually(lambda: fault.active(undo), 5.0)
            guard, first = holder.holding(str(undo.data["holder"]))  # the youngest first
            for identity in {"holder": [first], "guard": [guard], "both": [guard, first]}[who]:
                processes.send(identity, signal.SIGKILL)
            if who == "holder":
                eventually(lambda: fault.active(undo) is False, 3.0)
                assert runs(part)
            elif who == "guard":
                eventually(lambda: guard not in holder.holding(str(undo.data["holder"])))  # it takes a moment to die
                with pytest.raises(FaultError, match="1 of 2 processes"):
                    fault.active(undo)
        finally:
            registry.from_undo(undo).revert(undo)
        assert runs(part)
        assert fault.active(undo) is False
        assert holder.holding(str(undo.data["holder"])) == ()


def test_stopped_processes_that_nobody_holds_are_no_clean_end(tmp_path: Path):
    """Both were killed while the part was stopped: it is said, and not taken for given back."""
    with busy(tmp_path) as part:
        fault = by_signals(part)
        undo = fault.prepare()
        processes.send(part.root, signal.SIGSTOP)
        eventually(lambda: processes.state_of(part.root) == "T")
        with pytest.raises(FaultError, match="nothing holds its processes"):
            fault.active(undo)
        fault.revert(undo)
        assert fault.active(undo) is False
        assert runs(part)


def test_the_lease_ends_it(tmp_path: Path):
    """With nobody there to revert, it ends by itself, and the part runs."""
    with busy(tmp_path) as part:
        spec = FaultSpec(
            name="x", kind="cgroup.cpu", on="service", duration_s=1.0, settings={"percent": 1, "mechanism": "signals"}
        )
        undo = registry.build(spec, part.place).prepare()
        undo.data["lease_s"] = 1.5
        fault = registry.from_undo(undo)
        fault.inject(undo)
        eventually(lambda: not runs(part), 5.0)
        eventually(lambda: holder.holding(str(undo.data["holder"])) == (), 5.0)
        assert runs(part)
        assert fault.active(undo) is False


def test_children_born_meanwhile_are_held_and_let_go(tmp_path: Path):
    """A part that forks all the time: the fault is seen, and none of its processes is left stopped."""
    with worker(tmp_path, FORKING) as part:
        with held(by_signals(part, percent=10)):
            time.sleep(0.5)
        eventually(lambda: runs(part), 5.0)


def test_refused_where_it_is_stopped_already(tmp_path: Path):
    """What somebody else stopped would be continued."""
    with busy(tmp_path) as part:
        processes.send(part.root, signal.SIGSTOP)
        eventually(lambda: processes.state_of(part.root) == "T")
        with pytest.raises(FaultError, match="stopped already"):
            by_signals(part).prepare()
        processes.send(part.root, signal.SIGCONT)


def test_refused_where_it_is_held_already(tmp_path: Path):
    """Two that stop and continue one part would be in each other's way."""
    with busy(tmp_path) as part, held(by_signals(part, percent=50)) as undo:
        eventually(lambda: registry.from_undo(undo).active(undo), 3.0)
        with pytest.raises(FaultError, match=f"stopped already|held already, by {undo.data['holder']}"):
            by_signals(part).prepare()


def test_which_means_is_said(tmp_path: Path):
    """The record names it, with how exact it is; what is asked for is what is done."""
    with busy(tmp_path) as part:
        said = {}
        for mechanism in ("auto", "cgroup", "signals"):
            settings = {"percent": 20, "mechanism": mechanism}
            spec = FaultSpec(name="x", kind="cgroup.cpu", on="service", duration_s=1.0, settings=settings)
            said[mechanism] = registry.mechanism(spec, part.place)
        assert said["signals"].startswith("SIGSTOP and SIGCONT: the mean is exact")
        assert "control group version" in said["cgroup"]
        assert said["auto"] in (said["cgroup"], said["signals"])
