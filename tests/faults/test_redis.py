"""What a Redis server refuses and gives up, measured as its clients see it; and that it is given back as it was."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from resilience.errors import FaultError
from resilience.faults import registry
from resilience.faults.redis_server import Line
from resilience.model import FaultSpec, Json, Undo
from resilience.ports import Fault, Strike
from tests.faults.parts import Parts, eventually, over_json

pytestmark = pytest.mark.stack

CONFIGURED = ("redis.out-of-memory", "redis.eviction", "redis.max-clients")


@pytest.fixture
def client(running: Parts) -> Iterator["redis.Redis"]:
    """A client that was there before, on a server with 600 keys of 2 KiB."""
    with redis.Redis(port=running.place.port, decode_responses=True, socket_timeout=5) as found:
        found.flushall()
        for number in range(600):
            found.set(f"key-{number}", "x" * 2048)
        yield found


def made(running: Parts, kind: str, **settings: Json) -> Fault:
    spec = FaultSpec(name="tried", kind=kind, on="redis", duration_s=30.0, settings=settings)
    fault = registry.build(spec, running.place)
    assert isinstance(fault, Fault)
    return fault


def strike(running: Parts, kind: str, **settings: Json) -> Strike:
    spec = FaultSpec(name="tried", kind=kind, on="redis", duration_s=0.0, settings=settings)
    found = registry.build(spec, running.place)
    assert isinstance(found, Strike)
    return found


def injected(fault: Fault) -> Undo:
    undo = fault.prepare()
    assert fault.active(undo) is False
    fault.inject(undo)
    eventually(lambda: fault.active(undo), 3.0)
    return undo


def taken_back(fault: Fault, undo: Undo) -> None:
    eventually(lambda: fault.revert(undo) is None and fault.active(undo) is False, 10.0)


def settings_of(client: "redis.Redis") -> object:
    return client.config_get("*"), client.execute_command("ROLE")[0]


def fresh(running: Parts) -> "redis.Redis":
    """A client whose connection is yet to be made."""
    return redis.Redis(port=running.place.port, socket_timeout=5)


def test_readonly_refuses_writes_and_loses_nothing(running: Parts, client: "redis.Redis"):
    """Writes are refused with READONLY, new connection or old; reads go on; no data is lost (Requirement F1)."""
    before = settings_of(client)
    fault = made(running, "redis.readonly")
    undo = injected(fault)
    for one in (client, fresh(running)):
        with pytest.raises(redis.ReadOnlyError):
            one.set("key-1", "y")
    assert client.get("key-1") == "x" * 2048
    assert "READONLY" in fault.proof
    taken_back(registry.from_undo(undo), over_json(undo))
    assert client.dbsize() == 600
    assert client.set("key-1", "y")
    assert settings_of(client) == before


def test_readonly_leaves_a_real_replica_alone(running: Parts, client: "redis.Redis"):
    """Whoever made the server a replica of theirs meanwhile keeps it, and is named; before, it is refused."""
    fault = made(running, "redis.readonly")
    undo = injected(fault)
    client.replicaof("127.0.0.1", "1")  # a port that answers nobody here: nothing is synchronised
    try:
        with pytest.raises(FaultError, match=r"is a replica of \['127.0.0.1', 1\] now"):
            fault.revert(undo)
        with pytest.raises(FaultError, match="already"):
            made(running, "redis.readonly").prepare()
    finally:
        client.replicaof("NO", "ONE")
    fault.revert(undo)
    assert fault.active(undo) is False


def test_out_of_memory_refuses_and_evicts_nothing(running: Parts, client: "redis.Redis"):
    """Writes are refused with OOM; reads and removals go on; no key is evicted (Requirement F1)."""
    client.config_set("maxmemory-policy", "allkeys-lru")
    before = settings_of(client)
    try:
        fault = made(running, "redis.out-of-memory")
        undo = injected(fault)
        for one in (client, fresh(running)):
            with pytest.raises(redis.OutOfMemoryError):
                one.set("new", "y")
        assert client.get("key-1") == "x" * 2048
        assert client.delete("key-2") == 1
        taken_back(registry.from_undo(undo), over_json(undo))
        assert client.dbsize() == 599
        assert settings_of(client) == before
    finally:
        client.config_set("maxmemory-policy", "noeviction")


@pytest.mark.parametrize("keep_percent", [25, 75])
def test_eviction_takes_the_share(running: Parts, client: "redis.Redis", keep_percent: int):
    """About the share that was asked for is left; writes go on, and so does the evicting (Requirement F1)."""
    steps = client.pipeline(transaction=False)
    for number in range(5400):
        steps.set(f"more-{number}", "x" * 2048)
    steps.execute()
    before = settings_of(client)
    fault = made(running, "redis.eviction", keep_percent=keep_percent)
    undo = injected(fault)
    eventually(lambda: abs(client.dbsize() - 60 * keep_percent) < 300)
    for number in range(300):
        client.set(f"new-{number}", "x" * 2048)
    assert abs(client.dbsize() - 60 * keep_percent) < 300
    assert "keys evicted" in fault.proof
    taken_back(fault, undo)
    assert settings_of(client) == before


def test_eviction_of_an_empty_server(running: Parts, client: "redis.Redis"):
    """With next to no data, keys of ours are what is evicted; none is left."""
    client.flushall()
    fault = made(running, "redis.eviction")
    undo = injected(fault)
    assert client.dbsize() > 0
    assert client.set("new", "y")
    taken_back(fault, undo)
    assert [key for key in client.scan_iter() if key.startswith("resilience")] == []


@pytest.mark.parametrize("kind", CONFIGURED)
def test_somebody_elses_setting_survives(running: Parts, client: "redis.Redis", kind: str):
    """A setting that somebody else changed meanwhile is not overwritten: the revert says what it found, and stops."""
    fault = made(running, kind)
    undo = injected(fault)
    name = undo.data["changes"][-1]["name"]
    before, theirs = undo.data["changes"][-1]["before"], "123456789" if name == "maxmemory" else "4321"
    client.config_set(name, theirs)
    with pytest.raises(FaultError, match=f"{name} was {before}, was set to .*, is {theirs} now"):
        fault.revert(undo)
    assert client.config_get(name) == {name: theirs}
    client.config_set(name, before)
    taken_back(fault, undo)


@pytest.mark.parametrize("kind", [*CONFIGURED, "redis.readonly", "redis.hung"])
def test_a_server_started_again_owes_nothing(running: Parts, client: "redis.Redis", kind: str):
    """After a restart the settings are the server's own: the fault is over, and the revert changes nothing."""
    fault = made(running, kind)
    undo = injected(fault)
    again = registry.build(FaultSpec(name="again", kind="process.kill", on="redis", duration_s=1.0), running.place)
    killed = again.prepare()
    again.inject(killed)
    assert fault.active(undo) is False
    fault.revert(undo)  # the server is gone: nothing is owed, and nothing hangs
    eventually(lambda: again.revert(killed) is None and again.active(killed) is False, 20.0)
    before = settings_of(client)
    taken_back(registry.from_undo(undo), over_json(undo))
    assert settings_of(client) == before


