"""The engine by itself, in this process: real sockets, but samples and ledger in memory."""

import threading
import time
from collections import Counter
from dataclasses import replace

import gevent
import pytest

from resilience.columns import Mark
from resilience.errors import LoadError, RecordError
from resilience.load.drivers.locust import check_account
from resilience.load.engine import IN_FLIGHT_AT_END, NO_FREE_SLOT, Engine
from resilience.model import OUTCOMES, Expect, Load, LoadOrder, Operation, Outcome, Region, Role, Segment
from resilience.spec.mix import Mix
from resilience.spec.profile import arrivals
from tests.load.target import HANG, answer

READ = Operation(name="read", weight=1.0, method="GET", path="/items/${key}", timeout_s=5.0)
WRITE = Operation(
    name="write",
    weight=1.0,
    method="POST",
    path="/orders",
    role=Role.WRITE,
    json={"id": "${write_id}", "body": "${write_body}"},
    expect=Expect(status=(201,), json={"id": "${write_id}"}),
    timeout_s=5.0,
)
BACK = Operation(name="back", weight=1.0, method="GET", path="/orders/${acked_id}", role=Role.READ_BACK, timeout_s=5.0)


class Memory:
    """Samples, ledger and reports, kept."""

    def __init__(self, notes: int = 10**9) -> None:
        self.rows: list[tuple] = []
        self.lines: list[tuple] = []
        self.reports: list[tuple] = []
        self._notes = notes

    def add(self, *row, detail: str = "", tenant: int = -1, region: int = -1, **_: object) -> None:
        """Keep a sample."""
        self.rows.append((*row, 0, False, detail, False, tenant, region) if len(row) == 5 else row)

    def note(self, *line) -> None:
        """Keep a line, until the disk is full."""
        if len(self.lines) >= self._notes:
            msg = "the disk is full"
            raise RecordError(msg)
        self.lines.append(line)

    def report(self, *report) -> None:
        """Keep a report."""
        self.reports.append(report)

    def outcomes(self) -> Counter:
        """How often each outcome was written down."""
        return Counter(OUTCOMES[row[4]] for row in self.rows)


def make(url: str, memory: Memory, *operations: Operation, max_s: float = 0.5, **load) -> Engine:
    whole = Load(**{"rate": 100.0, "operations": operations, **load})
    order = LoadOrder(
        run="0badcafe", seed=1, zero_ns=time.monotonic_ns(), base_url=url, folder="/", load=whole, max_s=max_s
    )
    return Engine(order, memory, memory, memory.report)


def test_what_never_ended_is_accounted_for(make_target):
    """Operations in flight at the end are failed reads and unknown writes; the account closes (Requirement L3)."""
    target = make_target(lambda _: HANG)
    memory = Memory()
    engine = make(target.url, memory, READ, WRITE)
    engine.walk()
    open_before = engine.in_flight
    engine.finish(0.1)
    gevent.sleep(0.05)  # killed greenlets must not write anything down a second time
    account = engine.meter.account()
    check_account(account)
    assert open_before == account["offered"] == len(memory.rows) == 50
    assert engine.in_flight == 0
    assert {row[7] for row in memory.rows} == {IN_FLIGHT_AT_END}
    writes = account["per_operation"]["write"]["unknown"]
    assert memory.outcomes() == {Outcome.UNKNOWN: writes, Outcome.FAILED: 50 - writes}
    assert Counter(line[0] for line in memory.lines) == {Mark.ATTEMPTED: writes, Mark.INDETERMINATE: writes}
    assert engine.writers.unsettled == writes


def test_an_arrival_without_a_free_slot_is_dropped_at_once(make_target):
    """With three slots and a target that hangs, three are sent and all others are dropped at their arrival."""
    target = make_target(lambda _: HANG)
    memory = Memory()
    engine = make(target.url, memory, WRITE, max_in_flight=3)
    engine.walk()
    engine.finish(0.0)
    check_account(engine.meter.account())
    assert memory.outcomes() == {Outcome.DROPPED: 47, Outcome.UNKNOWN: 3}
    dropped = [row for row in memory.rows if row[7] == NO_FREE_SLOT]
    assert all(arrival == start == end for arrival, start, end, *_ in dropped)
    assert sum(line[0] is Mark.ATTEMPTED for line in memory.lines) == 3  # a dropped write was never attempted
    assert len(target.asked) == 3
    gone = [report for report in memory.reports if report[1].outcome is Outcome.DROPPED]
    assert len(gone) == 47
    assert {report[2:4] for report in gone} == {(None, None)}


