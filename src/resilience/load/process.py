"""The load process: `python -m resilience.load.process`, started and ended by `load.drivers.locust`.

On standard input: one line with a `LoadOrder` as JSON, later the word `stop`. On standard output, one JSON object
a line:

* `{"type": "idle"}` everything is imported, and the order is waited for
* `{"type": "ready", "ready_ns": …}` everything is made, and the first arrival is still to come
* `{"type": "slice", …}` every 250 ms, the fields of a `model.Slice`
* `{"type": "done", …}` everything is written down and sealed: the generator's account; exit 0
* `{"type": "error", "message": …}` something could not be written down, or the order is wrong; exit 1

When standard input ends without `stop`, whoever started the load is gone: the process ends at once and seals nothing.
SIGTERM does the same, by the kernel's hand.
"""

import gc
import json
import os
import sys
import time
import traceback
from collections import deque
from pathlib import Path

# Locust comes before whatever opens sockets or starts threads: importing it replaces both, and does it once.
import gevent
import gevent.os
import gevent.socket
from gevent.event import Event
from locust.env import Environment

from resilience.codec import decode
from resilience.errors import LoadError, ResilienceError
from resilience.load.engine import Engine
from resilience.load.health import Health, Reading
from resilience.load.users import ArrivalUser, reporter
from resilience.model import Json, LoadOrder
from resilience.record.folder import writes_of
from resilience.record.ledger import SUFFIX, AccountWriter, LedgerWriter
from resilience.record.samples import SampleWriter, warm_up

SLICE_S = 0.25
FLUSH_S = 1.0
PATIENCE_S = 1.0
"""How much longer than the longest time limit of an operation is waited for what is in flight at the end."""

UNSENT_LIMIT = 1_000_000
"""Bytes of slices kept for a reader that does not read; beyond it slices are left out. Nothing judged is in them."""

DRAIN_S = 5.0
SWITCH_S = 0.001
"""How long the thread that writes samples may hold up the engine; gevent also looks for input at least so often."""

ORPHANED = 3
_CHUNK = 65536
_TOGETHER_NS = 1_000_000
"""Two clocks read further apart than this are read again."""
_TRIES = 5


class Speaker:
    """Writes JSON lines to a pipe without ever holding up the engine."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._more = Event()
        self._idle = Event()
        self._idle.set()
        gevent.os.make_nonblocking(handle)
        gevent.spawn(self._write)

    def say(self, kind: str, document: dict[str, Json]) -> None:
        """Queue one line."""
        if kind == "slice" and self._size > UNSENT_LIMIT:
            return
        line = json.dumps({"type": kind, **document}, separators=(",", ":")).encode() + b"\n"
        self._waiting.append(line)
        self._size += len(line)
        self._idle.clear()
        self._more.set()

    def drain(self, timeout_s: float) -> None:
        """Wait until everything was written."""
        self._idle.wait(timeout_s)

    def _write(self) -> None:
        while True:
            self._more.wait()
            self._more.clear()
            while self._waiting:
                line = self._waiting.popleft()
                self._size -= len(line)
                try:
                    while line:
                        line = line[gevent.os.nb_write(self._handle, line) :]
                except OSError:
                    os._exit(ORPHANED)  # nobody listens any more
            self._idle.set()


class Commands:
    """Reads lines from standard input."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._buffer = b""

    def next(self) -> str:
        """The next line. At the end of the input the process ends."""
        while b"\n" not in self._buffer:
            gevent.socket.wait_read(self._handle)
            data = os.read(self._handle, _CHUNK)
            if not data:
                os._exit(ORPHANED)  # the runner is gone; what is not sealed will be seen to be unfinished
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode()


