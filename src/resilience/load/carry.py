"""Carries out an order, or one worker's share of it: engine, samples, ledger and slices put together."""

import gc
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

# Locust comes before whatever opens sockets or starts threads: importing it replaces both, and does it once.
import gevent
from gevent.event import Event
from locust.env import Environment

from resilience.errors import LoadError
from resilience.load.accounts import AccountLedger
from resilience.load.engine import Engine
from resilience.load.health import Health, Reading
from resilience.load.said import said_of
from resilience.load.selfcheck import self_check
from resilience.load.statistics import Statistics, heard
from resilience.load.users import ArrivalUser, reporter
from resilience.load.workers.shares import name_of
from resilience.model import Json, LoadOrder
from resilience.record.folder import writes_of
from resilience.record.ledger import SUFFIX, AccountWriter, LedgerWriter
from resilience.record.samples import SampleWriter

if TYPE_CHECKING:
    from resilience.load.subscriptions import Subscriptions

SLICE_S = 0.25
FLUSH_S = 1.0
PATIENCE_S = 1.0
"""How much longer than the longest time limit of an operation is waited for what is in flight at the end."""

_COLLECTED = 20_000
"""The collector looks for cycles after so many more objects were made than freed, not after Python's 700."""
_TOGETHER_NS = 1_000_000
"""Two clocks read further apart than this are read again."""
_TRIES = 5

Say: TypeAlias = Callable[[str, dict[str, Json]], None]
"""Takes what is to be told: a kind, and the fields."""


