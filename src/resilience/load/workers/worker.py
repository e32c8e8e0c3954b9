"""A worker: `python -m resilience.load.workers.worker --connect HOST:PORT`, or `resilience worker` on another host.

It joins a run by its token (the first line of standard input), measures how far its clock is from the master's, is told
an order, carries out its share of it, and ends. What it says to the master and is told, each a document with a `kind`:

* `joined` → its host, its boot and its offset; `clock` and its answer, again and again
* `order` ← an order in which the zero is that of this machine's clock; → `prepared`, when everything is made
* Locust's own `spawn` ← then the schedule is followed; → `slice` four times a second
* `stop` ← nothing begins any more; → `done` with the account, when everything is sealed and has come
* `piece` → of a file, from a worker whose folder is not the run's; ← `come`
* `failed` → something could not be written down, or the order cannot be carried out
* `end` ← everything is there, the process ends; `quit` ← it ends at once, the run is given up

A process that was started by the master itself (`--local`) ends at once when its standard input does, any other when
it has not heard of its master for LEASE_S. Nothing is sealed then.
"""

import argparse
import contextlib
import os
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

# Locust comes before whatever opens sockets or starts threads: importing it replaces both, and does it once.
import gevent
from gevent.event import AsyncResult, Event
from gevent.queue import Queue
from locust.env import Environment
from locust.stats import RequestStats

from resilience.codec import decode
from resilience.errors import LoadError, ResilienceError
from resilience.host.processes import boot_id
from resilience.load.carry import Carrier
from resilience.load.pipes import ORPHANED, Commands
from resilience.load.users import ArrivalUser
from resilience.load.workers.offset import Exchange, Followed, Offset, estimate
from resilience.load.workers.runners import Worker
from resilience.load.workers.shipping import Sender
from resilience.model import Json, LoadOrder
from resilience.record.samples import warm_up

LEASE_S = 5.0
"""A worker on another host that has not heard of its master for this long, or as long as the master says, ends."""

JOIN_S = 60.0
ROUNDS_FIRST, ROUNDS_AGAIN = 16, 4
AGAIN_S = 2.0
WATCH_S = 0.1
ANSWER_S = 1.0
SHIP_S = 0.1
SWITCH_S = 0.001
DRAIN_S = 5.0


