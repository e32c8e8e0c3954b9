"""Network namespaces: whether the network may be changed here, one of our own where it may not, commands in others.

Root, or whoever has CAP_NET_ADMIN, works in the namespace that it is in. Anybody else can have a user and network
namespace of their own, with a loopback interface and nothing else in it, in which the whole command is run again: what
is started there (stack, load, reaper) sees the same network, and the same user as outside. `enter` does that, once.

A namespace is named by its inode and the boot: it is gone when no process is left in it, and everything in it with it.
"""

import array
import ctypes
import fcntl
import os
import shutil
import socket
import struct
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from resilience.errors import EnvironmentNotReady, FaultError
from resilience.host import commands, processes
from resilience.model import Problem

MARK = "RESILIENCE_NAMESPACE"
"""In the environment of a command that was run again in a namespace of its own: the inode of the one it came from."""

NET_ADMIN = 12
SYS_ADMIN = 21
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
IFF_UP = 1


def current() -> str:
    """The network namespace of this process, as its inode and this boot."""
    return f"{Path('/proc/self/ns/net').stat().st_ino}@{processes.boot_id()}"


def may_change_network() -> bool:
    """Whether this process may change packet filter and queues where it is."""
    return _capable(NET_ADMIN)


@cache
def obstacle() -> str:
    """Why nobody can have a namespace of their own here; empty if they can."""
    if shutil.which("unshare") is None:
        return "the program unshare is not installed (`apt install util-linux`)"
    try:
        done = commands.run([*UNSHARE, "true"], timeout_s=5.0)
    except EnvironmentNotReady as error:
        return str(error)
    return "" if done.code == 0 else f"unprivileged user namespaces are off: {done.err.strip()}"


UNSHARE = ("unshare", "--user", "--map-current-user", "--net", "--keep-caps")


def lacking() -> Problem | None:
    """Why the network cannot be changed from here, with what would help; None if it can."""
    if may_change_network():
        return None
    why = obstacle()
    hint = "run as root" if why else "run as root, or `resilience run`, which makes a network namespace of its own"
    return Problem("network", f"changing it needs CAP_NET_ADMIN{f', and {why}' if why else ''}", hint)


def entered() -> bool:
    """Whether this command was run again in a namespace of its own."""
    return MARK in os.environ


def enter() -> None:
    """Run this whole command again in a namespace of its own, unless that was done or is not needed.

    Must be called before anything is started or opened: the process is replaced.

    Raises:
        EnvironmentNotReady: it is needed, and cannot be.
    """
    if entered() or may_change_network():
        return
    if why := obstacle():
        raise EnvironmentNotReady(Problem("network", f"the experiment changes the network, and {why}", "run as root"))
    again = [sys.executable, "-P", "-m", "resilience.host.namespace", *sys.orig_argv]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvpe(UNSHARE[0], [*UNSHARE, *again], {**os.environ, MARK: current()})  # noqa: S606 - that is the point


def within(namespace: str) -> tuple[str, ...] | None:
    """What goes before a command that must be run in a namespace: nothing, if we are in it. None if it is gone.

    Raises:
        FaultError: it cannot be told, because from here the namespaces of our own processes cannot be seen.
    """
    if namespace == current():
        return ()
    inode, _, boot = namespace.partition("@")
    if boot != processes.boot_id():
        return None
    hidden = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found = (entry / "ns" / "net").stat().st_ino
            except PermissionError:
                hidden.append(entry)
                continue
            except OSError:
                continue  # gone
            if str(found) == inode:
                return _enter_words(entry.name)
    if entered() and any(_owner(entry) == os.geteuid() for entry in hidden):
        # From outside, what is hidden is not ours to enter; from inside a namespace it could be our own in another one.
        raise FaultError(Problem("network", f"namespace {inode} cannot be looked for from here", "ask from outside"))
    return None


def _owner(entry: Path) -> int | None:
    try:
        return entry.stat().st_uid
    except OSError:
        return None


def _enter_words(pid: str) -> tuple[str, ...]:
    if _capable(SYS_ADMIN):
        return ("nsenter", "--target", pid, "--net", "--")
    return (sys.executable, "-P", "-m", "resilience.host.namespace", "--join", pid)


def loopback_up() -> None:
    """Switch on the loopback interface of this namespace.

    Raises:
        EnvironmentNotReady: the kernel refuses.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = array.array("b", struct.pack("16sh14x", b"lo", IFF_UP))
        try:
            fcntl.ioctl(handle, 0x8914, request)  # SIOCSIFFLAGS
        except OSError as error:
            raise EnvironmentNotReady(f"the loopback interface cannot be switched on: {error.strerror}") from error


def _capable(number: int) -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def _join(pid: str) -> None:
    """Join the user and network namespace of a process of ours, with the right to change it for what we run next.

    As `nsenter --keep-caps` of later versions does: joining gives rights, running a program takes them away again
    unless they are ambient.
    """
    system = ctypes.CDLL(None, use_errno=True)

    def must(code: int) -> None:
        if code:
            why = os.strerror(ctypes.get_errno())
            raise EnvironmentNotReady(f"the namespace of process {pid} cannot be joined: {why}")

    for kind in ("user", "net"):
        with Path(f"/proc/{pid}/ns/{kind}").open("rb") as handle:
            must(system.setns(handle.fileno(), 0))
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    rights = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then the same for those above 31
    must(system.capget(header, rights))
    rights[2], rights[5] = rights[1], rights[4]
    must(system.capset(header, rights))
    must(system.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, NET_ADMIN, 0, 0))


def main(command: Sequence[str]) -> None:
    """Inside the new namespace: loopback, then the command. With `--join PID` before it: in that process's one."""
    if command[0] == "--join":
        _join(command[1])
        command = command[2:]
    else:
        loopback_up()
    os.execvp(command[0], list(command))  # noqa: S606 - that is the point


if __name__ == "__main__":
    main(sys.argv[1:])