def test_arrivals_and_choices_are_the_schedule(make_target):
    """Every arrival of the schedule, and none else, is in the samples with the operation that the mix chose."""
    target = make_target(lambda _: answer(200, {}))
    memory = Memory()
    engine = make(
        target.url, memory, READ, Operation(name="other", weight=2.0, method="GET", path="/"), arrivals="poisson"
    )
    load = Load(rate=100.0, operations=engine._order.load.operations, arrivals="poisson")
    engine.walk()
    engine.finish(1.0)
    due = list(arrivals(load, 1, 0.5))
    mix = Mix(load, 1)
    expected = [(at, mix.choose(index)[0]) for index, at in enumerate(due)]
    assert sorted((row[0], row[3]) for row in memory.rows) == expected
    assert all(arrival <= start <= end for arrival, start, end, *_ in memory.rows)


def test_every_operation_is_sent_for_its_tenant_and_from_its_region(make_target):
    """Requirement L4: drawn by seed and index; what a tenant wrote is read back for that tenant; dropped ones count."""
    target = make_target(
        lambda asked: answer(201, asked.document) if asked.method == "POST" else answer(200, {"id": asked.path[8:39]})
    )
    tenants = (Segment(name="blue", weight=2), Segment(name="green"))
    headers = {"X-Tenant": "${tenant}", "X-Region": "${region}"}
    write, back = (replace(one, headers=headers) for one in (WRITE, BACK))
    memory = Memory()
    engine = make(
        target.url, memory, write, back, max_s=1.0, max_in_flight=2, tenants=tenants, regions=(Region(name="eu"),)
    )
    engine.walk()
    engine.finish(1.0)
    mix = Mix(engine._order.load, 1)
    rows = sorted(memory.rows)
    assert len(rows) == 100
    assert {row[10] for row in rows} == {0}
    drawn = [mix.segment(index)[0] for index in range(100)]
    assert [row[9] for row, one in zip(rows, drawn, strict=True) if row[3] == 0] == [
        one for row, one in zip(rows, drawn, strict=True) if row[3] == 0
    ]
    wrote = {asked.document["id"]: asked.headers["x-tenant"] for asked in target.asked if asked.method == "POST"}
    read = [asked for asked in target.asked if asked.method == "GET"]
    assert set(wrote.values()) == {"blue", "green"}
    assert len(read) > 10
    assert [asked.headers["x-tenant"] for asked in read] == [wrote[asked.path[8:]] for asked in read]
    assert {asked.headers["x-region"] for asked in target.asked} == {"eu"}


def test_latency_counts_from_the_intended_start_when_the_generator_itself_is_late(make_target):
    """After a stall of the generator, overdue arrivals are sent at once, and their response times hold the delay."""
    target = make_target(lambda _: answer(200, {}))
    memory = Memory()
    engine = make(target.url, memory, READ)
    walker = gevent.spawn(engine.walk)
    gevent.sleep(0.1)
    began = engine.now_ns()
    time.sleep(0.25)  # blocks the whole loop
    ended = engine.now_ns()
    walker.join()
    engine.finish(1.0)
    assert memory.outcomes() == {Outcome.OK: 50}
    overdue = [row for row in memory.rows if began + 2_000_000 < row[0] < ended]
    assert len(overdue) >= 23
    assert all(start >= ended and end - arrival >= ended - arrival for arrival, start, end, *_ in overdue)
    account = engine.meter.account()
    assert account["started_late"] >= 22
    assert account["lag_max_s"] == pytest.approx(0.25, abs=0.08)


def test_stop_sends_what_is_due_and_nothing_later(make_target):
    """Stopped while behind: all that was due at that moment is still sent, nothing that was due later."""
    target = make_target(lambda _: answer(200, {}))
    memory = Memory()
    engine = make(target.url, memory, READ, max_s=60.0)
    walker = gevent.spawn(engine.walk)
    gevent.sleep(0.05)
    time.sleep(0.2)
    engine.stop()
    stopped = engine.now_ns()
    walker.join(1.0)
    engine.finish(1.0)
    due = [at for at in arrivals(engine._order.load, 1, 60.0) if at <= stopped]
    assert sorted(row[0] for row in memory.rows)[: len(due) - 1] == due[:-1]
    assert len(memory.rows) in {len(due), len(due) - 1}  # one may fall between stopping and reading the clock
    assert engine.stopped_by == "stop"


def test_a_region_with_a_way_of_its_own_is_sent_there(make_target):
    """Requirement L9: each region's operations, and nobody else's, reach its address, over connections of their own."""
    here, far = (make_target(lambda _: answer(200, {})) for _ in range(2))
    regions = (Region(name="eu", weight=2, latency_s=0.0), Region(name="us"))
    load = Load(rate=100.0, operations=(READ, replace(READ, name="other")), regions=regions, max_in_flight=4)
    order = LoadOrder(
        run="0badcafe",
        seed=1,
        zero_ns=time.monotonic_ns(),
        base_url=here.url,
        folder="/",
        load=load,
        max_s=0.5,
        ways={"eu": f"{far.url}/eu"},
    )
    memory = Memory()
    engine = Engine(order, memory, memory, memory.report)
    engine.walk()
    engine.finish(1.0)
    check_account(engine.meter.account())
    sent = Counter(row[10] for row in memory.rows)
    assert sent == Counter(Mix(load, 1).segment(index)[1] for index in range(50))
    assert (len(far.asked), len(here.asked)) == (sent[0], sent[1])
    assert {asked.path.split("/")[1] for asked in far.asked} == {"eu"}
    assert {asked.path.split("/")[1] for asked in here.asked} == {"items"}
    assert {asked.headers["host"] for asked in far.asked} == {far.url.removeprefix("http://")}
    assert far.connections <= 4
    assert here.connections <= 4