class Joined:
    """A worker's side of a run.

    Args:
        host, port: of the master.
        token: of the run.
        local: whether the run's folder is this process's, too.
    """

    def __init__(self, host: str, port: int, token: str, *, local: bool) -> None:
        self._local = local
        self._heard_s = time.monotonic()
        self._answers: Queue = Queue()
        self._order: AsyncResult = AsyncResult()
        self._end = Event()
        self._carrier: Carrier | None = None
        self._stopped = False
        self._lease_s = LEASE_S
        self._sender: Sender | None = None
        self._environment = Environment(user_classes=[ArrivalUser])
        self._environment.stats = RequestStats(use_response_times_cache=False)  # as Locust's own workers have them
        self._runner = Worker(self._environment, host, port, token=token, heard=self._hear, patience_s=JOIN_S)
        self._environment.runner = self._runner
        self._clock = Followed(self._measure(ROUNDS_FIRST))

    def run(self) -> None:
        """Carry out one order.

        Raises:
            ResilienceError: it cannot be carried out, or something could not be written down.
        """
        gevent.spawn(self._follow_clock)
        if not self._local:
            gevent.spawn(self._watch)
        about = {"host": socket.gethostname(), "pid": os.getpid(), "boot": boot_id(), "local": self._local}
        self._runner.say({"kind": "joined", **about, **self._told_clock()})
        order, spool = self._order.get(), None
        if not self._local:
            spool = tempfile.TemporaryDirectory(prefix="resilience-worker-")
            order = replace(order, folder=spool.name)
            self._sender = Sender(Path(spool.name), self._runner.say)
        order = replace(order, zero_ns=order.zero_ns - self._clock.used)
        carrier = self._carrier = Carrier(order, self._environment, self._say)
        carrier.make_ready()
        self._runner.say({"kind": "prepared"})
        if self._stopped:
            carrier.engine.stop()
        shipping = gevent.spawn(self._ship)
        account = carrier.run()
        if self._sender is not None:
            while not self._sender.go_on(time.monotonic()):
                gevent.sleep(SHIP_S)
        shipping.kill()
        self._runner.say({"kind": "done", "account": account, **self._told_clock()})
        self._end.wait(LEASE_S)
        if spool is not None:
            spool.cleanup()

    def fail(self, message: str) -> None:
        """Tell the master why this worker cannot go on."""
        self._runner.say({"kind": "failed", "message": message})
        self._end.wait(DRAIN_S)

    def _say(self, kind: str, document: dict[str, Json]) -> None:
        self._runner.say({**document, "kind": kind})

    def _told_clock(self) -> dict[str, Json]:
        return {"offset_s": self._clock.used / 1e9, "uncertainty_s": self._clock.uncertainty / 1e9}

    def _hear(self, told: Mapping[str, Any]) -> None:
        self._heard_s = time.monotonic()
        match told.get("kind"):
            case "clock":
                self._answers.put((told["sent"], told["came"], told["answered"], time.monotonic_ns()))
            case "order":
                self._lease_s = float(told.get("lease_s", LEASE_S))
                try:
                    self._order.set(decode(LoadOrder, told["order"]))
                except ResilienceError as error:
                    self._order.set_exception(error)
            case "stop":
                self._stopped = True
                if self._carrier is not None:
                    self._carrier.engine.stop()
            case "come" if self._sender is not None:
                self._sender.known(told, time.monotonic())
            case "end":
                self._end.set()
            case "quit":
                os._exit(ORPHANED)

    def _measure(self, rounds: int) -> Offset:
        """Ask for the master's time that often.

        Raises:
            LoadError: no answer comes.
        """
        exchanges = []
        for _ in range(rounds):
            while not self._answers.empty():
                self._answers.get()
            self._runner.say({"kind": "clock", "sent": time.monotonic_ns()})
            try:
                exchanges.append(Exchange(*self._answers.get(timeout=ANSWER_S)))
            except gevent.queue.Empty:
                continue
        if not exchanges:
            raise LoadError("the master does not answer when it is asked for its time")
        return estimate(exchanges)

    def _follow_clock(self) -> None:
        """Measure the clock again and again."""
        while True:
            gevent.sleep(min(AGAIN_S, self._lease_s / 2))
            with contextlib.suppress(LoadError):  # whether nobody answers any more is looked at elsewhere
                self._clock.again(self._measure(ROUNDS_AGAIN))

    def _watch(self) -> None:
        """End when the master is gone."""
        while time.monotonic() - self._heard_s <= self._lease_s:
            gevent.sleep(WATCH_S)
        os._exit(ORPHANED)

    def _ship(self) -> None:
        while self._sender is not None:
            try:
                self._sender.go_on(time.monotonic())
            except OSError as error:
                if self._carrier is not None:
                    self._carrier.engine.fail(LoadError(f"what was written cannot be read again: {error}"))
                return
            gevent.sleep(SHIP_S)


def _orphaned(commands: Commands) -> None:
    while True:
        commands.next()  # at the end of the input the process ends


def main() -> None:
    """Join a run, carry out a share of its load, and end."""
    parser = argparse.ArgumentParser(description="Carry a share of the load of a run.")
    parser.add_argument("--connect", required=True, metavar="HOST:PORT")
    parser.add_argument("--local", action="store_true", help="started by the master itself, on its machine")
    options = parser.parse_args()
    host, _, port = options.connect.rpartition(":")
    sys.setswitchinterval(SWITCH_S)
    os.dup2(2, 1)
    commands = Commands(0)
    token = commands.next()
    code = 0
    joined: Joined | None = None
    try:
        warm_up()  # writing samples for the first time would hold everything up for 20 ms
        if options.local:
            gevent.spawn(_orphaned, commands)
        joined = Joined(host.strip("[]"), int(port), token, local=options.local)
        joined.run()
    except Exception as error:  # noqa: BLE001 - it is passed on whole
        if not isinstance(error, ResilienceError):
            traceback.print_exc()
        message = str(error) if isinstance(error, ResilienceError) else repr(error)
        sys.stderr.write(message + "\n")
        if joined is not None:
            joined.fail(message)
        code = 1
    sys.stderr.flush()
    os._exit(code)  # everything is sealed; nothing that ends slowly (threads, greenlets) may keep anybody waiting


if __name__ == "__main__":
    main()
