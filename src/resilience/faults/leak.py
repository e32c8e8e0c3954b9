"""A memory leak: what a part would lose by one is taken by a process beside it, in the same control group.

The part's own memory is not touched. With a limit, part and leak share what it allows, so that less and less is left
for the part. Short of memory, the kernel ends the leak first, and so the part lives; the fault is then seen to be gone.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from resilience.errors import FaultError
from resilience.faults import cgroup, holder
from resilience.faults.cgroup import GroupFault, memory_figures, memory_limits, parts_of, root_of
from resilience.faults.holders.leak import MB, NAME
from resilience.faults.kinds import LEASE, Kind, Setting, Settings, kind_of
from resilience.host import cgroups, processes
from resilience.host.cgroups import Group
from resilience.model import Identity, Json, Place, Problem, Undo

LATE_S = 2.0
"""So long the leak may take to begin."""
SPARE = 0.8
"""Without a limit of its own it takes at most this share of what the machine has left."""


class MemoryLeak(GroupFault):
    """Memory that the part can use is lost: `mb_per_s`, up to `max_mb`.

    How it is undone: the process that took it is ended; part and group as in `cgroup.memory`. What it needs: the part's
    process on this machine; a control group that can be written, if there is to be a limit. When it fails: the kernel
    ends the leak.
    """

    kind = "cgroup.memory-leak"
    controller = "memory"

    def prepare(self) -> Undo:
        """Note where the part is; with a limit, where its processes go."""
        limited = self._number("limit_mb") > 0
        told: dict[str, Json] = {"mb_per_s": self._settings["mb_per_s"], "max_mb": self._settings["max_mb"]}
        if limited:
            undo = super().prepare()
            told["join"] = f"{parts_of(undo)[0].path}/cgroup.procs"
        else:
            if self._place is None:
                raise FaultError(Problem(self.kind, "needs a part of a stack"))
            root = root_of(self._place)
            data: dict[str, Json] = {"part": self._place.name, "root": asdict(root), "group": None}
            undo = Undo(kind=self.kind, data=data)
            told["join"] = str(_to_join(root) or "")
        more: dict[str, Json] = {"holder": holder.new_name(), "told": told, LEASE: self._settings[LEASE]}
        return Undo(kind=self.kind, data={**undo.data, **more})

    def inject(self, undo: Undo, /) -> None:
        """The group, if there is one, then the leak."""
        data: Mapping[str, Any] = undo.data
        if data["group"]:
            super().inject(undo)
        holder.start(data["holder"], "leak", data["told"], lease_s=data[LEASE])

    def revert(self, undo: Undo, /) -> None:
        """End the leak, then the group."""
        holder.end(str(undo.data["holder"]))
        if undo.data["group"]:
            super().revert(undo)

    def active(self, undo: Undo, /) -> bool:
        """Whether memory is taken where the part is, and as fast as was asked for.

        Raises:
            FaultError: far too slowly, or elsewhere, or only one of leak and group is there.
        """
        data: Mapping[str, Any] = undo.data
        limited = bool(data["group"]) and super().active(undo)
        said = self.proof if limited else ""
        leaks = holder.holding(data["holder"])
        taken_mb = sum(_taken_mb(leak) for leak in leaks)
        self.proof = f"{taken_mb:.1f} MB are taken by process {leaks[0].pid}" if leaks else "no process takes memory"
        self.proof += f"; {said}" if said else ""
        if limited and not leaks:
            raise FaultError(Problem(str(data["part"]), f"the group is there, the leak is not: {self.proof}"))
        if not leaks or not taken_mb:
            return False
        told = data["told"]
        due_mb = min(told["max_mb"], told["mb_per_s"] * (processes.age_s(leaks[0]) - LATE_S))
        if taken_mb < due_mb / 2:
            raise FaultError(Problem(str(data["part"]), f"{self.proof}, {due_mb:.0f} MB were expected by now"))
        return True

    def _limits(self, version: int, root: Identity) -> Mapping[str, str]:
        return memory_limits(version, root, self._number("limit_mb"))

    def _figures(self, group: Group) -> str:
        return memory_figures(group)


def _to_join(root: Identity) -> Path | None:
    """The file by which a process joins the part's group; None if it is in it anyhow, as a child of ours."""
    tree = cgroups.find_tree("memory")
    home = tree.group_of(root.pid) if tree else None
    if tree is None or home is None or home == tree.group_of(os.getpid()):
        return None
    return home / "cgroup.procs"


def _taken_mb(leak: Identity) -> float:
    """What is resident of the mapping of a leak; 0 if the process is gone."""
    try:
        text = Path(f"/proc/{leak.pid}/smaps").read_text()
    except OSError:
        return 0.0
    found = re.search(rf"/memfd:{NAME} .*?^Rss:\s+(\d+) kB", text, re.DOTALL | re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def _room(settings: Settings, place: Place) -> tuple[Problem, ...]:
    """What keeps a leak from being made here."""
    if settings["limit_mb"]:
        return cgroup.lacking("memory", place)
    spare_mb = SPARE * psutil.virtual_memory().available / MB
    if float(str(settings["max_mb"])) > spare_mb:
        message = f"{settings['max_mb']} is more than the {spare_mb:.0f} MB that this machine can spare"
        return (Problem("max_mb", message, "give less, or a limit_mb"),)
    try:
        join = _to_join(root_of(place))
    except FaultError as error:
        return error.problems
    return cgroup.lacking("memory", place) if join and not os.access(join, os.W_OK) else ()


def _below(settings: Settings) -> tuple[Problem, ...]:
    most, limit = int(str(settings["max_mb"])), int(str(settings["limit_mb"]))
    if limit and most >= limit:
        hint = "the kernel would end the leak, and the fault would be gone"
        return (Problem("max_mb", f"{most} is not less than limit_mb {limit}", hint),)
    return ()


KINDS: tuple[Kind, ...] = (
    kind_of(
        MemoryLeak,
        "the process that takes memory beside {on} is ended, and the control group, if one was made, is removed",
        cgroup.NEEDS,
        {
            "mb_per_s": Setting(default=10, minimum=1, maximum=10_000, meaning="How fast it grows."),
            "max_mb": Setting(default=256, minimum=1, maximum=1_000_000, meaning="How far it grows."),
            "limit_mb": Setting(
                default=0, maximum=1_000_000, meaning="What part and leak may take together from now on; 0 is no limit."
            ),
        },
        together=_below,
        preflight=_room,
    ),
)
"""The kinds of this mechanism."""
