"""A leak beside a part: seen in the part's own control group and in what is left for the part."""

import time
from pathlib import Path

import pytest

from resilience.errors import FaultError
from resilience.faults import holder, registry
from resilience.host import cgroups, processes
from resilience.model import FaultSpec, Json
from tests.faults.parts import eventually
from tests.faults.reasons import without
from tests.faults.test_cgroup import FORKING, held, needs, worker

pytestmark = pytest.mark.stack

IDLE = "import time\nprint('up')\ntime.sleep(60)\n"
GROWING = """
import time
print("up")
kept = []
while len(kept) < 35:
    kept.append(bytearray(b"x" * (1024 * 1024)))
    time.sleep(0.02)
time.sleep(60)
"""
"""Needs more than is left beside a leak, and less than the limit."""


def resident_mb(pid: int) -> float:
    """All memory of a process, as the kernel says."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20


def test_grows_as_fast_and_as_far_as_asked_for(tmp_path: Path):
    """20 MB/s are 20 MB/s, a third up or down, until there are 30; all is given back (Requirement F4)."""
    with worker(tmp_path, IDLE) as part:
        fault = part.fault("cgroup.memory-leak", mb_per_s=20, max_mb=30)
        with held(fault) as undo:
            leak = holder.holding(str(undo.data["holder"]))[0]
            began_s, began_mb = time.monotonic(), resident_mb(leak.pid)
            time.sleep(0.7)
            rate = (resident_mb(leak.pid) - began_mb) / (time.monotonic() - began_s)
            eventually(lambda: fault.active(undo) and "30.0 MB are taken" in fault.proof)
            time.sleep(0.3)
            assert resident_mb(leak.pid) < 60
            assert Path(f"/proc/{leak.pid}/oom_score_adj").read_text().strip() == "1000"
        assert not processes.alive(leak)
        assert processes.alive(part.root)
    assert rate == pytest.approx(20, rel=0.35)


def test_part_and_leak_share_a_limit(tmp_path: Path):
    """What the leak takes is missing to the part: the kernel meets the limit, and the leak goes first."""
    needs("memory")
    with worker(tmp_path, FORKING) as part:
        fault = part.fault("cgroup.memory-leak", mb_per_s=200, max_mb=30, limit_mb=60)
        with held(fault) as undo:
            eventually(lambda: fault.active(undo) and "30.0 MB are taken" in fault.proof)
            group = cgroups.group_from(undo.data["group"])
            leak = holder.holding(str(undo.data["holder"]))[0]
            assert {leak.pid, part.root.pid} <= group.pids()
            assert "of 60 MB used" in fault.proof
        assert not Path(group.path).exists()


def test_a_leak_that_the_kernel_ended_is_said(tmp_path: Path):
    """A part that grows to the limit costs the leak its life first: that is no fault any more, and is said."""
    needs("memory")
    with worker(tmp_path, GROWING) as part:
        fault = part.fault("cgroup.memory-leak", mb_per_s=200, max_mb=30, limit_mb=50)
        with held(fault) as undo:
            eventually(lambda: not holder.holding(str(undo.data["holder"])), 15.0)
            assert processes.alive(part.root)
            with pytest.raises(FaultError, match="the leak is not"):
                fault.active(undo)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"max_mb": 100, "limit_mb": 100}, "not less than limit_mb"), ({"max_mb": 1_000_000}, "can spare")],
)
def test_more_than_there_is_is_refused(tmp_path: Path, settings: dict[str, Json], message: str):
    """A leak that would end itself, or take the machine down, is refused before anything is done."""
    if "limit_mb" in settings and without("memory")():
        pytest.skip(f"needs a control group that can be written: {without('memory')()}")
    with worker(tmp_path, IDLE) as part:
        spec = FaultSpec(name="tried", kind="cgroup.memory-leak", on="service", duration_s=1.0, settings=settings)
        problems = registry.check(spec) or registry.fits(spec, part.place)
    assert message in str(problems[0])