class Carrier:
    """One order, or one worker's share of it, carried out.

    Args:
        order: what to do.
        environment: Locust's, whose user class is `ArrivalUser`.
        say: takes slices, and that everything is ready: a kind and the fields.

    Raises:
        LoadError: the order cannot be carried out; every reason.
    """

    def __init__(self, order: LoadOrder, environment: Environment, say: Say) -> None:
        self._order = order
        self._say = say
        folder, name = Path(order.folder), name_of(order.share)
        self._samples = SampleWriter(
            folder,
            name,
            [operation.name for operation in order.load.operations],
            tenants=[tenant.name for tenant in order.load.tenants],
            regions=[region.name for region in order.load.regions],
            timed=any(operation.timed for operation in order.load.operations),
            said=said_of(order.load),
        )
        self._ledger = LedgerWriter(writes_of(folder) / f"{name}{SUFFIX}", order.run, boot=order.boot)
        self._accounts = {
            account.name: AccountWriter(writes_of(folder, account.name) / f"{name}{SUFFIX}", order.run, boot=order.boot)
            for account in order.accounts
        }
        self._subscriptions = _subscriptions(order, self._accounts)
        accounts = self._accounts if self._subscriptions is None else self._subscriptions.accounts
        self._environment = environment
        self._statistics = Statistics(environment, order.load.operations)
        self._report = reporter(environment, order.base_url)
        self.engine = Engine(order, self._samples, self._ledger, None, accounts)
        self.engine.meter.keep()
        self._ending = Event()
        self._sliced_s = 0.0
        self._health: Health | None = None
        self._began_cpu, self._began_ns = 0.0, 0

    def make_ready(self) -> None:
        """Nothing is left to be made, and the first arrival is still to come.

        Raises:
            LoadError: it was ready too late; nothing was sent.
        """
        ArrivalUser.engine = self.engine
        self._tell_locust()
        gc.collect()
        gc.freeze()  # what is here now stays; the collector need not look at it again during the run
        gc.set_threshold(_COLLECTED)  # rows of samples come and go by the thousand, and none of them is in a cycle
        self._began_cpu, self._began_ns = time.process_time(), self.engine.now_ns()
        if self._began_ns >= 0:
            msg = (
                f"the generator was ready {self._began_ns / 1e9:.3f} s after the run's zero; a later zero was expected"
            )
            raise LoadError(msg)

    def run(self) -> dict[str, Json]:
        """Send everything once a user of Locust walks, seal everything, and return the account.

        Raises:
            ResilienceError: something could not be written down.
        """
        engine = self.engine
        engine.walking.wait()
        self._say("ready", {"ready_ns": time.monotonic_ns()})
        helpers = [gevent.spawn(self._slices), gevent.spawn(self._flushes)]
        checking = gevent.spawn(_checked, self._order)
        if self._subscriptions is not None:
            self._subscriptions.start(engine, self._samples)
        engine.walked.wait()
        self._check()
        engine.finish(max(operation.timeout_s for operation in self._order.load.operations) + PATIENCE_S)
        if self._subscriptions is not None:
            self._subscriptions.settle()
        self._ending.set()
        gevent.joinall(helpers)
        self._check()
        account: dict[str, Json] = {
            **engine.meter.account(),
            "attempted": engine.writers.attempted,
            "acknowledged": engine.writers.acknowledged,
            "unsettled": engine.writers.unsettled,
            **engine.operator.account(),
            **({"journeys": engine.operator.journeys.account()} if self._order.load.journeys else {}),
            **({} if self._subscriptions is None else {"subscriptions": self._subscriptions.account()}),
            "stopped_by": engine.stopped_by,
            "cpu_s": time.process_time() - self._began_cpu,
            "wall_s": (engine.now_ns() - self._began_ns) / 1e9,
            "generator": self._health.account() if self._health is not None else {},
            "self_check": checking.get(),
        }
        self._samples.close()
        for ledger in (self._ledger, *self._accounts.values()):
            ledger.close()
        if self._subscriptions is not None:
            self._subscriptions.close()
        return account

    def _check(self) -> None:
        if self.engine.error is not None:
            raise self.engine.error

    def _slices(self) -> None:
        engine = self.engine
        self._ending.wait(-engine.now_ns() / 1e9)
        self._health = Health(_reading(engine.now_ns() / 1e9, 0.0))
        number = 1
        while not self._ending.wait(max(number * SLICE_S - engine.now_ns() / 1e9, 0.0)):
            self._slice(number * SLICE_S)
            number = max(number, int(engine.now_ns() / 1e9 / SLICE_S)) + 1
        self._slice(engine.now_ns() / 1e9)

    def _slice(self, due_s: float) -> None:
        engine, now_s = self.engine, max(self.engine.now_ns() / 1e9, 0.0)
        piece = engine.meter.slice(self._sliced_s, now_s, engine.in_flight)
        self._tell_locust()
        if self._health is not None:
            piece["cpu_share"] = self._health.look(_reading(now_s, now_s - due_s))
        piece["attempted"] = engine.writers.attempted
        piece["acknowledged"] = engine.writers.acknowledged
        piece["unsettled"] = engine.writers.unsettled
        piece["backlog"] = engine.operator.backlog
        self._sliced_s = now_s
        self._say("slice", piece)

    def _tell_locust(self) -> None:
        """Tell Locust what was counted: each operation on its own only while somebody listens for that."""
        rows, operator = self.engine.meter.taken(), self.engine.operator
        if operator.report is None:
            self._statistics.add(rows)
        operator.report = self._report if heard(self._environment) else None

    def _flushes(self) -> None:
        while not self._ending.wait(FLUSH_S):
            try:
                if self._subscriptions is not None:
                    self._subscriptions.flush()
                gevent.get_hub().threadpool.apply(self._samples.flush)
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing may be sent any more
                self.engine.fail(error)
                return


def _checked(order: LoadOrder) -> dict[str, Json]:
    """Whether the clients send once; nothing if that could not be tried, which then nobody knows."""
    try:
        return self_check(order)
    except Exception:  # noqa: BLE001 - whatever it is, the load goes on, and the record lacks what it should hold
        traceback.print_exc()
        return {}


def _subscriptions(order: LoadOrder, accounts: Mapping[str, AccountLedger]) -> "Subscriptions | None":
    """The long-lived connections of the load, if it has any."""
    if not order.load.subscriptions:
        return None
    from resilience.load.subscriptions import Subscriptions  # noqa: PLC0415 - a library that not everybody has

    return Subscriptions(order, accounts)


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
