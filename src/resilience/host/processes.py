"""Processes that cannot be mistaken for others: started detached, named by pid + start time + boot, ended surely.

A program that belongs to a stack or a run carries a tag in its environment (`RESILIENCE_TAG`). The tag is there from
the first instruction of the process, so a program started just before its starter was killed can still be found.
"""

import atexit
import contextlib
import os
import pwd
import select
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import psutil

from resilience.errors import EnvironmentNotReady
from resilience.model import Identity, Launch

TAG = "RESILIENCE_TAG"
PART = "RESILIENCE_PART"
"""Beside the tag: which part of the stack the program is."""


@cache
def boot_id() -> str:
    """The kernel's id of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _stat_fields(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the third (state) on, or None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")  # a program's name may be any bytes
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def identify(pid: int) -> Identity | None:
    """The identity of a running process; None if it is gone or only waits to be reaped."""
    fields = _stat_fields(pid)
    if fields is None or fields[0] in "ZX":
        return None
    return Identity(pid=pid, start_ticks=int(fields[19]), boot=boot_id())


def alive(identity: Identity) -> bool:
    """Whether this very process still runs."""
    return identify(identity.pid) == identity


def state_of(identity: Identity) -> str:
    """The kernel's one-letter state (`R`, `S`, `T`, …); empty if the process is gone."""
    fields = _stat_fields(identity.pid)
    if fields is None or int(fields[19]) != identity.start_ticks or identity.boot != boot_id():
        return ""
    return fields[0]


def send(identity: Identity, number: int) -> bool:
    """Send a signal to this very process; False if it is gone. Cannot hit another process with the same number."""
    try:
        handle = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return False
    try:
        if not alive(identity):
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def wait_gone(identities: Iterable[Identity], timeout_s: float) -> tuple[Identity, ...]:
    """Wait until the processes are gone; return those that are not. Reaps those that are our children."""
    deadline = time.monotonic() + timeout_s
    return tuple(identity for identity in identities if not _wait_one(identity, deadline))


def _wait_one(identity: Identity, deadline: float) -> bool:
    try:
        handle = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return True
    try:
        # Not `alive`: a first thread that has ended is a zombie while others still hold ports and files. The handle is
        # readable when the last of them is gone.
        fields = _stat_fields(identity.pid)
        if fields is None or int(fields[19]) != identity.start_ticks or identity.boot != boot_id():
            return True
        ready, _, _ = select.select([handle], [], [], max(0.0, deadline - time.monotonic()))
        if ready:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(identity.pid, os.WNOHANG)
        return bool(ready)
    finally:
        os.close(handle)


def end(identities: Sequence[Identity], *, gently: int = signal.SIGTERM, patience_s: float = 2.0) -> None:
    """End processes: a gentle signal, patience, then SIGKILL. A stopped one is continued so that it can go."""
    for identity in identities:
        send(identity, gently)
        send(identity, signal.SIGCONT)
    left = wait_gone(identities, patience_s)
    for identity in left:
        send(identity, signal.SIGKILL)
    wait_gone(left, 2.0)


def tagged(tag: str) -> tuple[Identity, ...]:
    """All processes that carry the tag in their environment, the youngest first."""
    return _carrying(f"{TAG}={tag}".encode())


def all_tagged() -> tuple[tuple[Identity, str], ...]:
    """All processes that carry any tag, with it."""
    found = []
    for pid in _pids():
        with contextlib.suppress(OSError):  # gone, or another user's
            words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            tag = next((word for word in words if word.startswith(f"{TAG}=".encode())), b"")
            if tag and (identity := identify(pid)):
                found.append((identity, tag.partition(b"=")[2].decode(errors="replace")))
    return tuple(found)


def parent_of(identity: Identity) -> Identity | None:
    """The parent of a process; None if either is gone. What lost its parent has the one that takes in orphans."""
    fields = _stat_fields(identity.pid)
    return identify(int(fields[1])) if fields is not None and alive(identity) else None


def running(launch: Launch) -> Identity | None:
    """The process that `start(launch)` started, if it still runs: the oldest with its tag and name.

    Programs that overwrite their environment (Redis does) are not found: see `listener`.
    """
    found = _carrying(f"{TAG}={launch.tag}".encode(), f"{PART}={launch.name}".encode())
    return found[-1] if found else None


def of_part(tag: str, part: str) -> tuple[Identity, ...]:
    """The processes that carry both a tag and the name of a part: what was started as it, and what that started."""
    return _carrying(f"{TAG}={tag}".encode(), f"{PART}={part}".encode())


def age_s(identity: Identity) -> float:
    """For how long a process has been running, to a hundredth of a second, by the kernel's note of its start."""
    uptime_s = float(Path("/proc/uptime").read_text().split()[0])
    return uptime_s - identity.start_ticks / os.sysconf("SC_CLK_TCK")


def listener(port: int, folder: str) -> Identity | None:
    """The process that listens on a TCP port of this machine and works in that folder; None if it cannot be seen."""
    try:
        connections = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return None
    for connection in connections:
        here = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
        if here and connection.pid:
            with contextlib.suppress(OSError):
                if Path(f"/proc/{connection.pid}/cwd").samefile(folder):
                    return identify(connection.pid)
    return None


def _carrying(*words: bytes) -> tuple[Identity, ...]:
    """All processes with these words in their environment, except this one, the youngest first."""
    found = []
    for pid in _pids():
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue  # gone, or another user's
        if all(word in environment for word in words) and pid != os.getpid() and (identity := identify(pid)):
            found.append(identity)
    return tuple(sorted(found, key=lambda identity: (-identity.start_ticks, -identity.pid)))


def descendants(root: Identity) -> tuple[Identity, ...]:
    """The children of a process, their children and so on, parents first; none if it is gone."""
    if not alive(root):
        return ()
    children: dict[int, list[int]] = {}
    for pid in _pids():
        fields = _stat_fields(pid)
        if fields is not None:
            children.setdefault(int(fields[1]), []).append(pid)
    found: list[Identity] = []
    parents = [root.pid]
    while parents:
        below = [child for parent in parents for child in children.get(parent, ())]
        found += [identity for child in below if (identity := identify(child)) is not None]
        parents = below
    return tuple(found)


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def start(launch: Launch) -> Identity:
    """Start a program detached: own session, no standard input, output to its log, the tag in its environment.

    Raises:
        EnvironmentNotReady: it cannot be started, or was gone at once.
    """
    environment = {**launch.environment, PART: launch.name, TAG: launch.tag}
    user = launch.user or None
    try:
        with Path(launch.log).open("ab") as log:
            process = subprocess.Popen(  # the child is detached on purpose
                launch.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=launch.folder,
                start_new_session=True,
                user=user,
                group=pwd.getpwnam(user).pw_gid if user else None,
                extra_groups=[] if user else None,
            )
    except OSError as error:
        msg = f"{launch.name}: {launch.argv[0]} cannot be started: {error}"
        raise EnvironmentNotReady(msg) from error
    _children[:] = [child for child in _children if child.poll() is None] + [process]
    identity = identify(process.pid)
    if identity is None:
        msg = f"{launch.name} ended at once with code {process.wait()}; its log is {launch.log}"
        raise EnvironmentNotReady(msg)
    return identity


_children: list[subprocess.Popen[bytes]] = []
"""Handles of what this process started, so that those that ended are reaped when the next one is started."""


@atexit.register
def _let_go() -> None:
    """What still runs outlives this process on purpose: no ResourceWarning for it."""
    for child in _children:
        if child.poll() is None:
            child.returncode = 0
