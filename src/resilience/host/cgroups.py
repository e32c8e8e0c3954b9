"""Control groups of the kernel, version 1 and 2: a group of ours for some processes, beside or below where they were.

Version 1 has a tree per controller and lets a group hold both processes and groups, so ours is made *below* the one the
processes are in, and whatever limits that stay in force. Version 2 has one tree in which only leaves hold processes, so
ours is made *beside* theirs.
"""

import errno
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resilience.errors import FaultError
from resilience.host import processes
from resilience.model import Identity, Json, Problem

PREFIX = "resilience-fault-"
"""What the names of groups of ours begin with."""

EMPTY_S = 0.8
"""So long processes are moved out of a group: some may be born meanwhile."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A mounted tree of groups.

    Attributes:
        controller: what it controls here: `cpu`, `memory`, `pids`, `blkio` (version 1), `io` (version 2).
        mount: where it is mounted.
        root: the group that is mounted there, as `/proc/PID/cgroup` names groups.
    """

    controller: str
    version: int
    mount: Path
    root: str

    def group_of(self, pid: int) -> Path | None:
        """The group of a process; None if the process is gone, or its group is not in what is mounted here."""
        try:
            lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        except OSError:
            return None
        for line in lines:
            _, controllers, path = line.split(":", 2)
            if self.controller in controllers.split(",") if self.version == 1 else not controllers:
                below = os.path.relpath(path, self.root)
                return None if below.startswith("..") else self.mount / below
        return None

    def base_for(self, home: Path) -> Path:
        """Where a group of ours for processes of that group is made."""
        return home if self.version == 1 or home == self.mount else home.parent


def find_tree(controller: str) -> Tree | None:
    """The mounted tree with that controller; None if there is none. `io` stands for `blkio`, too."""
    names = {controller, "blkio"} if controller == "io" else {controller}
    for version, mount, root, controllers in _mounted():
        if found := names & controllers:
            return Tree(found.pop(), version, mount, root)
    return None