def test_a_stack_that_is_gone_is_owed_nothing(running: Parts, tmp_path: Path):
    """The stack was taken down, its files with it: the revert is through at once, without its password."""
    undo = made(running, "redis.out-of-memory").prepare()
    lost = {"state": str(tmp_path / "gone.json"), "passfile": str(tmp_path / "gone"), "port": 1}
    old = replace(undo, data={**undo.data, **lost})
    fault = registry.from_undo(old)
    fault.revert(old)
    assert fault.active(old) is False


def test_a_server_out_of_reach_is_tried_again(running: Parts):
    """A server that runs and cannot be reached is still owed what it was: the revert fails."""
    undo = made(running, "redis.out-of-memory").prepare()
    with pytest.raises(FaultError, match=r"127\.0\.0\.1:1"):
        registry.from_undo(undo).revert(replace(undo, data={**undo.data, "port": 1}))


def test_flush_counts_what_it_removes(running: Parts, client: "redis.Redis"):
    """A flush says how many keys went, and refuses to call nothing a flush; one database alone can be named."""
    with redis.Redis(port=running.place.port, db=1) as other:
        other.set("elsewhere", "1")
        one = strike(running, "redis.flush", database=0)
        one.prepare()
        assert client.dbsize() == 600
        assert "600 keys before, 0 after" in one.strike()
        assert (client.dbsize(), other.dbsize()) == (0, 1)
        assert "1 keys before, 0 after" in strike(running, "redis.flush").strike()
    with pytest.raises(FaultError, match="had 0 keys before"):
        one.strike()


def test_kill_connections_closes_them(running: Parts):
    """Connections of others are closed, and can be made again."""
    with Line("127.0.0.1", running.place.port, "") as line:
        assert line.ask("PING").said == b"+PONG"
        assert "one of our own was closed, too" in strike(running, "redis.kill-connections").strike()
        assert line.ask("PING").seen == "closed"
    assert fresh(running).ping()


def test_preflight_says_what_is_missing(running: Parts):
    """A part that is no Redis, or cannot be looked at, is refused before anything is touched."""
    spec = FaultSpec(name="tried", kind="redis.hung", on="redis", duration_s=1.0)
    (problem,) = registry.fits(spec, replace(running.place, protocol="postgres"))
    assert "speaks postgres, expected redis" in str(problem)
    (problem,) = registry.fits(spec, replace(running.place, port=1))
    assert "cannot be looked at" in str(problem)
    (problem,) = registry.fits(spec, replace(running.place, passfile="/nowhere/redis.password"))
    assert "the file with its password cannot be read" in str(problem)
