"""Disturbances: faults that were in place together are one, as far as recovery from them and what they exposed go.

One begins with the request of its first fault and is over when the last of them is. What nobody saw reverted goes on.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from resilience.judge.phases import FaultWindow


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One or several faults at once. Instants are seconds since the run began; None is what was not seen of all.

    Attributes:
        name: of the fault or the group; of several `a + b`.
        what: kinds and parts: `toxiproxy.down on redis`.
        like: what was written, which several disturbances can be times of.
        confirmed_s: when the first was seen active; None unless every one was.
        clear_s: when the last was seen gone; None unless every one was. Of a strike, when it struck.
        over_s: until when its effect is what was asked for: `clear_s`, but of a strike the end of its fault phase.
        until_s: the next disturbance's request, or the end of the last phase.
    """

    name: str
    what: str
    like: str
    members: tuple[FaultWindow, ...]
    requested_s: float
    confirmed_s: float | None
    clear_s: float | None
    over_s: float | None
    until_s: float

    @property
    def end_s(self) -> float:
        """When it was over; if nobody saw that, when it was last watched."""
        return self.until_s if self.over_s is None else self.over_s


def find_disturbances(windows: Sequence[FaultWindow], until_s: float) -> tuple[Disturbance, ...]:
    """Put together what overlaps; faults that were never requested are in none."""
    asked = sorted((window for window in windows if window.requested_s is not None), key=_requested)
    together: list[list[FaultWindow]] = []
    for window in asked:
        if together and any(_overlap(before, window) for before in together[-1]):
            together[-1].append(window)
        else:
            together.append([window])
    ends = [*(_requested(members[0]) for members in together[1:]), until_s]
    return tuple(_joined(members, end_s) for members, end_s in zip(together, ends, strict=False))


def _requested(window: FaultWindow) -> float:
    return window.requested_s or 0.0


def _overlap(before: FaultWindow, window: FaultWindow) -> bool:
    """Whether one fault was still in place when the next was asked for, or they are of one group."""
    if before.group and before.group == window.group:
        return True
    reverted_s = math.inf if before.reverting_s is None else before.reverting_s
    return _requested(window) <= (reverted_s if before.over_s is None else before.over_s)


def _joined(members: Sequence[FaultWindow], until_s: float) -> Disturbance:
    def last(instants: Sequence[float | None]) -> float | None:
        told = [instant for instant in instants if instant is not None]
        return max(told) if len(told) == len(instants) else None

    confirmed = [member.confirmed_s for member in members if member.confirmed_s is not None]
    return Disturbance(
        name=_said(member.group or member.name for member in members),
        what=_said(f"{member.kind} on {member.on}" for member in members),
        like=_said(member.of or f"{member.kind} on {member.on}" for member in members),
        members=tuple(members),
        requested_s=_requested(members[0]),
        confirmed_s=min(confirmed) if len(confirmed) == len(members) else None,
        clear_s=last([member.clear_s for member in members]),
        over_s=last([member.over_s for member in members]),
        until_s=until_s,
    )


def _said(texts: Iterable[str]) -> str:
    return " + ".join(dict.fromkeys(texts))
