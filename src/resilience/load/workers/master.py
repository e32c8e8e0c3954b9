"""The master: `python -m resilience.load.workers.master`, instead of `load.process` where workers carry a load.

To whoever started it, it says and is told what `load.process` does, with a `Gathering` as the first line that it is
told. It starts workers on this machine, lets those of other hosts join, gives each its share, and hands on what they
report as if one process had done it all. It sends nothing to the target itself.

A worker that is lost (its process ended, or nothing was heard of it for `Gathering.silence_s`) does not end the run.
It is told as a note of a slice, and its account is made of what it left (`workers.lost`).
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

# Locust comes before whatever opens sockets or starts threads: importing it replaces both, and does it once.
import gevent
import gevent.subprocess
from gevent.event import Event
from locust.env import Environment

from resilience.codec import decode, encode
from resilience.errors import LoadError, ResilienceError
from resilience.host.processes import boot_id
from resilience.load.carry import PATIENCE_S
from resilience.load.pipes import Commands, Speaker
from resilience.load.users import ArrivalUser
from resilience.load.workers.gathering import Slices, account_of_all
from resilience.load.workers.lost import Loss, account_of_lost
from resilience.load.workers.member import Member, from_ledger
from resilience.load.workers.runners import Master
from resilience.load.workers.shipping import Receiver
from resilience.model import Gathering, Json, LoadOrder, Share

DRAIN_S = 5.0
HAND_ON_S = 0.1
_EVERYWHERE = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - not bound to here
"""Where a worker of this machine finds a master that listens at all addresses."""

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
SURELY_S = 1.0
"""A worker that has not heard of its master for half the silence has ended after so much more."""

GIVE_UP_S = 0.5
"""So long a last word may take to leave this process."""
TAIL_S = 15.0
"""How much longer than its own limits a worker may take to finish: it seals, and sends what it has written."""


@dataclass
class _News:
    """What was heard and not yet dealt with."""

    failure: str = ""
    notes: list[str] = field(default_factory=list)
    event: Event = field(default_factory=Event)


class Run:
    """One run with several workers.

    Args:
        gathering: which workers.
        commands: where the order and `stop` come from.
        speaker: where slices and the account go.

    Raises:
        LoadError: the workers are not there in time.
    """

    def __init__(self, gathering: Gathering, commands: Commands, speaker: Speaker) -> None:
        self._gathering = gathering
        self._commands = commands
        self._speaker = speaker
        self._members: dict[str, Member] = {}
        self._processes: dict[int, Any] = {}
        self._news = _News()
        self._zero_ns = 0
        self._stop_ns = 0
        self._stopped = False
        self._slices: Slices | None = None
        self._environment = Environment(user_classes=[ArrivalUser])
        host, _, port = gathering.listen.rpartition(":")
        self._runner = Master(
            self._environment,
            host.strip("[]"),
            int(port),
            token=gathering.token,
            places=gathering.local + gathering.remote,
            heard=self._hear,
        )
        self._environment.runner = self._runner
        for _ in range(gathering.local):
            self._start_worker()
        self._gather()

    def give_up(self) -> None:
        """Have all workers end at once."""
        for member in self._members.values():
            self._runner.say(member.client, {"kind": "quit"})
        gevent.sleep(GIVE_UP_S)

    # ----------------------------------------------------------------------------------------------------- workers

    def _start_worker(self) -> None:
        host = self._gathering.listen.rpartition(":")[0]
        address = f"{_EVERYWHERE.get(host, host)}:{self._runner.server.port}"
        argv = [sys.executable, "-P", "-m", "resilience.load.workers.worker", "--connect", address, "--local"]
        process = gevent.subprocess.Popen(argv, stdin=gevent.subprocess.PIPE)
        process.stdin.write(self._gathering.token.encode() + b"\n")
        process.stdin.flush()
        self._processes[process.pid] = process
        gevent.spawn(self._wait, process)

    def _wait(self, process: Any) -> None:  # noqa: ANN401 - gevent's own kind of process
        code = process.wait()
        members = [member for member in self._members.values() if member.process is process]
        for member in members:
            self._lose(member, f"its process ended with code {code}", time.monotonic_ns())
        if not members and not self._news.failure:
            self._news.failure = f"a worker ended with code {code} before it had joined"
            self._news.event.set()

    def _gather(self) -> None:
        wanted = self._gathering.local + self._gathering.remote
        if not self._until(lambda: len(self._members) >= wanted, self._gathering.wait_s):
            there = sum(1 for member in self._members.values() if member.process is not None)
            raise LoadError(
                f"after {self._gathering.wait_s:g} s {there} of {self._gathering.local} workers of this machine and "
                f"{len(self._members) - there} of {self._gathering.remote} of other hosts had joined; all were expected"
            )
        # Those of this machine come first, so that the first share is never a stranger's.
        ordered = sorted(self._members.values(), key=lambda member: member.process is None)
        for index, member in enumerate(ordered):
            member.share = Share(index, wanted)

    def _until(self, met: Any, timeout_s: float) -> bool:  # noqa: ANN401 - a condition
        """Wait until a condition is met; False if it is not in time.

        Raises:
            LoadError: a worker failed meanwhile.
        """
        end_s = time.monotonic() + timeout_s
        while not met():
            if self._news.failure:
                raise LoadError(self._news.failure)
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                return False
            self._news.event.clear()
            self._news.event.wait(min(left_s, HAND_ON_S))
        return True

    # ------------------------------------------------------------------------------------------------ what they say

    def _hear(self, client: str, told: Mapping[str, Any]) -> None:
        came_ns = time.monotonic_ns()
        member, kind = self._members.get(client), told.get("kind")
        if kind == "clock":
            answer = {"kind": "clock", "sent": told.get("sent"), "came": came_ns, "answered": time.monotonic_ns()}
            self._runner.say(client, answer)
        elif kind == "joined" and member is None:
            process = self._processes.get(told["pid"]) if told.get("local") else None
            self._members[client] = Member(client, dict(told), process=process)
        if member is not None:
            member.heard_ns = came_ns
            if member.loss is not None:
                self._runner.say(client, {"kind": "end"})  # it was given up: its arrivals are accounted for already
            else:
                self._take(member, str(kind), told)
        self._news.event.set()

    def _take(self, member: Member, kind: str, told: Mapping[str, Any]) -> None:
        match kind:
            case "prepared":
                member.prepared = True
            case "ready":
                member.ready = True
            case "slice" if self._slices is not None:
                piece = {name: value for name, value in told.items() if name != "kind"}
                member.offered += piece["offered"]
                member.ended.update({name: sum(count.values()) for name, count in piece["counts"].items()})
                member.cpu_share = max(member.cpu_share, piece.get("cpu_share", 0.0))
                self._slices.add(member.name, piece)
            case "piece" if member.receiver is not None:
                self._write(member, told)
            case "done":
                member.account = dict(told["account"])
                member.about |= {name: told[name] for name in ("offset_s", "uncertainty_s")}
            case "failed":
                self._news.failure = f"worker {member.name}: {told.get('message')}"

    def _write(self, member: Member, told: Mapping[str, Any]) -> None:
        assert member.receiver is not None  # noqa: S101 - asked before
        try:
            self._runner.say(member.client, member.receiver.take(told))
        except (TypeError, ValueError, OSError) as error:
            self._news.failure = f"what worker {member.name} sent cannot be written down: {error}"

    def _lose(self, member: Member, why: str, unsure_ns: int) -> None:
        if member.over:
            return
        at_ns = member.heard_ns if member.process is None else unsure_ns
        member.loss = Loss(at_ns - self._zero_ns, unsure_ns - self._zero_ns, member.offered, member.ended)
        member.why = why
        if self._slices is None:
            self._news.failure = f"worker {member.name} was lost before the load began: {why}"
        else:
            self._slices.lose(member.name)
            self._news.notes.append(f"worker {member.name} on {member.about['host']} was lost: {why}")
        # Locust would otherwise give its users to the others some time later.
        self._runner.target_user_count = sum(1 for one in self._members.values() if one.loss is None)
        if member.process is not None and member.process.poll() is None:
            member.process.kill()
        self._news.event.set()

    def _look_for_lost(self) -> None:
        now_ns = time.monotonic_ns()
        for member in self._members.values():
            silent_s = (now_ns - member.heard_ns) / 1e9
            if not member.over and silent_s > self._gathering.silence_s:
                gone_ns = member.heard_ns + int((self._gathering.silence_s / 2 + SURELY_S) * 1e9)
                self._lose(member, f"nothing was heard of it for {silent_s:.1f} s", max(gone_ns, now_ns))

    # --------------------------------------------------------------------------------------------------- an order

    def carry_out(self, order: LoadOrder) -> dict[str, Json]:
        """Have everything sent and written down; return the account of all workers together.

        Raises:
            LoadError: a worker cannot carry out its share, or all are lost.
            ResilienceError: something could not be written down.
        """
        members = sorted(self._members.values(), key=lambda member: member.share.index)
        self._begin(order, members)
        longest_s = max(operation.timeout_s for operation in order.load.operations) + PATIENCE_S + TAIL_S
        while not all(member.over for member in members):
            self._until(lambda: all(member.over for member in members), HAND_ON_S)
            self._look_for_lost()
            self._hand_on()
            if time.monotonic_ns() - self._zero_ns > self._stop_ns + longest_s * 1e9:
                for member in members:
                    self._lose(member, f"it did not end within {longest_s:g} s", time.monotonic_ns())
        self._hand_on(all_of_them=True)
        for member in members:
            self._runner.say(member.client, {"kind": "end"})
            if member.receiver is not None:
                member.receiver.close()
        if any(member.process is None for member in members):
            gevent.sleep(GIVE_UP_S)
        if all(member.loss is not None for member in members):
            raise LoadError("; ".join(f"worker {member.name} was lost: {member.why}" for member in members))
        return self._account(order, members)

    def _begin(self, order: LoadOrder, members: list[Member]) -> None:
        """Return when all workers follow the schedule.

        Raises:
            LoadError: one does not.
        """
        self._zero_ns = order.zero_ns
        self._stop_ns = int(order.max_s * 1e9)
        for member in members:
            self._give(member, order)
        left_s = (order.zero_ns - time.monotonic_ns()) / 1e9
        if not self._until(lambda: all(member.prepared for member in members), max(left_s, 0.0)):
            missing = ", ".join(member.name for member in members if not member.prepared)
            raise LoadError(f"{missing} had not been ready at the run's zero; a later zero was expected")
        self._slices = Slices(member.name for member in members)
        gevent.spawn(self._runner.start, len(members), len(members))
        if not self._until(lambda: all(member.ready for member in members), TAIL_S):
            raise LoadError("workers did not begin although they were ready")
        self._speaker.say("ready", {"ready_ns": time.monotonic_ns()})
        gevent.spawn(self._listen)

    def _give(self, member: Member, order: LoadOrder) -> None:
        boot = "" if member.about.get("boot") == boot_id() else boot_id()
        if boot and urlsplit(order.base_url).hostname in _LOOPBACK:
            raise LoadError(
                f"worker {member.name} is on {member.about.get('host')}, from where the target at {order.base_url} "
                "cannot be reached; a target with an address that others reach was expected"
            )
        member.order = replace(order, share=member.share, boot=boot)
        member.heard_ns = time.monotonic_ns()
        if member.process is None:
            accounts = [account.name for account in order.accounts]
            member.receiver = Receiver(Path(order.folder), member.name, accounts)
        self._runner.say(
            member.client, {"kind": "order", "order": encode(member.order), "lease_s": self._gathering.silence_s / 2}
        )

    def _listen(self) -> None:
        while (word := self._commands.next()) == "stop":
            if not self._stopped:
                self._stopped = True
                self._stop_ns = min(self._stop_ns, time.monotonic_ns() - self._zero_ns)
                for member in self._members.values():
                    self._runner.say(member.client, {"kind": "stop"})
        self._news.failure = f"{word!r} was read on standard input; stop was expected"
        self._news.event.set()

    def _hand_on(self, *, all_of_them: bool = False) -> None:
        assert self._slices is not None  # noqa: S101 - there are slices once a load has begun
        now_s = max((time.monotonic_ns() - self._zero_ns) / 1e9, 0.0)
        notes, self._news.notes = self._news.notes, []
        for piece in self._slices.take(now_s, all_of_them=all_of_them):
            self._speaker.say("slice", {**piece, "notes": list(notes)})
            notes = []
        self._news.notes = [*notes, *self._news.notes]

    # ---------------------------------------------------------------------------------------------------- accounts

    def _account(self, order: LoadOrder, members: list[Member]) -> dict[str, Json]:
        accounts: list[Mapping[str, Any]] = []
        for member in members:
            if member.loss is not None and member.order is not None:
                member.account = account_of_lost(member.order, member.loss, self._stop_ns)
            accounts.append(member.account or {})
        together = account_of_all(accounts)
        if any(member.loss is not None for member in members):
            together |= from_ledger(order)
        together["stopped_by"] = "stop" if self._stopped else "max"
        together["workers"] = [member.row for member in members]
        return together


def main() -> None:
    """Gather workers, have an order carried out, and end."""
    out = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints must not get between the lines of our JSON
    speaker, commands = Speaker(out), Commands(0)
    code = 0
    run: Run | None = None
    try:
        run = Run(decode(Gathering, json.loads(commands.next())), commands, speaker)
        speaker.say("idle", {})
        speaker.say("done", run.carry_out(decode(LoadOrder, json.loads(commands.next()))))
    except Exception as error:  # noqa: BLE001 - it is passed on whole
        if not isinstance(error, ResilienceError):
            traceback.print_exc()
        speaker.say("error", {"message": str(error) if isinstance(error, ResilienceError) else repr(error)})
        code = 1
        if run is not None:
            run.give_up()
    speaker.drain(DRAIN_S)
    sys.stderr.flush()
    os._exit(code)  # workers of this machine end with their standard input


if __name__ == "__main__":
    main()
