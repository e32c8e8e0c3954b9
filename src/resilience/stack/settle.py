"""Ends a stack from outside: from the process that started it, or from another one after that one was killed.

A stack's processes are found in four ways, because each way alone misses some: by the identities in its state file; by
the tag in their environment, which finds one started just before its starter died; by their working folder, because
Redis and PostgreSQL's children overwrite their environment; and by PostgreSQL's own lock file, because in a container
not even root may look into a process of another user.
"""

import ctypes
import json
import os
import re
import shutil
import signal
import stat
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from resilience.errors import DebtsOutstanding
from resilience.host import commands, processes
from resilience.model import Identity, Json, Problem

PREFIX = "resilience-"
"""What the names of stacks' folders begin with."""
STATE = "stack.json"
DATA = ("postgres/data", "postgres-replica/data")
"""Data folders of PostgreSQL inside a stack's folder."""

_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{3,62}")
_OURS = frozenset({"postgres", "initdb", "redis-server", "toxiproxy-serve", "haproxy"})
"""Programs (as the kernel names them) that are a stack's if they work in its folder; a shell that looks is not."""
_ROUNDS = 4
_CLOCK_SLACK_S = 3.0
_IPC_RMID = 0


def is_tag(text: str) -> bool:
    """Whether a text can be a stack's tag: 4 to 63 letters, digits, `_`, `.`, `-`, the first a letter or digit."""
    return _TAG.fullmatch(text) is not None


def settle(data: Mapping[str, Json]) -> None:
    """End every process of a stack and remove its folder. Idempotent; harmless if it was never started.

    Takes well under a second, at most five if processes do not end by themselves.

    Args:
        data: `folder` and `tag` of the stack, as `EmbeddedStack.debt_data` gave them.

    Raises:
        DebtsOutstanding: the data is not of a stack, or something cannot be ended or removed.
    """
    folder, tag = _checked(data)
    creators: set[int] = set()
    for _ in range(_ROUNDS):
        found = _processes(folder, tag)
        creators.update(_server_pids(folder), (identity.pid for identity in found if _name(identity) == "postgres"))
        _end(found)
        _remove_shared_memory(creators, folder)
        _unmount(folder)
        shutil.rmtree(folder, ignore_errors=True)
        # Look again: one that was being started when its starter died may have become visible only now.
        if not folder.exists() and not _processes(folder, tag):
            return
        time.sleep(0.05)
    left = [Problem(where=f"process {one.pid}", message="does not end") for one in _processes(folder, tag)]
    if folder.exists():
        left.append(Problem(where=str(folder), message="cannot be removed", hint="remove it by hand"))
    if left:
        raise DebtsOutstanding(left)


def identities(folder: Path) -> tuple[Identity, ...]:
    """The processes that a stack's state file names, whether they still run or not; none if it cannot be read."""
    try:
        places = json.loads((folder / STATE).read_bytes())["places"].values()
        known = [place["identity"] for place in places if place.get("identity")]
        return tuple(Identity(**{key: one[key] for key in ("pid", "start_ticks", "boot")}) for one in known)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ()  # never written, or half removed: the other ways of finding them remain


def _checked(data: Mapping[str, Json]) -> tuple[Path, str]:
    """Folder and tag, if they are a stack's: what is about to be removed must not be anything else."""
    folder, tag = Path(str(data.get("folder", ""))), str(data.get("tag", ""))
    problem = ""
    if not is_tag(tag) or not folder.is_absolute() or folder.name != f"{PREFIX}{tag}":
        problem = f"folder {str(folder)!r} and tag {tag!r} do not belong to a stack of ours"
    else:
        try:
            found = folder.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return folder, tag
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            problem = f"{folder} is not a folder of user {os.geteuid()}; it was left alone"
    if problem:
        raise DebtsOutstanding(Problem(where="stack", message=problem, hint="nothing was touched"))
    return folder, tag


