"""Offered = ok + failed + unknown + dropped, and offered is the schedule's own number, under every kind of fault.

The engine, with real sample files and a real ledger, sends to the reference target while the fault comes and goes.
Requirements L3 and L11: whatever the target does, the load that was offered is the load that was planned, and each of
it ends exactly once, in the generator's account, in the samples and in the ledger alike.
"""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import gevent
import pytest

from resilience.columns import Mark
from resilience.drill.examples import EXAMPLES, VARIANTS
from resilience.drill.matrix import Subject
from resilience.errors import FaultError
from resilience.faults import registry
from resilience.host import clocks
from resilience.load.drivers.locust import check_account
from resilience.load.engine import IN_FLIGHT_AT_END, Engine
from resilience.model import OUTCOMES, Expect, Load, LoadOrder, Operation, Outcome, Program, Role
from resilience.ports import Strike
from resilience.record.folder import writes_of
from resilience.record.ledger import SUFFIX, LedgerWriter, read_ledger
from resilience.record.samples import SampleWriter, read_samples
from resilience.spec.mix import Mix
from resilience.spec.profile import arrivals
from tests.faults.parts import eventually
from tests.faults.reasons import reason_of
from tests.faults.world import World, queue_of_loopback, world

pytestmark = [pytest.mark.stack, pytest.mark.slow]

OTHERWISE = {f"{one.kind}, {one.settings['mechanism']}": one for one in VARIANTS}
ON_SERVICE = {
    f"{kind}, of the service": Subject(kind=kind, on="service", settings={})
    for kind in ("process.kill", "process.pause", "process.restart", "process.stop", "network.partition")
}
"""What clients themselves meet: here operations fail, remain unknown and are dropped for certain."""
TO_THE_END = {
    f"{kind}, of the service, to the end": Subject(kind=kind, on="service", settings={})
    for kind in ("process.pause", "network.partition")
}
"""Kinds that are still in place when the load ends: operations are in flight then, and are accounted for."""
SUBJECTS = dict(EXAMPLES) | OTHERWISE | ON_SERVICE | TO_THE_END
KINDS = sorted(SUBJECTS)

PROVIDER = Program(
    name="provider",
    command=("python", "-m", "resilience.provider"),
    ready="/health",
    own_clock=clocks.faketime() is not None,
)
ORDER = {"id": "${write_id}", "item": "${key}", "body": "${write_body}"}
OPERATIONS = (
    Operation(name="read-item", weight=5, method="GET", path="/items/${key}", timeout_s=0.25),
    Operation(name="summary", weight=1, method="GET", path="/items/${key}/summary", timeout_s=0.25),
    Operation(
        name="read-order", weight=2, method="GET", path="/orders/${acked_id}", role=Role.READ_BACK, timeout_s=0.25
    ),
    Operation(
        name="place-order",
        weight=2,
        method="POST",
        path="/orders",
        role=Role.WRITE,
        headers={"Idempotency-Key": "${write_id}"},
        json=ORDER,
        expect=Expect(status=(200, 201), json={"id": "${write_id}"}),
        rejected_status=(400, 422),
        timeout_s=0.25,
    ),
)
LOAD = Load(rate=150, operations=OPERATIONS, arrivals="poisson", max_in_flight=12, keys=200, warm_up_s=0, baseline_s=1)
"""Few slots, so that a target that hangs makes arrivals be dropped."""

MOST_S = 15.0
HELD_S = 0.25
PATIENCE_S = 0.3


@dataclass
class Disturbance:
    """A fault that comes and goes in a thread of its own; `over` is set when the load may stop.

    Attributes:
        span: when it was in place, in nanoseconds of the host's monotonic clock.
        error: what went wrong with it.
    """

    act: Callable[[], None]
    over: threading.Event = field(default_factory=threading.Event)
    span: list[int] = field(default_factory=list)
    error: BaseException | None = None

    def run(self) -> None:
        """Let load pass, disturb it, let load pass."""
        try:
            time.sleep(0.1)
            self.act()
            time.sleep(0.05)
        except BaseException as error:  # noqa: BLE001 - raised again by the test
            self.error = error
        finally:
            self.over.set()


def disturbance(whole: World, kind: str) -> Disturbance:
    """The fault of that kind, prepared."""
    spec = SUBJECTS[kind].spec(30.0)
    thing = registry.build(spec, whole.place(spec.on))
    made = Disturbance(lambda: None)
    if isinstance(thing, Strike):
        thing.prepare()

        def strike() -> None:
            made.span.append(time.monotonic_ns())
            thing.strike()
            made.span.append(time.monotonic_ns())

        made.act = strike
        return made
    undo = thing.prepare()

    def hold() -> None:
        try:
            made.span.append(time.monotonic_ns())
            thing.inject(undo)
            eventually(lambda: thing.active(undo), 5.0)
            time.sleep(HELD_S)
            if kind in TO_THE_END:
                made.over.set()
                time.sleep(PATIENCE_S)
        finally:
            made.span.append(time.monotonic_ns())
            eventually(lambda: thing.revert(undo) is None and thing.active(undo) is False, 20.0)

    made.act = hold
    return made


