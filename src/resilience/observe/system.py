"""The machine and the processes of every part: processor, memory, files, disks, network, control groups."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil

from resilience.host import usage
from resilience.model import Identity, Json, Place
from resilience.model.resources import Reading
from resilience.observe.catalogue import reading

HOST = "host"
LOOK_S = 5.0
"""So often it is looked for processes that were begun: that means looking at all of them."""


_NO_GROUPS = usage.Groups(None, None, None)


@dataclass(slots=True)
class _Part:
    """What is known of a part.

    Attributes:
        before: what each of its processes used when it was last read.
        totals: what all that it ever had used together, which only grows.
    """

    root: Identity
    pids: tuple[int, ...] = ()
    before: dict[int, usage.Usage] = field(default_factory=dict)
    totals: dict[str, float] = field(default_factory=dict)
    groups: usage.Groups = _NO_GROUPS
    files: int | None = None


class System:
    """Reads the machine, and the parts that are processes of it.

    Args:
        places: of the stack.
        folder: where the run is recorded, whose file system may run full.
        now_s: any clock that only goes forward.
    """

    collector, of = "system", HOST

    def __init__(self, places: Mapping[str, Place], folder: Path, now_s: Callable[[], float] = time.monotonic) -> None:
        self._roots = Roots(places)
        self._folder, self._now_s = folder, now_s
        self._cores = float(len(os.sched_getaffinity(0)))
        self._parts: dict[str, _Part] = {}
        self._looked_s = float("-inf")
        self._disks: dict[str, float] = {}
        self._busy_s = 0.0
        self._own = usage.groups_of(os.getpid())

    def read(self) -> Sequence[Reading]:
        """All of it."""
        self._look()
        found = [*self._machine(), *_group(HOST, self._own, _NO_GROUPS)]
        for name, part in self._parts.items():
            processes = [*_processes(name, part, self._cores)]
            found += [*processes, *_group(name, part.groups, self._own)] if processes else []
        return found

    def close(self) -> Mapping[str, Json]:
        """Nothing is open."""
        return {}

    def _look(self) -> None:
        """Find the processes of each part: now and then, and when a part was started again."""
        roots = self._roots.now()
        changed = {name: part.root for name, part in self._parts.items()} != roots
        now_s = self._now_s()
        if not changed and now_s - self._looked_s < LOOK_S:
            return
        self._looked_s = now_s
        families = usage.families(roots)
        for name, root in roots.items():
            part = self._parts.get(name)
            if part is None or part.root != root:
                totals = {} if part is None else part.totals
                part = self._parts[name] = _Part(root, totals=totals)
                part.files = usage.open_files_limit(root.pid)
            part.groups = usage.groups_of(root.pid)  # a fault may have put it into another
            part.pids = families.get(name, ())

    def _machine(self) -> Iterator[Reading]:
        of_host = partial(_of_host, HOST)
        cpu = psutil.cpu_times()
        yield of_host("host.cpu", cpu.user + cpu.nice + cpu.system + cpu.irq + cpu.softirq, self._cores)
        yield of_host("host.cpu.waiting", cpu.iowait, self._cores)
        yield of_host("host.cpu.stolen", cpu.steal, self._cores)
        memory = psutil.virtual_memory()
        yield of_host("host.memory.used", memory.total - memory.available, float(memory.total))
        swap = psutil.swap_memory()
        if swap.total:
            yield of_host("host.swap.used", swap.used, float(swap.total))
        whole = psutil.disk_io_counters()
        if whole is not None:
            yield of_host("host.disk.read", whole.read_bytes)
            yield of_host("host.disk.written", whole.write_bytes)
            yield of_host("host.disk.busy", self._disks_busy(), 1.0)
        space = os.statvfs(self._folder)
        size = float(space.f_blocks * space.f_frsize)
        yield of_host("host.disk.space.used", size - space.f_bavail * space.f_frsize, size)
        network = psutil.net_io_counters()
        yield of_host("host.network.received", network.bytes_recv)
        yield of_host("host.network.sent", network.bytes_sent)

    def _disks_busy(self) -> float:
        """Seconds for which the disk that was the busiest in each stretch was busy, added up."""
        now = {name: disk.busy_time / 1000 for name, disk in psutil.disk_io_counters(perdisk=True).items()}
        self._busy_s += max((busy - self._disks.get(name, busy) for name, busy in now.items()), default=0.0)
        self._disks = now
        return self._busy_s


def _of_host(of: str, name: str, value: float, limit: float | None = None) -> Reading:
    return reading(name, of, value, limit)


_COUNTED = {
    "process.cpu": "cpu_s",
    "process.read": "read",
    "process.written": "written",
    "process.switches.waited": "waited",
    "process.switches.preempted": "preempted",
}


def _processes(name: str, part: _Part, cores: float) -> Iterator[Reading]:
    """What the processes of a part use together; nothing if all of them are gone.

    Counters of single processes are added up by how much they grew, so that one that ends takes nothing away.
    """
    now = {pid: used for pid in part.pids if (used := usage.of_process(pid)) is not None}
    for pid, used in now.items():
        before = part.before.get(pid)
        same = before is not None and before.start_ticks == used.start_ticks
        for metric, key in _COUNTED.items():
            if getattr(used, key) >= 0:
                grew = getattr(used, key) - (getattr(before, key) if same else 0)
                part.totals[metric] = part.totals.get(metric, 0.0) + max(0.0, grew)
    part.before = now
    if not now:
        return
    quota = None if part.groups.cpu is None else usage.cores(part.groups.cpu)
    limit = cores if quota is None else min(cores, quota)
    for metric, total in part.totals.items():
        yield reading(metric, name, total, limit if metric == "process.cpu" else None)
    own = sum(used.rss - used.shared for used in now.values())
    most = None if part.groups.memory is None else usage.memory(part.groups.memory)[1]
    shared = max(used.shared for used in now.values())
    yield reading("process.memory", name, own + shared, None if most is None else float(most))
    yield reading("process.count", name, len(now))
    yield reading("process.threads", name, sum(used.threads for used in now.values()))
    if all(used.files >= 0 for used in now.values()):
        files = sum(used.files for used in now.values())
        alone = len(now) == 1 and part.files is not None
        yield reading("process.files", name, files, float(part.files or 0) if alone else None)


def _group(name: str, groups: usage.Groups, shared: usage.Groups) -> Iterator[Reading]:
    """What its control groups say, where they are not the machine's root nor those that the runner is in, too."""
    cpu, memory, pids = (
        None if one == other else one
        for one, other in (
            (groups.cpu, shared.cpu),
            (groups.memory, shared.memory),
            (groups.pids, shared.pids),
        )
    )
    throttled = None if cpu is None else usage.throttling(cpu)
    if throttled is not None:
        yield reading("cgroup.periods.throttled", name, throttled.throttled)
        yield reading("cgroup.periods.free", name, throttled.periods - throttled.throttled)
    for metric, figures in (
        ("cgroup.memory", None if memory is None else usage.memory(memory)),
        ("cgroup.pids", None if pids is None else usage.pids(pids)),
    ):
        if figures is not None and figures[0] is not None:
            yield reading(metric, name, figures[0], None if figures[1] is None else float(figures[1]))


class Roots:
    """The first process of each part: read from the stack's state file whenever that changes."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        self._known = {name: place.identity for name, place in places.items() if place.identity is not None}
        self._files = {place.state for place in places.values() if place.state}
        self._changed: dict[str, int] = {}

    def now(self) -> dict[str, Identity]:
        """The processes as they were last written down."""
        for name in self._files:
            try:
                changed = Path(name).stat().st_mtime_ns
                if self._changed.get(name) == changed:
                    continue
                places = json.loads(Path(name).read_bytes())["places"]
            except (OSError, ValueError, KeyError):
                continue  # it is being replaced, or the stack is gone: what was known stands
            self._changed[name] = changed
            for part, place in places.items():
                if place.get("identity"):
                    self._known[part] = Identity(**place["identity"])
        return dict(self._known)