def _processes(folder: Path, tag: str) -> tuple[Identity, ...]:
    """All processes of the stack, each once."""
    found = [identity for identity in identities(folder) if processes.alive(identity)]
    found += processes.tagged(tag)
    found += _working_in(folder)
    found += [one for pid in _server_pids(folder) if (one := processes.identify(pid)) is not None]
    return tuple(one for one in dict.fromkeys(found) if one.pid != os.getpid())


def _working_in(folder: Path) -> list[Identity]:
    """Server processes whose working folder is inside the stack's, also after it was removed."""
    inside = f"{folder.resolve()}/"
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            where = f"{str((entry / 'cwd').readlink()).removesuffix(' (deleted)')}/"
        except OSError:
            continue  # gone, or another user's
        if (
            where.startswith(inside)
            and (one := processes.identify(int(entry.name))) is not None
            and _name(one) in _OURS
        ):
            found.append(one)
    return found


def _name(identity: Identity) -> str:
    """The kernel's name of a process: the first fifteen characters of its program's name."""
    try:
        return Path(f"/proc/{identity.pid}/comm").read_text().strip()
    except OSError:
        return ""


def _server_pids(folder: Path) -> list[int]:
    """The processes that PostgreSQL's lock files name, if they still are those.

    The machine may run another PostgreSQL of the same user, and numbers come back: owner, program and start must fit.
    """
    return [pid for data in DATA for pid in _named_by(folder / data / "postmaster.pid")]


def _named_by(lock: Path) -> list[int]:
    try:
        lines = lock.read_text().splitlines()
        pid, started = int(lines[0]), int(lines[2])
        same_owner = Path(f"/proc/{pid}").stat().st_uid == lock.stat().st_uid
        one = processes.identify(pid)
    except (OSError, ValueError, IndexError):
        return []
    if one is None or not same_owner or _name(one) != "postgres":
        return []
    return [pid] if abs(_started(one) - started) <= _CLOCK_SLACK_S else []


def _started(identity: Identity) -> float:
    """When a process began, by the wall clock."""
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - identity.start_ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - age


def _end(found: Iterable[Identity]) -> None:
    """End PostgreSQL by SIGQUIT, at which it removes its shared memory, and all others by SIGTERM; then SIGKILL."""
    servers: list[Identity] = []
    others: list[Identity] = []
    for identity in found:
        (servers if _name(identity) == "postgres" else others).append(identity)
    for identity in servers:
        processes.send(identity, signal.SIGQUIT)
        processes.send(identity, signal.SIGCONT)
    processes.end(others, patience_s=0.8)
    processes.end(servers, gently=signal.SIGQUIT, patience_s=1.0)


def _unmount(folder: Path) -> None:
    """Unmount what is mounted inside a stack's folder: the small file system of PostgreSQL's data folder."""
    inside = f"{folder.resolve()}/"
    # The kernel writes spaces and the like as octal numbers.
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), line.split()[4]) for line in mounts]
    for point in sorted((point for point in points if point.startswith(inside)), reverse=True):
        if commands.run(["umount", point], timeout_s=5).code:
            # Somebody still looks into it: it goes with the last one who does.
            commands.run(["umount", "--lazy", point], timeout_s=5)


def _remove_shared_memory(creators: set[int], folder: Path) -> None:
    """Remove the System V segments of a PostgreSQL that was killed before it could.

    A segment is ours if one of our processes made it, or if a lock file of PostgreSQL has its key, number and maker.
    """
    known = {_lock_file_segment(folder / data / "postmaster.pid") for data in DATA} - {(0, 0, 0)}
    for row in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]:
        words = row.split()
        this_key, this_number, made_by = int(words[0]), int(words[1]), int(words[4])
        if (made_by, this_key & 0xFFFFFFFF, this_number) in known or made_by in creators:
            ctypes.CDLL(None).shmctl(this_number, _IPC_RMID, None)


def _lock_file_segment(lock: Path) -> tuple[int, int, int]:
    """Maker, key and number of the segment in a lock file of PostgreSQL; zeros if there is none."""
    try:
        lines = lock.read_text().splitlines()
        key, number = lines[6].split()
        return int(lines[0]), int(key) & 0xFFFFFFFF, int(number)
    except (OSError, ValueError, IndexError):
        return 0, 0, 0