@pytest.fixture(scope="module")
def whole() -> Iterator[World]:
    """One stack for all kinds; each must find it well."""
    with world(programs=(PROVIDER,)) as started:
        yield started


def well(whole: World) -> bool:
    """Whether the service is ready and reads an item."""
    place = whole.place("service")
    try:
        for path in (place.ready, "/items/1"):
            asked = http.client.HTTPConnection(place.host, place.port, timeout=1.0)
            asked.request("GET", path)
            if asked.getresponse().status != 200:
                return False
            asked.close()
    except OSError as error:
        raise FaultError(str(error)) from error
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_offered_load_closes_under(whole: World, tmp_path: Path, kind: str):
    """Every arrival of the schedule is there once, with one outcome, as its own operation; every write is settled."""
    if reason := reason_of(SUBJECTS[kind].kind):
        pytest.skip(f"{kind}: {reason}")
    eventually(lambda: well(whole), 20.0)
    with queue_of_loopback() if kind in {"network.bandwidth", "network.delay"} else nullcontext():
        made = disturbance(whole, kind)
        engine, account = carried_out(whole, tmp_path, made, 0.02 if kind in TO_THE_END else PATIENCE_S)
    if made.error is not None:
        raise made.error
    check_account(account)
    samples, problems = read_samples(tmp_path)
    assert problems == ()
    names = [operation.name for operation in OPERATIONS]

    # The schedule's arithmetic: what was due until the stop, drawn anew, against what is on record.
    due = [at for at in arrivals(LOAD, 7, MOST_S) if at <= engine.until_ns]
    mix = Mix(LOAD, 7)
    planned = {at: names[mix.choose(index)[0]] for index, at in enumerate(due)}
    seen = {
        int(at): samples.operations[number] for at, number in zip(samples.arrival_ns, samples.operation, strict=True)
    }
    assert account["offered"] == len(samples) == len(seen) == len(due)
    other = {(planned[at], name) for at, name in seen.items() if name != planned[at]}
    assert seen.keys() == planned.keys()
    assert other <= {("read-order", "place-order")}, "a read-back with nothing to read writes instead; nothing else"

    # The identity per operation, by the record and by the generator's own account.
    for name in names:
        own = account["per_operation"][name]
        outcomes = Counter(
            OUTCOMES[outcome].value
            for outcome, number in zip(samples.outcome, samples.operation, strict=True)
            if samples.operations[number] == name
        )
        assert own["offered"] == sum(outcomes.values())
        assert {one.value: own[one.value] for one in Outcome} == {one.value: outcomes[one.value] for one in Outcome}

    # Every write that was sent was noted once and settled once.
    lines = read_ledger(tmp_path)
    marks = Counter(Mark(int(mark)) for mark in lines.mark)
    sent = account["per_operation"]["place-order"]
    assert lines.problems == ()
    assert marks[Mark.ATTEMPTED] == sent["offered"] - sent["dropped"]
    assert marks[Mark.ATTEMPTED] == marks[Mark.ACKNOWLEDGED] + marks[Mark.REJECTED] + marks[Mark.INDETERMINATE]

    if kind in ON_SERVICE:
        lost = sum(account[one] for one in ("failed", "unknown", "dropped"))
        assert lost > 0, "somebody noticed: the identity is about more than ok answers"
    if kind in TO_THE_END:
        assert IN_FLIGHT_AT_END in {samples.details[detail] for detail in samples.detail}
    begin, end = (at - engine._order.zero_ns for at in made.span)
    assert any(begin <= at for at in due), "load passed after the fault began"
    assert end > begin


def carried_out(whole: World, folder: Path, made: Disturbance, patience_s: float):
    """The engine until the disturbance is over, and its account; in flight may be so much longer."""
    order = LoadOrder(
        run="0badcafe",
        seed=7,
        zero_ns=time.monotonic_ns(),
        base_url=whole.place("service").url,
        folder=str(folder),
        load=LOAD,
        max_s=MOST_S,
    )
    with ExitStack() as after:
        samples = SampleWriter(folder, "load", [operation.name for operation in OPERATIONS])
        ledger = LedgerWriter(writes_of(folder) / f"load{SUFFIX}", order.run)
        after.callback(samples.close)
        after.callback(ledger.close)
        engine = Engine(order, samples, ledger, lambda *_: None)
        thread = threading.Thread(target=made.run, name="disturbance")
        thread.start()

        def until_over() -> None:
            while not made.over.is_set():
                gevent.sleep(0.005)
            engine.stop()

        watching = gevent.spawn(until_over)
        engine.walk()
        engine.finish(patience_s)
        thread.join()
        watching.join()
        account = engine.meter.account()
    assert engine.error is None
    return engine, account
