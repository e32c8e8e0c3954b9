"""The closed walk: users who wait for their answers, with real sockets. Requirements L1, L4."""

import itertools
import time
from collections import Counter

import gevent
import pytest

from resilience.errors import LoadError
from resilience.load.drivers.locust import check_account
from resilience.load.engine import IN_FLIGHT_AT_END, Engine
from resilience.load.workers.shares import share_of_user, slots
from resilience.model import Load, LoadOrder, Operation, Outcome, Share, Stage, Think
from resilience.spec.mix import Mix
from resilience.spec.stages import laid_out
from tests.load.target import HANG, answer
from tests.load.test_engine import READ, WRITE, Memory


def make(url: str, memory: Memory, *operations, max_s: float = 0.5, share: Share | None = None, **load) -> Engine:
    whole = laid_out(Load(**{"users": 5, "think": Think(mean_s=0.05), "operations": operations, **load}))
    order = LoadOrder(
        run="0badcafe",
        seed=1,
        zero_ns=time.monotonic_ns(),
        base_url=url,
        folder="/",
        load=whole,
        max_s=max_s,
        share=share or Share(),
    )
    return Engine(order, memory, memory, memory.report)


def test_users_wait_think_and_go_on(make_target):
    """Five users who think 50 ms do as much as that allows, and the mix chooses what, in the order of readiness."""
    target = make_target(lambda _: answer(200, {}))
    memory = Memory()
    other = Operation(name="other", weight=1.0, method="GET", path="/")
    engine = make(target.url, memory, READ, other)
    engine.walk()
    engine.finish(1.0)
    check_account(engine.meter.account())
    rows = sorted(memory.rows)
    assert 10 <= len(rows) <= 5 * (0.5 / 0.05) + 5
    assert all(arrival <= start <= end for arrival, start, end, *_ in rows)
    assert memory.outcomes() == {Outcome.OK: len(rows)}
    mix = Mix(engine._order.load, 1)
    chosen = [mix.choose(index)[0] for index in range(len(rows))]
    begun = [row[3] for row in sorted(memory.rows, key=lambda row: (row[0], row[1]))]
    assert Counter(begun) == Counter(chosen)
    assert all(arrival < 0.5e9 for arrival, *_ in rows)


def test_a_user_is_never_in_two_places(make_target):
    """One user: each operation is ready a think time after the one before has ended."""
    target = make_target(lambda _: answer(200, {}))
    memory = Memory()
    engine = make(target.url, memory, READ, users=1)
    engine.walk()
    engine.finish(1.0)
    rows = sorted(memory.rows)
    assert len(rows) >= 3
    for before, after in itertools.pairwise(rows):
        thought_s = (after[0] - before[2]) / 1e9
        assert thought_s >= 0.05


def test_a_target_that_hangs_is_asked_once_by_each(make_target):
    """That is what a closed load hides: 5 operations where arrivals at its rate are 50 (Requirement L3)."""
    target = make_target(lambda _: HANG)
    memory = Memory()
    engine = make(target.url, memory, WRITE)
    engine.walk()
    assert engine.in_flight == 5
    engine.finish(0.0)
    gevent.sleep(0.02)
    check_account(engine.meter.account())
    assert memory.outcomes() == {Outcome.UNKNOWN: 5}
    assert {row[7] for row in memory.rows} == {IN_FLIGHT_AT_END}


def test_users_come_and_go_with_their_connections(make_target):
    """From 2 to 6 and back to 1: as many connections at once as users, and those who went have closed theirs."""
    target = make_target(lambda _: answer(200, {}))
    memory = Memory()
    stages = (Stage(0.3, 6), Stage(0.3, 1), Stage(0.3, 1))
    engine = make(target.url, memory, READ, users=2, stages=stages, think=Think(mean_s=0.02), max_s=0.9)
    engine.walk()
    walk = engine._walk
    assert (walk.came, walk.gone) == (6, 5)
    held = [slot for slot in engine._slots if slot.callers]
    assert len(held) == 1, "only the first user is left"
    engine.finish(1.0)
    late = [row for row in memory.rows if row[0] > 0.65e9]
    assert late
    assert memory.outcomes() == {Outcome.OK: len(memory.rows)}


