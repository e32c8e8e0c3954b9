"""Load whose level is told while it goes on. Requirement M6."""

import time

import gevent
import numpy as np
import pytest

from resilience.load.drivers.locust import check_account
from resilience.load.engine import Engine
from resilience.load.steering import SteeredArrivals
from resilience.model import Load, LoadOrder, Think
from tests.load.target import answer
from tests.load.test_engine import READ, Memory

SECOND = 1_000_000_000


def drawn(arrivals: SteeredArrivals, until_ns: int) -> list[int]:
    """The arrivals before an instant."""
    found = []
    while (due_ns := arrivals.next_ns()) is not None and due_ns < until_ns:
        found.append(due_ns)
        arrivals.taken()
    return found


def test_evenly_spaced_arrivals_are_those_of_a_profile():
    """Without a change they come at 0, 1/rate, 2/rate, … as those of a constant rate do."""
    assert drawn(SteeredArrivals(4.0, 1, poisson=False), SECOND) == [0, SECOND // 4, SECOND // 2, SECOND * 3 // 4]


def test_a_change_neither_bunches_arrivals_nor_loses_one():
    """Between two arrivals the integral of the rate grows by 1, whatever the rate does meanwhile."""
    arrivals = SteeredArrivals(2.0, 1, poisson=False)
    arrivals.change(SECOND * 3 // 4, 8.0)  # half of the way to the third arrival was gone
    found = drawn(arrivals, SECOND * 2)
    assert found[:4] == [0, SECOND // 2, SECOND * 3 // 4 + SECOND // 16, SECOND * 3 // 4 + SECOND * 3 // 16]
    assert len(found) == 2 + 10


@pytest.mark.parametrize("poisson", [False, True])
def test_as_many_come_as_the_levels_have(poisson):
    """Over many changes the number of arrivals is the integral of the rate, or Poisson with that mean."""
    rng = np.random.default_rng(5)
    arrivals, expected, at_ns, rate = SteeredArrivals(50.0, 3, poisson=poisson), 0.0, 0, 50.0
    found = []
    for _ in range(60):
        length_ns = int(rng.integers(SECOND // 10, SECOND * 2))
        found += drawn(arrivals, at_ns + length_ns)
        expected += rate * length_ns / SECOND
        at_ns, rate = at_ns + length_ns, float(rng.choice([0.0, 0.5, 20.0, 400.0]))
        arrivals.change(at_ns, rate)
    assert found == sorted(found)
    spread = 6 * expected**0.5 if poisson else 2
    assert abs(len(found) - expected) <= spread


def test_nothing_comes_at_a_rate_of_0_until_it_is_told_otherwise():
    """A rate of 0 is a rate."""
    arrivals = SteeredArrivals(0.0, 1, poisson=False)
    assert arrivals.next_ns() is None
    arrivals.change(SECOND, 10.0)
    assert arrivals.next_ns() == SECOND


def make(url: str, memory: Memory, max_s: float, **load) -> Engine:
    """An engine that is steered."""
    order = LoadOrder(
        run="0badcafe",
        seed=1,
        zero_ns=time.monotonic_ns(),
        base_url=url,
        folder="/",
        load=Load(operations=(READ,), **load),
        max_s=max_s,
        steered=True,
    )
    return Engine(order, memory, memory, memory.report)


def test_the_engine_follows_what_it_is_told(make_target):
    """Each stretch has the arrivals of its level, at their times, and the account closes."""
    target = make_target(lambda _: answer(200, {}))
    memory = Memory()
    engine = make(target.url, memory, 0.9, rate=20.0)
    engine.steer(300_000_000, 200.0)
    engine.steer(600_000_000, 10.0)
    engine.walk()
    engine.finish(1.0)
    check_account(engine.meter.account())
    arrivals = sorted(row[0] for row in memory.rows)
    counts = [sum(begin <= at < begin + 300_000_000 for at in arrivals) for begin in (0, 300_000_000, 600_000_000)]
    assert counts == [6, 60, 3]


def test_users_come_and_go_as_told(make_target):
    """With users who never think, and a target that takes 20 ms, throughput follows their number."""
    target = make_target(lambda _: answer(200, {}))
    memory = Memory()
    engine = make(target.url, memory, 30.0, users=1, think=Think(mean_s=0.02), max_in_flight=8)
    walking = gevent.spawn(engine.walk)
    wait_for(lambda: len(memory.rows) >= 3)
    assert engine._walk.came == 1
    engine.steer(engine.now_ns(), 8.0)
    wait_for(lambda: engine._walk.came == 8)
    engine.steer(engine.now_ns(), 2.0)
    wait_for(lambda: engine._walk.gone == 6)
    before = len(memory.rows)
    wait_for(lambda: len(memory.rows) >= before + 4)
    engine.stop()
    walking.join()
    engine.finish(1.0)
    check_account(engine.meter.account())


def test_a_load_that_is_not_steered_refuses_a_level(make_target):
    """Nothing is sent any more: the record would not be what was planned."""
    target = make_target(lambda _: answer(200, {}))
    order = LoadOrder(
        run="0badcafe",
        seed=1,
        zero_ns=time.monotonic_ns(),
        base_url=target.url,
        folder="/",
        load=Load(rate=10.0, operations=(READ,)),
        max_s=0.2,
    )
    memory = Memory()
    engine = Engine(order, memory, memory, memory.report)
    engine.steer(0, 100.0)
    assert "not to be told any" in str(engine.error)


def wait_for(there, longest_s: float = 20.0) -> None:
    """Until something is so."""
    until = time.monotonic() + longest_s
    while not there():
        assert time.monotonic() < until
        gevent.sleep(0.005)