class Process:
    """One order carried out.

    Args:
        order: what to do.
        commands: where `stop` comes from.
        speaker: where slices and the account go.
    """

    def __init__(self, order: LoadOrder, commands: Commands, speaker: Speaker) -> None:
        self._order = order
        self._commands = commands
        self._speaker = speaker
        folder = Path(order.folder)
        self._environment = Environment(user_classes=[ArrivalUser], host=order.base_url)
        self._samples = SampleWriter(
            folder,
            "load",
            [operation.name for operation in order.load.operations],
            tenants=[tenant.name for tenant in order.load.tenants],
            regions=[region.name for region in order.load.regions],
        )
        self._ledger = LedgerWriter(writes_of(folder) / f"load{SUFFIX}", order.run)
        self._accounts = {
            account.name: AccountWriter(writes_of(folder, account.name) / f"load{SUFFIX}", order.run)
            for account in order.accounts
        }
        report = reporter(self._environment, order.base_url)
        self._engine = Engine(order, self._samples, self._ledger, report, self._accounts)
        self._ending = Event()
        self._sliced_s = 0.0
        self._health: Health | None = None

    def run(self) -> dict[str, Json]:
        """Send everything, seal everything, and return the account.

        Raises:
            LoadError: it was ready too late; nothing was sent.
            ResilienceError: something could not be written down.
        """
        engine = self._engine
        ArrivalUser.engine = engine
        runner = self._environment.create_local_runner()
        gc.collect()
        gc.freeze()  # what is here now stays; the collector need not look at it again during the run
        began_cpu, began_ns = time.process_time(), engine.now_ns()
        if began_ns >= 0:
            msg = f"the generator was ready {began_ns / 1e9:.3f} s after the run's zero; a later zero was expected"
            raise LoadError(msg)
        runner.start(1, spawn_rate=1)
        engine.walking.wait()
        self._speaker.say("ready", {"ready_ns": time.monotonic_ns()})
        helpers = [gevent.spawn(self._listen), gevent.spawn(self._slices), gevent.spawn(self._flushes)]
        engine.walked.wait()
        self._check()
        engine.finish(max(operation.timeout_s for operation in self._order.load.operations) + PATIENCE_S)
        runner.quit()
        self._ending.set()
        gevent.joinall(helpers[1:])
        self._check()
        account: dict[str, Json] = {
            **engine.meter.account(),
            "attempted": engine.writers.attempted,
            "acknowledged": engine.writers.acknowledged,
            "unsettled": engine.writers.unsettled,
            "stopped_by": engine.stopped_by,
            "cpu_s": time.process_time() - began_cpu,
            "wall_s": (engine.now_ns() - began_ns) / 1e9,
            "generator": self._health.account() if self._health is not None else {},
        }
        self._samples.close()
        for ledger in (self._ledger, *self._accounts.values()):
            ledger.close()
        return account

    def _check(self) -> None:
        if self._engine.error is not None:
            raise self._engine.error

    def _listen(self) -> None:
        while (word := self._commands.next()) == "stop":
            self._engine.stop()
        self._engine.fail(LoadError(f"{word!r} was read on standard input; stop was expected"))

    def _slices(self) -> None:
        engine = self._engine
        self._ending.wait(-engine.now_ns() / 1e9)
        self._health = Health(_reading(engine.now_ns() / 1e9, 0.0))
        number = 1
        while not self._ending.wait(max(number * SLICE_S - engine.now_ns() / 1e9, 0.0)):
            self._slice(number * SLICE_S)
            number = max(number, int(engine.now_ns() / 1e9 / SLICE_S)) + 1
        self._slice(engine.now_ns() / 1e9)

    def _slice(self, due_s: float) -> None:
        engine, now_s = self._engine, max(self._engine.now_ns() / 1e9, 0.0)
        piece = engine.meter.slice(self._sliced_s, now_s, engine.in_flight)
        if self._health is not None:
            piece["cpu_share"] = self._health.look(_reading(now_s, now_s - due_s))
        piece["attempted"] = engine.writers.attempted
        piece["acknowledged"] = engine.writers.acknowledged
        piece["unsettled"] = engine.writers.unsettled
        self._sliced_s = now_s
        self._speaker.say("slice", piece)

    def _flushes(self) -> None:
        while not self._ending.wait(FLUSH_S):
            try:
                gevent.get_hub().threadpool.apply(self._samples.flush)
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing may be sent any more
                self._engine.fail(error)
                return


def _reading(at_s: float, late_s: float) -> Reading:
    """The clocks and the processor time of this process, now."""
    wall_s = None
    for _ in range(_TRIES):
        before_ns, wall_ns, after_ns = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        if after_ns - before_ns < _TOGETHER_NS:
            wall_s = (wall_ns - (before_ns + after_ns) // 2) / 1e9
            break
    asleep_s = time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
    return Reading(at_s=at_s, late_s=late_s, cpu_s=time.process_time(), wall_s=wall_s, asleep_s=asleep_s)


def main() -> None:
    """Read an order, carry it out, and end."""
    sys.setswitchinterval(SWITCH_S)
    out = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints must not get between the lines of our JSON
    speaker, commands = Speaker(out), Commands(0)
    code = 0
    try:
        warm_up()  # writing samples for the first time would hold everything up for 20 ms
        speaker.say("idle", {})
        order = decode(LoadOrder, json.loads(commands.next()))
        speaker.say("done", Process(order, commands, speaker).run())
    except Exception as error:  # noqa: BLE001 - it is passed on whole
        if not isinstance(error, ResilienceError):
            traceback.print_exc()
        speaker.say("error", {"message": str(error) if isinstance(error, ResilienceError) else repr(error)})
        code = 1
    speaker.drain(DRAIN_S)
    sys.stderr.flush()
    os._exit(code)  # everything is sealed; nothing that ends slowly (threads, greenlets) may keep the caller waiting


if __name__ == "__main__":
    main()