def test_who_is_to_go_ends_what_is_in_flight_and_may_stay(make_target):
    """A user who comes back before the answer did is the same one: no operation is cut short, no slot is missing."""
    target = make_target(lambda _: HANG)
    memory = Memory()
    stages = (Stage(0.2, 4), Stage(0, 0), Stage(0.1, 0), Stage(0, 4), Stage(0.1, 4))
    engine = make(target.url, memory, READ, users=4, stages=stages, think=Think(mean_s=0.01), max_s=0.5)
    engine.walk()
    assert engine.in_flight == 4
    assert (engine._walk.came, engine._walk.gone) == (4, 0)
    engine.finish(0.0)
    check_account(engine.meter.account())
    assert len(memory.rows) == 4


def test_stop_and_failure_end_it_at_once(make_target):
    """However long its users were going to think."""
    target = make_target(lambda _: answer(200, {}))
    for end in ("stop", "fail"):
        engine = make(target.url, Memory(), READ, think=Think(mean_s=600.0), max_s=600.0)
        walking = gevent.spawn(engine.walk)
        gevent.sleep(0.05)
        engine.stop() if end == "stop" else engine.fail(RuntimeError("no"))
        walking.join(5.0)
        assert walking.dead
        engine.finish(0.0)


def test_shares_of_users_are_all_of_them(make_target):
    """Two workers carry five users: three and two, and different choices of the mix."""
    target = make_target(lambda _: answer(200, {}))
    engines = [make(target.url, Memory(), READ, share=Share(index, 2)) for index in range(2)]
    for engine in engines:
        gevent.spawn(engine.walk)
    gevent.sleep(0.2)
    assert sorted(engine._walk.came for engine in engines) == [2, 3]
    for engine in engines:
        engine.stop()
        engine.finish(1.0)


@pytest.mark.parametrize("of", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("total", [1, 4, 5, 12, 100])
def test_no_share_has_more_users_than_slots(total: int, of: int):
    """And any number of users is spread as evenly as can be."""
    users = [share_of_user(user, total, of) for user in range(1, total + 1)]
    assert all(users.count(index) == len(slots(total, Share(index, of))) for index in range(of))
    for count in range(1, total + 1):
        shared = Counter(users[:count])
        assert max(shared.values()) - min(shared[index] for index in range(of)) <= 1 or count < of


def test_more_users_than_slots_are_refused():
    """An order that was made by hand and cannot be carried out says so before anything is sent."""
    load = Load(users=5, operations=(READ,), max_in_flight=4)
    order = LoadOrder(run="0badcafe", seed=1, zero_ns=0, base_url="http://h", folder="/", load=load, max_s=1.0)
    with pytest.raises(LoadError, match="5 users do not fit into 4 slots"):
        Engine(order, Memory(), Memory(), Memory().report)


def test_users_who_never_think_go_on_at_once(make_target):
    """Each waits for its answer and for nothing else; the account closes, and who is to go goes."""
    target = make_target(lambda _: answer(200, {}))
    memory = Memory()
    stages = (Stage(0.2, 3), Stage(0, 1), Stage(2.8, 1))  # long enough for a process that gets no time for a second
    engine = make(target.url, memory, READ, users=3, stages=stages, think=Think(mean_s=0.0), max_s=3.0)
    engine.walk()
    engine.finish(1.0)
    check_account(engine.meter.account())
    assert memory.outcomes() == {Outcome.OK: len(memory.rows)}
    assert len(memory.rows) > 20
    assert (engine._walk.came, engine._walk.gone) == (3, 2)
    late = sorted(row[:3] for row in memory.rows if row[0] > 0.7e9)
    assert late, "the first user is still there"
    assert all(before[2] <= after[0] for before, after in itertools.pairwise(late)), "and is alone"
