"""A part gets a share of a core: by a control group of the kernel, or, where none can be had, by signals.

By signals a process of ours (`holders/throttle.py`) stops the part's processes once they have used up their time in a
tenth of a second, and continues them in the next. It ends with its starter and with its lease, and whatever ends it,
its guard continues them; should both be killed at once, the revert does, by the runner or by the reaper.
"""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from resilience.errors import FaultError
from resilience.faults import holder
from resilience.faults.cgroup import LEAST_US, NEEDS, PERIODS_US, GroupFault, lacking, parts_of, root_of
from resilience.faults.holders.throttle import LOOK_S, PERIOD_S, clock_s, family, let_go
from resilience.faults.kinds import LEASE, Kind, Setting, Settings, kind_of
from resilience.host import cgroups, processes
from resilience.host.cgroups import Group
from resilience.model import Identity, Json, Place, Problem, Undo

AUTO, GROUP, SIGNALS = "auto", "cgroup", "signals"
MEASURED_S = 3 * PERIOD_S
"""Over so long it is measured what they use; a single period may be exceeded, and the next ones make up for it."""
SLACK = 0.15
"""Of a core: what may be used beyond the share while it is measured, on a busy machine."""
HOLDERS = 2
"""The holder and its guard."""


class Cpu(GroupFault):
    """The part gets `percent` of one core's time, all its processes together.

    How it is undone: its processes are moved back and the group is removed; by signals, the holder is ended and they
    are continued. What it needs: the part's process on this machine, and a control group that can be written or the
    right to send it signals. When it fails: the process is gone, limited already or stopped already.
    """

    kind = "cgroup.cpu"
    controller = "cpu"

    def prepare(self) -> Undo:
        """By which means, and what they need to be taken back."""
        if self._place is None:
            raise FaultError(Problem(self.kind, "needs a part of a stack"))
        if chosen(self._settings, self._place) == GROUP:
            return super().prepare()
        place, root = self._place, root_of(self._place)
        processes_ = (root, *processes.descendants(root))
        stopped = [identity.pid for identity in processes_ if processes.state_of(identity) == "T"]
        if stopped:
            raise FaultError(Problem(place.name, f"processes {stopped} are stopped already", "continue them first"))
        if others := _holding(root):
            hint = "let that end, or `resilience reap`"
            raise FaultError(Problem(place.name, f"it is held already, by {', '.join(others)}", hint))
        data: dict[str, Json] = {
            "part": place.launch.name if place.launch else place.name,
            "tag": place.launch.tag if place.launch else "",
            "processes": [asdict(identity) for identity in processes_],
            "percent": self._settings["percent"],
            "holder": holder.new_name(),
            LEASE: self._settings[LEASE],
        }
        return Undo(kind=self.kind, data=data)

    def inject(self, undo: Undo, /) -> None:
        """Make the group, or start the holder."""
        if "holder" not in undo.data:
            super().inject(undo)
            return
        data: Mapping[str, Any] = undo.data
        told = {name: data[name] for name in ("processes", "tag", "part", "percent")}
        holder.start(data["holder"], "throttle", told, lease_s=data[LEASE])

    def revert(self, undo: Undo, /) -> None:
        """Give back the processor at once, then the rest."""
        if "holder" in undo.data:
            try:
                holder.end(str(undo.data["holder"]))
            finally:
                let_go(undo.data)
            return
        group = parts_of(undo)[0]
        group.lift(*(("cpu.cfs_quota_us", "-1") if group.version == 1 else ("cpu.max", "max")))
        group.remove()

    def active(self, undo: Undo, /) -> bool:
        """Whether they are held to the share: by the kernel, or as it is measured.

        Raises:
            FaultError: some of them are, or to another limit; or nobody is left to continue those that are stopped.
        """
        return self._held_by_signals(undo.data) if "holder" in undo.data else super().active(undo)

    def _held_by_signals(self, data: Mapping[str, Any]) -> bool:
        holders = holder.holding(str(data["holder"]))
        members = [identity for identity in family(data) if processes.alive(identity)]
        part = str(data["part"])
        if not holders:
            stopped = [identity.pid for identity in members if processes.state_of(identity) == "T"]
            self.proof = "nothing holds its processes" + (f", {stopped} are stopped" if stopped else "")
            if stopped:
                raise FaultError(Problem(part, self.proof))
            return False
        held = {pid for each in holders for pid in _handles(each)}
        # It is looked for new ones every LOOK_S only.
        outside = [each.pid for each in members if each.pid not in held and processes.age_s(each) > 2 * LOOK_S]
        if len(holders) < HOLDERS or outside or not members:
            message = f"{len(holders)} of {HOLDERS} processes that hold it run, not held yet are {outside}"
            raise FaultError(Problem(part, message))
        used = _share(members)
        allowed = float(data["percent"]) / 100
        self.proof = f"{len(members)} processes are held by signals; {100 * used:.0f} % of a core was used"
        if used > allowed + SLACK:
            raise FaultError(Problem(part, f"{self.proof}, {100 * allowed:g} % was allowed"))
        return True

    def _limits(self, version: int, root: Identity) -> Mapping[str, str]:  # noqa: ARG002 - as declared
        percent = self._number("percent")
        period_us = next(length for length in PERIODS_US if percent * length // 100 >= LEAST_US)
        quota_us = percent * period_us // 100
        if version == 1:
            return {"cpu.cfs_period_us": str(period_us), "cpu.cfs_quota_us": str(quota_us)}
        return {"cpu.max": f"{quota_us} {period_us}"}

    def _figures(self, group: Group) -> str:
        stat = group.figures("cpu.stat")
        limits = dict(group.limits)
        words = limits.get("cpu.max") or f"{limits['cpu.cfs_quota_us']} {limits['cpu.cfs_period_us']}"
        quota_us, period_us = (int(word) for word in words.split())
        throttled = f"throttled in {stat['nr_throttled']} of {stat['nr_periods']} periods"
        return f"{quota_us / 1e3:g} of every {period_us / 1e3:g} ms of a core, {throttled}"


def chosen(settings: Settings, place: Place) -> str:
    """By which means it would be done: `cgroup` or `signals`."""
    if settings["mechanism"] != AUTO:
        return str(settings["mechanism"])
    return SIGNALS if lacking(Cpu.controller, place) else GROUP


def _holding(root: Identity) -> tuple[str, ...]:
    """The holders of ours, whoever started them, that stop and continue a process: two would be in each other's way."""
    ours = [(each, tag) for each, tag in processes.all_tagged() if tag.startswith(holder.PREFIX)]
    return tuple(dict.fromkeys(tag for each, tag in ours if root.pid in _handles(each)))


def _handles(of: Identity) -> set[int]:
    """The processes of which a process has a handle (pidfd), as the kernel says; none if it is gone."""
    found = set()
    try:
        for path in Path(f"/proc/{of.pid}/fdinfo").iterdir():
            lines = [line.split() for line in path.read_text().splitlines()]
            found |= {int(line[1]) for line in lines if line[:1] == ["Pid:"]}
    except OSError:
        return found
    return found


def _share(members: list[Identity]) -> float:
    """What they use of a core, over a few periods; what has gone meanwhile is left out."""
    before, began = _used_s(members), time.monotonic()
    time.sleep(MEASURED_S)
    after, took_s = _used_s(members), time.monotonic() - began
    return sum(max(0.0, after[each] - before[each]) for each in after if each in before) / took_s


def _used_s(members: list[Identity]) -> dict[Identity, float]:
    found = {}
    for each in members:
        with suppress(OSError):  # gone
            found[each] = clock_s(each.pid)
    return found


def _preflight(settings: Settings, place: Place) -> tuple[Problem, ...]:
    cores = os.cpu_count() or 1
    if int(str(settings["percent"])) >= 100 * cores:
        return (Problem("percent", f"{settings['percent']} limits nothing", f"this machine has {cores} cores"),)
    if settings["mechanism"] == GROUP:
        return lacking(Cpu.controller, place)
    if settings["mechanism"] == AUTO and not (without := lacking(Cpu.controller, place)):
        return without
    try:
        root = root_of(place)
        processes.send(root, 0)
    except PermissionError:
        return (Problem(place.name, "its process may not be sent signals", "run as its user, or as root"),)
    except FaultError as error:
        return error.problems
    return ()


def _how(settings: Settings, place: Place) -> str:
    if chosen(settings, place) == SIGNALS:
        return (
            f"SIGSTOP and SIGCONT: the mean is exact to a hundredth of a core, a single {1e3 * PERIOD_S:g} ms is not; "
            "processes that live for less than half a second may not be met"
        )
    tree = cgroups.find_tree(Cpu.controller)
    period_us = next(length for length in PERIODS_US if int(str(settings["percent"])) * length // 100 >= LEAST_US)
    return (
        f"control group version {tree.version if tree else '?'}: the kernel's own quota in every {period_us / 1e3:g} ms"
    )


KINDS: tuple[Kind, ...] = (
    kind_of(
        Cpu,
        "the processes of {on} are moved back to the control groups they were in, and ours is removed; without groups, "
        "they are continued (SIGCONT)",
        NEEDS,
        {
            "percent": Setting(
                default=20, minimum=1, maximum=10_000, meaning="Share of one core for all its processes."
            ),
            "mechanism": Setting(
                default=AUTO, meaning="By which means; auto is cgroup where it can be.", choices=(AUTO, GROUP, SIGNALS)
            ),
        },
        preflight=_preflight,
        mechanism=_how,
    ),
)
"""The kinds of this mechanism."""
