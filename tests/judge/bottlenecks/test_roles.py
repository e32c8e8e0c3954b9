"""Pools and calls are recognised by their names."""

import numpy as np
import pytest

from resilience.judge.bottlenecks.roles import calls_of, pools_of
from resilience.model.resources import Resources
from tests.judge.bottlenecks.made import made


def of(*told):
    """Resources of a service, from names, steady values and limits."""
    return Resources(tuple(made(name, "service", np.full(5, value), limit) for name, value, limit in told))


def test_a_pool_is_what_is_in_use_of_how_many():
    """And who waits."""
    (pool,) = pools_of(of(("pool.used", 3.0, 8.0), ("pool.waiting", 2.0, None)))
    assert (pool.of, pool.name, pool.used.limit, pool.waiting.value[0]) == ("service", "", 8.0, 2.0)


def test_several_pools_are_kept_apart_by_their_names():
    """Each with its own limit."""
    found = of(("pool.orders.used", 3.0, 8.0), ("pool.reports.used", 1.0, 2.0), ("pool.reports.waiting", 4.0, None))
    assert sorted((pool.name, pool.used.limit, pool.waiting is None) for pool in pools_of(found)) == [
        ("orders", 8.0, True),
        ("reports", 2.0, False),
    ]


def test_without_the_most_there_may_be_a_pool_says_nothing():
    """In use of how many?"""
    assert list(pools_of(of(("pool.used", 3.0, None)))) == []


def test_calls_at_once_are_the_time_spent_in_them():
    """Little's law: 40 calls a second of 50 ms each are two at once, whatever is seen at single instants."""
    found = of(("calls.cache.seconds", 2.0, None), ("calls.cache.count", 40.0, None), ("calls.cache.busy", 7.0, 32.0))
    (calls,) = calls_of(found)
    assert (calls.dependency, calls.at_once.value[0], calls.limit) == ("cache", 2.0, 32.0)
    assert calls.each_s.value.tolist() == pytest.approx([0.05] * 5)


def test_without_times_calls_under_way_are_what_was_seen():
    """At instants, then."""
    (calls,) = calls_of(of(("calls.mail.busy", 7.0, None)))
    assert (calls.at_once.value[0], calls.each_s, calls.limit) == (7.0, None, None)
