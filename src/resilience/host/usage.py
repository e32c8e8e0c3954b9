"""What processes and control groups of this machine use: read from `/proc` and `/sys/fs/cgroup`, nothing is changed.

A reading of a process takes half of what psutil takes for the same figures, and there are dozens once a second.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from resilience.host import processes
from resilience.host.cgroups import find_tree
from resilience.model import Identity

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MOST = 8192


class Usage(NamedTuple):
    """What one process uses.

    Attributes:
        start_ticks: when it began; with the pid, which process it is.
        cpu_s: processor time since then, of all its threads.
        rss, shared: bytes of memory that are resident, and those of them that it may share with others.
        threads, files: how many; of files that are open, -1 if they cannot be seen.
        read, written: bytes from and to disks since it began, -1 if that cannot be seen.
        waited, preempted: context switches since then, of the first thread: because it waited, because it had to go.
    """

    start_ticks: int
    cpu_s: float
    rss: int
    shared: int
    threads: int
    files: int
    read: int
    written: int
    waited: int
    preempted: int


def of_process(pid: int) -> Usage | None:
    """What a process uses; None if it is gone."""
    try:
        fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        memory = _read(f"/proc/{pid}/statm").split()
        status = _read(f"/proc/{pid}/status")
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in {b"Z", b"X"}:
        return None
    read, written = _io(pid)
    return Usage(
        start_ticks=int(fields[19]),
        cpu_s=(int(fields[11]) + int(fields[12])) / _TICKS,
        rss=int(memory[1]) * _PAGE,
        shared=int(memory[2]) * _PAGE,
        threads=int(fields[17]),
        files=_files(pid),
        read=read,
        written=written,
        waited=_named(status, b"\nvoluntary_ctxt_switches:"),
        preempted=_named(status, b"\nnonvoluntary_ctxt_switches:"),
    )


def open_files_limit(pid: int) -> int | None:
    """How many files a process may have open; None if that is not limited, or cannot be seen."""
    try:
        lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    except OSError:
        return None
    soft = next((line.split()[3] for line in lines if line.startswith("Max open files")), "unlimited")
    return int(soft) if soft.isdigit() else None


def families(roots: Mapping[str, Identity]) -> dict[str, tuple[int, ...]]:
    """The processes of each part: its first one and all below it, without those that are another part's first.

    All of them are looked at once, however many parts there are. A part whose first process is gone has none.
    """
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208 - once a second over all processes: names are enough
        if entry.isdigit():
            try:
                fields = _read(f"/proc/{entry}/stat").rpartition(b")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(int(fields[1]), []).append(int(entry))
    firsts = {identity.pid for identity in roots.values()}
    found: dict[str, tuple[int, ...]] = {}
    for part, identity in roots.items():
        if processes.alive(identity):
            below = [identity.pid]
            for pid in below:  # it grows while it is gone through
                below += [child for child in children.get(pid, ()) if child not in firsts]
            found[part] = tuple(below)
    return found


@dataclass(frozen=True, slots=True)
class Groups:
    """The control groups that a process is in, by controller; None where it is in none but the root."""

    cpu: Path | None
    memory: Path | None
    pids: Path | None


def groups_of(pid: int) -> Groups:
    """The groups of a process, as far as they are mounted here and are not the root, which limits nothing."""
    return Groups(*(_group(controller, pid) for controller in ("cpu", "memory", "pids")))


def _group(controller: str, pid: int) -> Path | None:
    tree = find_tree(controller)
    group = None if tree is None else tree.group_of(pid)
    return None if tree is None or group == tree.mount else group


class Throttling(NamedTuple):
    """Of a group with a quota of processor time: how many periods there were, in how many it had to wait."""

    periods: int
    throttled: int


def throttling(group: Path) -> Throttling | None:
    """How often a group was throttled since it was made; None if it has no quota or is gone."""
    figures = dict(line.split()[:2] for line in _text(group / "cpu.stat").splitlines())
    if cores(group) is None or "nr_periods" not in figures:
        return None
    return Throttling(int(figures["nr_periods"]), int(figures["nr_throttled"]))


def cores(group: Path) -> float | None:
    """How many cores a group may use, by its quota; None if it has none."""
    words = _text(group / "cpu.max").split() or [
        _text(group / "cpu.cfs_quota_us").strip(),
        _text(group / "cpu.cfs_period_us").strip(),
    ]
    if not words[0].isdigit() or not words[-1].isdigit():  # "max", -1, or no such file
        return None
    return int(words[0]) / int(words[-1])


def memory(group: Path) -> tuple[int | None, int | None]:
    """Bytes that a group uses, and the most that it may; None where that is not known, or not limited."""
    return _amount(group, "memory.current", "memory.usage_in_bytes"), _amount(
        group, "memory.max", "memory.limit_in_bytes"
    )


def pids(group: Path) -> tuple[int | None, int | None]:
    """Processes and threads of a group, and the most that it may have; None as of `memory`."""
    return _amount(group, "pids.current", "pids.current"), _amount(group, "pids.max", "pids.max")


_UNLIMITED = 1 << 60
"""Version 1 says a number near the largest one where there is no limit."""


def _amount(group: Path, *names: str) -> int | None:
    text = next((found for name in names if (found := _text(group / name).strip())), "")
    return int(text) if text.isdigit() and int(text) < _UNLIMITED else None


def _text(path: Path) -> str:
    """What a small file says; nothing if it cannot be read."""
    try:
        return path.read_text()
    except OSError:
        return ""


def _read(path: str) -> bytes:
    handle = os.open(path, os.O_RDONLY)
    try:
        return os.read(handle, _MOST)
    finally:
        os.close(handle)


def _io(pid: int) -> tuple[int, int]:
    try:
        text = b"\n" + _read(f"/proc/{pid}/io")
    except OSError:  # another user's
        return -1, -1
    return _named(text, b"\nread_bytes:"), _named(text, b"\nwrite_bytes:")


def _files(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - as above
    except OSError:
        return -1


def _named(text: bytes, name: bytes) -> int:
    start = text.find(name)
    return -1 if start < 0 else int(text[start + len(name) :].split(None, 1)[0])
