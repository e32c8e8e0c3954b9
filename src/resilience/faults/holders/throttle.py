"""Keeps a part to a share of a core by stopping and continuing it (SIGSTOP, SIGCONT), without a control group.

In every `PERIOD_S` the part's processes may use so much processor time, all together; once it is used up they are
stopped until the next one. What they used beyond it, because it was noticed late, is taken off the next: the mean is
exact, a single period is not. What is measured is the processor-time clock of each process (clock_getcpuclockid(3)),
threads included.

A second process, the guard, does nothing but wait for the end of the first, whatever ends it: then it continues them.
Who continues them if both are killed at once is the revert, in the runner or in the reaper.
"""

import contextlib
import os
import select
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Never

from resilience.faults import holder
from resilience.host import processes
from resilience.model import Identity

PERIOD_S = 0.1
LOOK_S = 0.5
"""So often it is looked for new processes of the part: one that lives for less than this may not be met."""
LEAST_S = 0.001
LATE_S = 1.0
"""The guard gives the holder so long beyond its lease."""


def family(told: Mapping[str, Any]) -> tuple[Identity, ...]:
    """The part's processes: those that were noted, what descends from them, and what the stack started as that part.

    Args:
        told: `processes` (identities, the first is the root), `tag` and `part` (of the launch; empty if unknown).
    """
    listed = [Identity(**each) for each in told["processes"]]
    found = [*listed, *processes.descendants(listed[0])]
    if told["tag"]:
        found += processes.of_part(str(told["tag"]), str(told["part"]))
    return tuple(dict.fromkeys(found))


def let_go(told: Mapping[str, Any]) -> None:
    """Continue all of them, also one that is yet to stop: SIGCONT takes back a SIGSTOP that is still on its way."""
    for identity in family(told):
        with contextlib.suppress(PermissionError):
            processes.send(identity, signal.SIGCONT)


@dataclass
class _Member:
    """A process that is held: a handle that can mean no other, and what it had used."""

    handle: int
    used_s: float


class Throttle:
    """Who is held, and what they may still use.

    Args:
        told: as for `family`, and `percent` of a core.
    """

    def __init__(self, told: Mapping[str, Any]) -> None:
        """Nobody is held yet."""
        self._told = told
        self._quota_s = float(told["percent"]) / 100 * PERIOD_S
        self._members: dict[Identity, _Member] = {}
        self._cores = os.cpu_count() or 1
        self._first = True
        self.stopped = False

    def run(self) -> Never:
        """Until somebody ends this process."""
        left_s, period, look = self._quota_s, time.monotonic(), 0.0
        while True:
            now = time.monotonic()
            if now >= look:
                look = now + LOOK_S
                self._look()
            left_s -= self._used_s()
            if now >= period:
                begun = int((now - period) / PERIOD_S) + 1
                period += begun * PERIOD_S
                left_s = min(self._quota_s, left_s + begun * self._quota_s)
            if (left_s <= 0) is not self.stopped:
                self._send(signal.SIGCONT if self.stopped else signal.SIGSTOP)
            wait_s = period - time.monotonic()
            # As many cores as there are may use it up together.
            time.sleep(max(0.0, wait_s) if self.stopped else max(LEAST_S, min(wait_s, left_s / self._cores)))

    def _look(self) -> None:
        """Take in who is new, with what it has used since it was born, and those of the beginning with nothing."""
        for identity in family(self._told):
            if identity in self._members:
                continue
            with contextlib.suppress(ProcessLookupError):
                handle = os.pidfd_open(identity.pid)
                if not processes.alive(identity):
                    os.close(handle)
                    continue
                self._members[identity] = _Member(handle, clock_s(identity.pid) if self._first else 0.0)
                if self.stopped:
                    self._signal(identity, signal.SIGSTOP)
        self._first = False

    def _used_s(self) -> float:
        """What they have used since it was last asked."""
        used_s = 0.0
        for identity, member in self._members.items():
            with contextlib.suppress(OSError):  # gone; `_signal` forgets it
                now_s = clock_s(identity.pid)
                used_s += max(0.0, now_s - member.used_s)
                member.used_s = now_s
        return used_s

    def _send(self, number: int) -> None:
        self.stopped = number == signal.SIGSTOP
        for identity in tuple(self._members):
            self._signal(identity, number)

    def _signal(self, identity: Identity, number: int) -> None:
        member = self._members[identity]
        try:
            signal.pidfd_send_signal(member.handle, number)
        except ProcessLookupError:
            os.close(member.handle)
            del self._members[identity]


def clock_s(pid: int) -> float:
    """The processor time of a process, threads included: the clock that clock_getcpuclockid(3) gives for its number.

    Raises:
        OSError: it is gone.
    """
    return time.clock_gettime((~pid << 3) | 2)


def hold(told: Mapping[str, Any]) -> None:
    """Begin the guard, then hold; for ever."""
    self_handle = os.pidfd_open(os.getpid())
    if os.fork() == 0:
        _guard(self_handle, told)
    Throttle(told).run()


def _guard(held_by: int, told: Mapping[str, Any]) -> Never:
    """Wait for the holder's end, which is due when its lease is; then continue everybody."""
    try:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # who ends a holder means both, and this one still has to do
        if not select.select([held_by], [], [], float(told["lease_s"]) + LATE_S)[0]:
            signal.pidfd_send_signal(held_by, signal.SIGKILL)
            select.select([held_by], [], [], LATE_S)
        let_go(told)
    finally:
        os._exit(0)


if __name__ == "__main__":
    holder.main(hold)
