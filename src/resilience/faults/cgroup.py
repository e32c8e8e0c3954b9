"""Faults of what a part may use: memory, disk, processes; by control groups of the kernel. `cpu` has processor time.

The part's processes, and those that they start later, are put into a group of ours with a limit, and back to where they
were in the end. The group's name is ours alone, so whatever is in it is what has to go back. See `host.cgroups` for
versions 1 and 2.
"""

import secrets
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from resilience.errors import FaultError
from resilience.faults.kinds import Kind, Setting, Settings, kind_of
from resilience.faults.process import recorded
from resilience.host import cgroups, disks, processes
from resilience.host.cgroups import Group
from resilience.model import Identity, Json, Place, Problem, Undo

PERIODS_US = (10_000, 100_000)
"""Processor time is given out in periods of one of these lengths: the shorter, the sooner the limit is felt."""
LEAST_US = 1_000
"""The kernel gives no less in a period."""
MB = 1024 * 1024


def root_of(place: Place) -> Identity:
    """The part's first process as it runs now.

    Raises:
        FaultError: it does not run, or nobody knows it.
    """
    root = (recorded(place.state, place.name) if place.state else None) or place.identity
    if root is None:
        raise FaultError(Problem(place.name, "the stack does not know its process", "use the embedded stack"))
    if not processes.alive(root):
        raise FaultError(Problem(place.name, f"process {root.pid} does not run any more", "is the stack up?"))
    return root


class GroupFault:
    """What they have in common: a group with limits, and the part's processes in it.

    Args:
        settings: of the kind.
        place: the part; None to revert.
    """

    kind: ClassVar[str]
    controller: ClassVar[str]

    def __init__(self, settings: Settings | None = None, place: Place | None = None) -> None:
        """Nothing is looked at yet."""
        self._settings, self._place = settings or {}, place
        self.proof = ""

    def prepare(self) -> Undo:
        """Note where the part's processes are."""
        if self._place is None:
            raise FaultError(Problem(self.kind, "needs a part of a stack"))
        root = root_of(self._place)
        tree = cgroups.find_tree(self.controller)
        if tree is None:
            raise FaultError(Problem(self.kind, f"no control group with {self.controller} is mounted"))
        name = f"{cgroups.PREFIX}{secrets.token_hex(6)}"
        group = cgroups.plan(tree, name, root, dict(self._limits(tree.version, root)))
        cgroups.expect_moves(tree)
        return Undo(
            kind=self.kind,
            data={"part": self._place.name, "root": asdict(root), "group": cgroups.as_json(group), **self._more()},
        )

    def inject(self, undo: Undo, /) -> None:
        """Make the group and move the part into it."""
        group, root = parts_of(undo)
        group.make()
        group.enter(root)

    def revert(self, undo: Undo, /) -> None:
        """Move everything back and remove the group."""
        parts_of(undo)[0].remove()

    def active(self, undo: Undo, /) -> bool:
        """Whether the kernel holds all of the part's processes to the limit.

        Raises:
            FaultError: some of them, or to another limit.
        """
        group, root = parts_of(undo)
        if not group.exists():
            self.proof = "the control group is not there"
            return False
        family = (root, *processes.descendants(root)) if processes.alive(root) else ()
        pids = group.pids()
        inside = [identity.pid for identity in family if identity.pid in pids]
        outside = [identity.pid for identity in family if identity.pid not in pids and processes.alive(identity)]
        for name, value in group.limits:
            said = group.read(name)
            if not set(value.split()) <= set(said.split()):
                raise FaultError(Problem(group.path, f"{name} says {said!r}, expected {value!r}"))
        if inside and outside:
            raise FaultError(Problem(group.path, f"processes {outside} are not held, {inside} are"))
        self.proof = f"{len(inside)} processes are held; {self._figures(group)}"
        return bool(inside)

    @abstractmethod
    def _limits(self, version: int, root: Identity) -> Mapping[str, str]:
        """File in the group → what is written to it."""

    @abstractmethod
    def _figures(self, group: Group) -> str:
        """What the kernel counts in the group, in words."""

    def _more(self) -> Mapping[str, Json]:
        """What else the undo must hold."""
        return {}

    def _number(self, name: str) -> int:
        return int(str(self._settings[name]))


