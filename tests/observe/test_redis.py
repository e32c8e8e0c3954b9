"""What Redis says of itself, on a real server."""

import pytest
import redis

from resilience.model import Place
from resilience.observe.calls import commands
from resilience.observe.redis import Redis


@pytest.fixture
def place(redis_server):
    return Place(name="redis", host="127.0.0.1", port=redis_server.port, via_port=0, passfile=redis_server.passfile)


def values(watcher):
    return {(one.name, one.of): one for one in watcher.read()}


def test_hits_misses_keys_and_limits(redis_server, place):
    """Requirement M2: what was found and what was not; memory and clients beside the most that they may be."""
    watcher = Redis(place)
    with redis_server.connect() as client:
        client.flushall()
        client.config_set("maxmemory", 50_000_000)
        try:
            before = values(watcher)
            client.set("a", 1)
            client.get("a")
            client.get("nobody")
            client.get("nobody")
            after = values(watcher)
        finally:
            client.config_set("maxmemory", 0)
    watcher.close()

    def grew(name):
        return after[name, "redis"].value - before[name, "redis"].value

    assert (grew("redis.hits"), grew("redis.misses"), grew("redis.keys")) == (1, 2, 1)
    assert after["redis.memory.used", "redis"].limit == 50_000_000
    assert after["redis.clients", "redis"].limit >= 100
    assert after["redis.operations", "redis"].counter


def test_without_maxmemory_memory_has_no_limit(place):
    """Not: it is full."""
    watcher = Redis(place)
    assert values(watcher)["redis.memory.used", "redis"].limit is None
    watcher.close()


def test_streams_and_their_groups(redis_server, place):
    """Length, what was given and not acknowledged, what was not given; a stream that is not there yet is empty."""
    with redis_server.connect() as client:
        client.delete("jobs")
        client.xgroup_create("jobs", "workers", mkstream=True)
        for number in range(5):
            client.xadd("jobs", {"n": number})
        client.xreadgroup("workers", "me", {"jobs": ">"}, count=2)
        watcher = Redis(place, ("jobs", "nothing"))
        found = values(watcher)
        watcher.close()
        server = client.info("server")["redis_version"]
        client.delete("jobs")
    assert found["redis.stream.length", "redis/jobs"].value == 5
    assert found["redis.stream.pending", "redis/jobs/workers"].value == 2
    assert found["redis.stream.length", "redis/nothing"].value == 0
    if int(server.split(".")[0]) >= 7:
        assert found["redis.stream.backlog", "redis/jobs/workers"].value == 3


def test_the_collector_is_nobodys_attempt_to_get_something(redis_server, place):
    """What counts the calls of a dependency does not count what is asked for its resources."""
    watcher = Redis(place, ("jobs",))
    with redis_server.connect() as client:
        watcher.read()
        before = commands(client.info("commandstats"))
        for _ in range(3):
            watcher.read()
        after = commands(client.info("commandstats"))
    watcher.close()
    assert after == before


def test_a_server_that_is_not_there_is_an_error(redis_server):
    """Not an empty cache."""
    watcher = Redis(Place(name="redis", host="127.0.0.1", port=1, via_port=0, passfile=redis_server.passfile))
    with pytest.raises(redis.ConnectionError):
        watcher.read()
    watcher.close()
