"""What processes and control groups use, as the kernel says."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from resilience.host import usage
from resilience.host.processes import identify

BUSY = "import sys; sum(i * i for i in range(3_000_000)); print('done', flush=True); sys.stdin.read()"


@pytest.fixture
def child():
    """A program that has used the processor and now waits."""
    process = subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"done\n"
    yield process
    process.stdin.close()
    process.wait(timeout=30)
    process.stdout.close()


def test_what_a_process_uses_is_what_the_kernel_counted(child):
    """Processor time grows with work; memory, threads and files are those of a small program."""
    used = usage.of_process(child.pid)
    assert used.cpu_s > 0.05
    assert used.start_ticks == identify(child.pid).start_ticks
    assert 1_000_000 < used.rss < 500_000_000
    assert 0 < used.shared < used.rss
    assert used.threads == 1
    assert used.files >= 3
    until = time.monotonic() + 20
    while usage.of_process(child.pid).waited < 1:  # it is about to: what it said came before
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_process_that_is_gone_uses_nothing():
    """Also one that only waits to be reaped."""
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.DEVNULL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert usage.of_process(process.pid) is None
    process.wait(timeout=30)
    assert usage.of_process(process.pid) is None


def test_families_are_a_process_and_all_below_it(child):
    """A part whose first process is below another's is a family of its own; one that is gone has none."""
    mine, its = identify(os.getpid()), identify(child.pid)
    found = usage.families({"runner": mine, "child": its})
    assert found["child"] == (child.pid,)
    assert os.getpid() in found["runner"]
    assert child.pid not in found["runner"]
    assert child.pid in usage.families({"runner": mine})["runner"]


def test_how_many_files_may_be_open():
    """The soft limit of the process."""
    said = usage.open_files_limit(os.getpid())
    assert said == os.sysconf("SC_OPEN_MAX")


def group(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / name.replace("__", ".")).write_text(text)
    return tmp_path


def test_a_group_of_version_2(tmp_path):
    """Quota, throttled periods, memory and processes, each with its limit."""
    it = group(
        tmp_path,
        cpu__max="50000 100000\n",
        cpu__stat="usage_usec 5\nnr_periods 40\nnr_throttled 10\nthrottled_usec 999\n",
        memory__current="1000\n",
        memory__max="max\n",
        pids__current="7\n",
        pids__max="100\n",
    )
    assert usage.cores(it) == 0.5
    assert usage.throttling(it) == (40, 10)
    assert usage.memory(it) == (1000, None)
    assert usage.pids(it) == (7, 100)


def test_a_group_of_version_1(tmp_path):
    """The same under the older names; the largest number means no limit."""
    it = group(
        tmp_path,
        cpu__cfs_quota_us="200000\n",
        cpu__cfs_period_us="100000\n",
        cpu__stat="nr_periods 4\nnr_throttled 1\nthrottled_time 999\n",
        memory__usage_in_bytes="1000\n",
        memory__limit_in_bytes="9223372036854771712\n",
    )
    assert usage.cores(it) == 2.0
    assert usage.throttling(it) == (4, 1)
    assert usage.memory(it) == (1000, None)


def test_a_group_without_a_quota_is_not_throttled(tmp_path):
    """Neither is one that is gone."""
    assert usage.throttling(group(tmp_path, cpu__max="max 100000\n", cpu__stat="nr_periods 0\n")) is None
    assert usage.cores(group(tmp_path, cpu__max="max 100000\n")) is None
    assert usage.throttling(tmp_path / "gone") is None
    assert usage.memory(tmp_path / "gone") == (None, None)


def test_groups_are_looked_up():
    """Those of this process can be seen, or are the root, which limits nothing."""
    for found in vars_of(usage.groups_of(os.getpid())):
        assert found is None or found.is_dir()


def vars_of(groups):
    return (groups.cpu, groups.memory, groups.pids)