class Memory(GroupFault):
    """The part may take `limit_mb` from now on; what it has already stays and is not counted.

    The kernel reclaims what it can at the limit; if that does not suffice, it ends a process of the part. How it is
    undone: its processes are moved back and the group is removed. What it needs: the part's process on this machine,
    and a control group that can be written. When it fails: the process is gone or limited already.
    """

    kind = "cgroup.memory"
    controller = "memory"

    def _limits(self, version: int, root: Identity) -> Mapping[str, str]:
        return memory_limits(version, root, self._number("limit_mb"))

    def _figures(self, group: Group) -> str:
        return memory_figures(group)


def memory_limits(version: int, root: Identity, limit_mb: int) -> dict[str, str]:
    """File → value for a limit of memory and swap together."""
    value = str(limit_mb * MB)
    if version != 1:
        return {"memory.max": value, "memory.swap.max": "0"}
    tree = cgroups.find_tree("memory")
    home = tree.group_of(root.pid) if tree else None
    swap = {"memory.memsw.limit_in_bytes": value} if home and (home / "memory.memsw.limit_in_bytes").exists() else {}
    return {"memory.limit_in_bytes": value, **swap}


def memory_figures(group: Group) -> str:
    """Usage, limit and how often the limit was met."""
    if group.version == 1:
        used, limit = int(group.read("memory.usage_in_bytes")), int(group.read("memory.limit_in_bytes"))
        met = int(group.read("memory.failcnt"))
    else:
        used, limit = int(group.read("memory.current")), int(group.read("memory.max"))
        met = group.figures("memory.events")["max"]
    return f"{used / MB:.1f} of {limit / MB:g} MB used, limit met {met} times"


class Io(GroupFault):
    """What the part reads from and writes to the disk of its working folder is slowed down.

    Version 1 slows down only what is direct or synchronous (O_DIRECT, O_SYNC, fsync waits for what it must write);
    version 2 also what is written back later. How it is undone, what it needs, when it fails: as `cgroup.memory`; the
    folder must be on a disk.
    """

    kind = "cgroup.io"
    controller = "io"

    def _limits(self, version: int, root: Identity) -> Mapping[str, str]:
        device = _device(root)
        told = {
            "write_bps": self._number("write_kb_per_s") * 1024,
            "read_bps": self._number("read_kb_per_s") * 1024,
            "write_iops": self._number("write_iops"),
            "read_iops": self._number("read_iops"),
        }
        asked = {name: value for name, value in told.items() if value}
        if version == 1:
            return {f"blkio.throttle.{name}_device": f"{device} {value}" for name, value in asked.items()}
        words = [f"{name[0]}{name.split('_')[1]}={value}" for name, value in asked.items()]
        return {"io.max": " ".join([device, *words])}

    def _figures(self, group: Group) -> str:
        limits = ", ".join(f"{name.removeprefix('blkio.throttle.')} {value}" for name, value in group.limits)
        counted = group.read("blkio.throttle.io_service_bytes" if group.version == 1 else "io.stat")
        return f"{limits}; so far: {' '.join(counted.split()) or 'nothing'}"


def _device(root: Identity) -> str:
    """The disk on which a process works, as `major:minor`.

    Raises:
        FaultError: it cannot be seen, or is no disk.
    """
    try:
        folder = Path(f"/proc/{root.pid}/cwd").readlink()
        found = disks.device_of(folder)
    except OSError as error:
        raise FaultError(Problem(f"process {root.pid}", f"its folder cannot be seen: {error.strerror}")) from error
    if found is None:
        raise FaultError(Problem(str(folder), "is not on a disk, so there is nothing to limit", "set TMPDIR to one"))
    return found