def test_nothing_is_sent_after_the_ledger_cannot_be_written(make_target):
    """The first write that cannot be noted stops everything: it is not sent, nor is anything after it."""
    target = make_target(lambda asked: answer(201, asked.document))
    memory = Memory(notes=10)
    engine = make(target.url, memory, WRITE, max_s=60.0)
    engine.walk()
    engine.finish(1.0)
    assert isinstance(engine.error, RecordError)
    assert engine.walked.is_set()
    attempted = [line for line in memory.lines if line[0] is Mark.ATTEMPTED]
    assert len(target.asked) == len(attempted)
    assert 5 <= len(attempted) <= 10  # five, if each is acknowledged before the next is attempted
    assert engine.now_ns() < 2e9


def test_without_anything_acknowledged_a_read_back_is_sent_as_a_write(make_target):
    """The first arrival of a mix of read-backs and writes is a write; read-backs then find it and are seen."""
    stored: dict[str, dict] = {}

    def script(asked):
        if asked.method == "POST":
            stored[asked.document["id"]] = asked.document
            return answer(201, asked.document)
        return answer(200, stored[asked.path.rpartition("/")[2]])

    target = make_target(script)
    memory = Memory()
    engine = make(target.url, memory, BACK, Operation(**{**fields(WRITE), "weight": 1e-9}))
    engine.walk()
    engine.finish(1.0)
    account = engine.meter.account()
    check_account(account)
    assert memory.outcomes() == {Outcome.OK: 50}
    assert account["per_operation"]["write"]["offered"] >= 1
    marks = Counter(line[0] for line in memory.lines)
    assert marks[Mark.SEEN] == account["per_operation"]["back"]["offered"] >= 45
    acked = {line[1:4]: line[4] for line in memory.lines if line[0] is Mark.ACKNOWLEDGED}
    assert all(line[4] > acked[line[1:4]] for line in memory.lines if line[0] is Mark.SEEN)


def fields(operation: Operation) -> dict:
    return {name: getattr(operation, name) for name in operation.__slots__}


def test_reading_back_without_writing_is_refused(make_target):
    """An order that reads back and never writes cannot be carried out."""
    target = make_target(lambda _: HANG)
    with pytest.raises(LoadError, match="role: write"):
        make(target.url, Memory(), BACK)


def test_what_has_no_greenlet_is_accounted_for_too(make_target):
    """On kept connections operations have no greenlet; those in flight at the end are accounted for like any other."""
    hanging = threading.Event()
    target = make_target(lambda asked: HANG if hanging.is_set() else answer(201, asked.document))
    memory = Memory()
    engine = make(target.url, memory, WRITE, max_s=60.0, max_in_flight=4)
    walker = gevent.spawn(engine.walk)
    while len(memory.rows) < 10:
        gevent.sleep(0.01)
    hanging.set()
    while engine.in_flight < 4:
        gevent.sleep(0.01)
    greenlets = len(engine._busy)
    engine.stop()
    walker.join()
    engine.finish(0.1)
    account = engine.meter.account()
    check_account(account)
    assert greenlets < 4  # at least one was begun on a connection that was kept
    assert engine.in_flight == 0
    assert account["offered"] == len(memory.rows)
    assert sum(row[7] == IN_FLIGHT_AT_END for row in memory.rows) == 4
    marks = Counter(line[0] for line in memory.lines)
    assert marks[Mark.INDETERMINATE] == 4
    assert marks[Mark.ATTEMPTED] == marks[Mark.ACKNOWLEDGED] + 4
    starts = [row[1] for row in memory.rows if row[7] == IN_FLIGHT_AT_END]
    assert all(row[0] <= row[1] <= row[2] for row in memory.rows)
    assert min(starts) > 0


def test_nothing_is_sent_without_a_greenlet_after_the_ledger_cannot_be_written(make_target):
    """On kept connections, too: the first write that cannot be noted is not sent, nor is anything after it."""
    target = make_target(lambda asked: answer(201, asked.document))
    memory = Memory(notes=41)
    engine = make(target.url, memory, WRITE, max_s=60.0, max_in_flight=2)
    engine.walk()
    engine.finish(0.2)
    assert isinstance(engine.error, RecordError)
    attempted = sum(line[0] is Mark.ATTEMPTED for line in memory.lines)
    assert len(target.asked) == attempted
    assert engine.now_ns() < 10e9
