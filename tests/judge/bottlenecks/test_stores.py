"""What stores show: what lies behind a queue is named before the queue."""

from resilience.model.resources import Unit
from tests.judge.bottlenecks.made import calls, made, places, pool, sessions, step


def test_a_pool_that_is_full_because_of_locks_is_a_symptom():
    """Requirement M5: database. Its sessions wait for locks; the pool is named after it."""
    found = places(*pool(8, 60), *calls("database", 1, 8, 0.004, 0.3), *sessions(8.0, lock=7.0))
    assert found[:2] == ["database", "pool"]


def test_a_database_at_the_limit_of_its_processor_time_comes_before_the_pool():
    """Requirement M5: database."""
    cpu = made("process.cpu", "postgres", step(23, 0.04, 0.1, 0.001), 0.1, Unit.CORES)
    assert places(cpu, *pool(8, 60), *calls("database", 1, 8, 0.004, 0.2), *sessions(7.5))[0] == "database"


def test_sessions_that_wait_for_the_disk_make_it_the_disk():
    """Requirement M5: disk. One writes the log, the others wait for it."""
    found = places(*pool(8, 60), *calls("database", 1, 8, 0.004, 0.2), *sessions(7.5, io=1.2, lwlock=6.0))
    assert found[0] == "disk"


def test_calls_under_way_while_the_database_has_nothing_to_do_are_on_the_way():
    """Requirement M5: network."""
    assert places(*pool(8, 60), *calls("database", 1, 8, 0.004, 0.2), *sessions(0.5))[0] == "network"


def test_a_cache_that_finds_less_is_named():
    """And not what it sends on to the database, which is no slower than before."""
    ratio = made("redis.hit_ratio", "redis", step(23, 0.95, 0.2, 0.01), 1.0, Unit.RATIO)
    evicted = made("redis.evictions", "redis", step(23, 0, 90), unit=Unit.PER_S)
    assert places(ratio, evicted, *calls("database", 1, 3, 0.004, 0.004))[0] == "cache"


def test_sessions_without_processor_time_are_stopped_wherever_they_are():
    """Requirement M5: database. Some are stopped while they write, and answers while they are sent."""
    cpu = made("process.cpu", "postgres", step(23, 0.02, 0.05, 0.0005), 0.05, Unit.CORES)
    busy = (*calls("database", 1, 15, 0.004, 0.2), *sessions(7.0, io=0.8, lwlock=5.5))
    assert places(cpu, *busy)[0] == "database"
    assert places(*busy)[0] == "disk"