def _mounted() -> Iterator[tuple[int, Path, str, set[str]]]:
    """Version, where it is mounted, the group mounted there, and its controllers."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        root, mount = left.split()[3:5]
        kind, _, options = right.split(" ", 2)
        if kind == "cgroup":
            yield 1, Path(mount), root, set(options.split(","))
        elif kind == "cgroup2":
            yield 2, Path(mount), root, _controllers(Path(mount))


def lacking(controller: str, root: Identity) -> Problem | None:
    """Why a process cannot be put into a group of ours; None if it can. Looks only."""
    where = f"cgroup {controller}"
    delegate = "run as root, or with `systemd-run --user --scope -p Delegate=yes`"
    tree = find_tree(controller)
    if tree is None:
        return Problem(where, "no control group with this controller is mounted", "mount /sys/fs/cgroup")
    home = tree.group_of(root.pid)
    if home is None or not home.is_dir():
        return Problem(where, f"the group of process {root.pid} cannot be seen here", "run outside of this container")
    base = tree.base_for(home)
    missing = [path for path in (base, base / "cgroup.procs", home / "cgroup.procs") if not os.access(path, os.W_OK)]
    if missing:
        return Problem(where, f"{missing[0]} cannot be written", delegate)
    if tree.version == 1 or controller in _words(base / "cgroup.subtree_control"):
        return None
    if controller not in _controllers(base):
        return Problem(where, f"{base} does not have the controller {controller}", delegate)
    if not os.access(base / "cgroup.subtree_control", os.W_OK):
        return Problem(where, f"{base / 'cgroup.subtree_control'} cannot be written", delegate)
    if (base / "cgroup.type").exists() and _pids(base):  # the root of the tree is the one that has no type
        return Problem(where, f"{base} has processes, so no controller can be given to groups below it", delegate)
    return None


@dataclass(frozen=True, slots=True)
class Group:
    """A group of ours, as an undo holds it: enough to make it, look at it and take it back from any process.

    Attributes:
        version: of the tree.
        path: the group; its name is ours alone.
        base: the group in which it is made.
        home: where the part's first process was, and so where processes go that were born in our group.
        homes: (pid, start time, group) of the processes that were there in the beginning.
        enable: the controller that must be given to the groups below `base` first; empty if it is already.
        limits: file in the group → what is written to it, in this order.
    """

    version: int
    path: str
    base: str
    home: str
    homes: tuple[tuple[int, int, str], ...]
    enable: str
    limits: tuple[tuple[str, str], ...]

    def make(self) -> None:
        """Make it and set its limits."""
        if self.enable:
            (Path(self.base) / "cgroup.subtree_control").write_text(f"+{self.enable}")
        Path(self.path).mkdir()
        for name, value in self.limits:
            (Path(self.path) / name).write_text(value)

    def exists(self) -> bool:
        """Whether it is there."""
        return Path(self.path).is_dir()

    def pids(self) -> frozenset[int]:
        """The processes in it."""
        return frozenset(_pids(Path(self.path)))

    def enter(self, root: Identity) -> None:
        """Move a process and its descendants into it, also those that are born meanwhile."""
        moved = move(root.pid, Path(self.path))  # before anybody is looked for, which takes its time
        while moved:
            inside = self.pids()
            outside = [each for each in (root, *processes.descendants(root)) if each.pid not in inside]
            moved = sum(move(each.pid, Path(self.path)) for each in outside) > 0

    def read(self, name: str) -> str:
        """What one of its files says, without the last line end.

        Raises:
            FaultError: it cannot be read.
        """
        try:
            return (Path(self.path) / name).read_text().strip()
        except OSError as error:
            raise FaultError(Problem(self.path, f"{name} cannot be read: {error.strerror}")) from error

    def figures(self, name: str) -> dict[str, int]:
        """A file of `name value` lines."""
        return {key: int(value) for key, value in (line.split() for line in self.read(name).splitlines())}

    def lift(self, name: str, value: str) -> None:
        """End a limit before the processes are moved out, which a throttled process makes wait. Harmless if gone."""
        with suppress(OSError):
            (Path(self.path) / name).write_text(value)

    def remove(self) -> None:
        """Move everything in it back to where it was, and remove it. Harmless if it is not there.

        Raises:
            FaultError: it cannot be emptied or removed.
        """
        path = Path(self.path)
        deadline = time.monotonic() + EMPTY_S
        while path.is_dir():
            try:
                for pid in _pids(path):
                    move(pid, self._home_of(pid))
                path.rmdir()
            except FileNotFoundError:
                break
            except OSError as error:
                if time.monotonic() >= deadline:
                    raise FaultError(Problem(self.path, f"the group cannot be removed: {error}")) from error
                time.sleep(0.005)
        if self.enable and not any(Path(self.base).glob(f"{PREFIX}*/cgroup.procs")):
            with suppress(OSError):  # somebody below uses it by now
                (Path(self.base) / "cgroup.subtree_control").write_text(f"-{self.enable}")

    def _home_of(self, pid: int) -> Path:
        """Where a process belongs; the group around ours if its own was removed meanwhile."""
        identity = processes.identify(pid)
        ticks = identity.start_ticks if identity else 0
        home = next(
            (Path(path) for known, start, path in self.homes if (known, start) == (pid, ticks)), Path(self.home)
        )
        return home if home.is_dir() else Path(self.base)


def plan(tree: Tree, name: str, root: Identity, limits: Mapping[str, str]) -> Group:
    """A group of ours for a process and its descendants, not made yet.

    Args:
        tree: from `find_tree`.
        name: ours alone.
        root: the part's first process.
        limits: file → value.

    Raises:
        FaultError: the process is gone, is in a group of ours already, or nothing would be left in its own.
    """
    home = tree.group_of(root.pid)
    if home is None:
        raise FaultError(Problem(str(root.pid), "the group of the process cannot be seen"))
    ours = [part for part in home.relative_to(tree.mount).parts if part.startswith(PREFIX)]
    if ours:
        raise FaultError(
            Problem(str(home), f"is limited by {ours[0]} already", "`resilience reap` removes what is left")
        )
    base = tree.base_for(home)
    family = (root, *processes.descendants(root))
    homes = tuple(
        (identity.pid, identity.start_ticks, str(group))
        for identity in family
        if (group := tree.group_of(identity.pid)) is not None
    )
    if base != home and not set(_pids(home)) - {identity.pid for identity in family}:
        message = "nothing would be left in the group, and systemd would take its unit for ended"
        raise FaultError(Problem(str(home), message, "run it in one unit with something else, such as the runner"))
    needs = tree.version != 1 and tree.controller not in _words(base / "cgroup.subtree_control")
    return Group(
        version=tree.version,
        path=str(base / name),
        base=str(base),
        home=str(home),
        homes=homes,
        enable=tree.controller if needs else "",
        limits=tuple(limits.items()),
    )


def group_from(document: Mapping[str, Any]) -> Group:
    """A group as `as_json` wrote it."""
    homes = tuple((pid, ticks, path) for pid, ticks, path in document["homes"])
    limits = tuple((name, value) for name, value in document["limits"])
    return Group(**{**document, "homes": homes, "limits": limits})


def as_json(group: Group) -> dict[str, Json]:
    """A group as it goes into an undo."""
    return {name: getattr(group, name) for name in Group.__dataclass_fields__}


def move(pid: int, group: Path) -> bool:
    """Put a process into a group; False if it is gone or going."""
    try:
        (group / "cgroup.procs").write_text(str(pid))
    except ProcessLookupError:
        return False
    except OSError as error:
        if error.errno == errno.EINVAL and processes.identify(pid) is None:  # a zombie
            return False
        raise
    return True


def expect_moves(tree: Tree) -> None:
    """Move ourselves to where we are: nothing changes, and who is moved within some milliseconds is moved at once.

    The first move in a while makes the kernel wait for a grace period of RCU, 5 to 15 ms; the next ones do not.
    """
    home = tree.group_of(os.getpid())
    if home is not None:
        with suppress(OSError):  # then the move waits, as it would have
            (home / "cgroup.procs").write_text("0")


def leftovers() -> tuple[Path, ...]:
    """Groups with a name of ours, wherever they are mounted."""
    found = {
        (path.parent.stat().st_dev, path.parent.stat().st_ino): path.parent
        for _, mount, _, _ in _mounted()
        for path in mount.rglob(f"{PREFIX}*/cgroup.procs")
    }
    return tuple(sorted(found.values()))


def _pids(group: Path) -> list[int]:
    try:
        return [int(line) for line in (group / "cgroup.procs").read_text().split()]
    except FileNotFoundError:
        return []


def _words(path: Path) -> set[str]:
    try:
        return set(path.read_text().split())
    except OSError:
        return set()


def _controllers(group: Path) -> set[str]:
    return _words(group / "cgroup.controllers")