class Pids(GroupFault):
    """The part can start `headroom` more processes and threads than it has, and no more: EAGAIN.

    How it is undone, what it needs, when it fails: as `cgroup.memory`.
    """

    kind = "cgroup.pids"
    controller = "pids"

    def _limits(self, version: int, root: Identity) -> Mapping[str, str]:  # noqa: ARG002 - as declared
        family = (root, *processes.descendants(root))
        return {"pids.max": str(sum(_threads(identity.pid) for identity in family) + self._number("headroom"))}

    def _figures(self, group: Group) -> str:
        refused = group.figures("pids.events")["max"]
        return f"{group.read('pids.current')} of {group.read('pids.max')} processes and threads, {refused} refused"


def _threads(pid: int) -> int:
    try:
        return len(list(Path(f"/proc/{pid}/task").iterdir()))
    except OSError:
        return 0


def parts_of(undo: Undo) -> tuple[Group, Identity]:
    """The group and the part's first process."""
    data: Mapping[str, Any] = undo.data
    return cgroups.group_from(data["group"]), Identity(**data["root"])


def lacking(controller: str, place: Place) -> tuple[Problem, ...]:
    """Why the part cannot be limited here."""
    try:
        problem = cgroups.lacking(controller, root_of(place))
    except FaultError as error:
        return error.problems
    return (problem,) if problem else ()


def _disk(_settings: Settings, place: Place) -> tuple[Problem, ...]:
    problems = lacking(Io.controller, place)
    if not problems:
        try:
            _device(root_of(place))
        except FaultError as error:
            return error.problems
    return problems


def _some_io(settings: Settings) -> tuple[Problem, ...]:
    if any(settings[name] for name in ("write_kb_per_s", "read_kb_per_s", "write_iops", "read_iops")):
        return ()
    return (Problem("write_kb_per_s", "nothing is limited", "0 is no limit: give one of the four another value"),)


def _how_io(_settings: Settings, _place: Place) -> str:
    tree = cgroups.find_tree("io")
    if tree is None or tree.version == 1:
        return "control group version 1: slows down only what is read or written directly or synchronously"
    return "control group version 2: slows down what is written back later, too"


def leftovers() -> tuple[str, ...]:
    """Groups of ours that are still there, whoever made them."""
    return tuple(f"control group {path}" for path in cgroups.leftovers())


_UNDO = "the processes of {on} are moved back to the control groups they were in, and ours is removed"
NEEDS = {"identity": "a process that the stack knows"}


def _rate(default: int, meaning: str) -> Setting:
    return Setting(default=default, maximum=10_000_000, meaning=f"{meaning}; 0 is no limit.")


KINDS: tuple[Kind, ...] = (
    kind_of(
        Memory,
        _UNDO,
        NEEDS,
        {"limit_mb": Setting(default=64, minimum=1, maximum=1_000_000, meaning="What it may take from now on.")},
        preflight=lambda _settings, place: lacking(Memory.controller, place),
    ),
    kind_of(
        Io,
        _UNDO,
        NEEDS,
        {
            "write_kb_per_s": _rate(1024, "Bytes written to the disk"),
            "read_kb_per_s": _rate(0, "Bytes read from the disk"),
            "write_iops": _rate(0, "Writes per second"),
            "read_iops": _rate(0, "Reads per second"),
        },
        together=_some_io,
        preflight=_disk,
        mechanism=_how_io,
    ),
    kind_of(
        Pids,
        _UNDO,
        NEEDS,
        {"headroom": Setting(default=0, maximum=100_000, meaning="Processes and threads beyond those it has.")},
        preflight=lambda _settings, place: lacking(Pids.controller, place),
    ),
)
"""The kinds of this mechanism."""
