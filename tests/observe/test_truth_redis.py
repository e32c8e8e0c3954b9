"""The truth about writes, read from a real Redis. Requirement J4."""

import json
import threading
from contextlib import closing

import pytest

from resilience.entry import body_of, format_id
from resilience.errors import RecordError
from resilience.model import Place, RedisTruth
from resilience.observe.truth import read_settled
from resilience.observe.truth_redis import Known, RedisAddress, RedisReader, escaped

pytestmark = pytest.mark.stack

RUN = "0badcafe"
STREAM = RedisTruth(type="stream", key="orders", id="id", body="body")
LIST = RedisTruth(type="list", key="orders", id="id", body="order.body")
PLAIN = RedisTruth(type="list", key="orders")
HASH = RedisTruth(type="hash", key="orders", body="body")
KEYS = RedisTruth(type="keys", key="order:{id}", body="body")


@pytest.fixture
def client(redis_server):
    """An empty server."""
    with closing(redis_server.connect()) as found:
        found.flushall()
        yield found


def name(seq, writer=1):
    return format_id(RUN, writer, 0, seq)


def reader(server, source, **more):
    place = Place(name="redis", host="127.0.0.1", port=server.port, via_port=1, passfile=server.passfile)
    return RedisReader(RedisAddress.of(place), source, **more)


def settled(server, source, **more):
    return read_settled(reader(server, source), RUN, 0.01, lambda: 7, **more)


def store(client, source, entry_id, body=None):
    """What a service would write."""
    body = body_of(entry_id) if body is None else body
    if source.type == "stream":
        client.xadd("orders", {"id": entry_id, "body": body})
    elif source == PLAIN:
        client.rpush("orders", body)
    elif source.type == "list":
        client.rpush("orders", json.dumps({"id": entry_id, "order": {"body": body}}))
    elif source.type == "hash":
        client.hset("orders", entry_id, json.dumps({"body": body}))
    else:
        client.set(f"order:{entry_id}", json.dumps({"body": body}))


ALL = [STREAM, LIST, PLAIN, HASH, KEYS]


@pytest.mark.parametrize("source", ALL, ids=["stream", "list", "plain", "hash", "keys"])
def test_every_entry_is_told_apart(redis_server, client, source):
    """Intact, corrupted, of another run, foreign, in several pages: each is seen as such."""
    for seq in range(2500):
        store(client, source, name(seq))
    store(client, source, name(2500), f"{name(2500)}|cut")
    store(client, source, format_id("ffffffff", 0, 0, 0))
    store(client, source, f"{RUN}-strange", f"{RUN}-strange|x")
    truth = settled(redis_server, source)
    found = sorted(zip(truth.writer.tolist(), truth.seq.tolist(), truth.intact.tolist(), strict=True))
    assert found == [(-1, -1, False), *((1, seq, True) for seq in range(2500)), (1, 2500, False)]
    assert truth.foreign == (f"{RUN}-strange",)
    if source.type in {"stream", "list"}:
        assert truth.seq.tolist() == [*range(2501), -1]
        assert truth.position.tolist() == list(range(2502))


@pytest.mark.parametrize("source", [STREAM, LIST], ids=["stream", "list"])
def test_twice_stored_is_twice_there(redis_server, client, source):
    """What a stream or list has twice is a duplicate, also beside others' entries."""
    for seq in (0, 1, 0):
        store(client, source, name(seq))
        store(client, source, format_id("ffffffff", 0, 0, seq))
    assert settled(redis_server, source).seq.tolist() == [0, 1, 0]


def test_newest_first_is_turned_round(redis_server, client):
    """A list that is filled at its head has the newest entry first: the truth is in the order of storing."""
    for seq in range(3):
        client.lpush("orders", body_of(name(seq)))
    source = RedisTruth(type="list", key="orders", newest_first=True)
    assert settled(redis_server, source).seq.tolist() == [0, 1, 2]


def test_a_stream_that_was_trimmed_says_so(redis_server, client):
    """What somebody removed looks lost; how much was removed is in the facts, where the server counts it."""
    for seq in range(5):
        store(client, STREAM, name(seq))
    client.xtrim("orders", maxlen=3, approximate=False)
    truth = settled(redis_server, STREAM)
    assert truth.seq.tolist() == [2, 3, 4]
    counts = "entries-added" in client.xinfo_stream("orders")
    assert truth.facts.get("removed_entries") == ("2" if counts else None)


def test_a_position_of_its_own_is_the_order(redis_server, client):
    """Keys have no order; a number in their values gives one."""
    for seq in range(5):
        client.set(f"order:{name(seq)}", json.dumps({"body": body_of(name(seq)), "at": {"n": 10 - seq}}))
    source = RedisTruth(type="keys", key="order:{id}", body="body", position="at.n")
    assert settled(redis_server, source).seq.tolist() == [4, 3, 2, 1, 0]
    client.set(f"order:{name(9)}", json.dumps({"body": "x"}))
    with pytest.raises(RecordError, match=r"None at at\.n; a whole number was expected"):
        settled(redis_server, source)


def test_what_is_not_there_is_an_answer(redis_server, client):
    """No such key is a truth of no rows: everything acknowledged was lost."""
    assert client.dbsize() == 0
    for source in ALL:
        assert len(settled(redis_server, source)) == 0


@pytest.mark.parametrize("source", [STREAM, LIST, HASH, KEYS], ids=["stream", "list", "hash", "keys"])
def test_something_else_under_the_key_is_an_error(redis_server, client, source):
    """A key of another type is no empty truth: it says what was expected."""
    client.sadd("orders", name(0))
    client.sadd(f"order:{name(0)}", "x")
    with pytest.raises(RecordError, match=r"WRONGTYPE|is a set, a string was expected"):
        settled(redis_server, source)


def test_characters_of_patterns_are_only_characters(redis_server, client):
    """A key with brackets and stars matches itself alone."""
    source = RedisTruth(type="keys", key=r"a[b]*?\{id}:end*", body="")
    client.set(rf"a[b]*?\{name(0)}:end*", body_of(name(0)))
    client.set(rf"abxx\{name(1)}:end", body_of(name(1)))
    assert settled(redis_server, source).seq.tolist() == [0]
    assert escaped("a*") == r"a\*"


@pytest.mark.usefixtures("client")
def test_facts_say_what_the_store_promises(redis_server):
    """Role, identity, append-only file and how it is flushed are read from the server."""
    facts = reader(redis_server, STREAM).facts()
    assert facts["store"] == "redis"
    assert (facts["role"], facts["aof_enabled"], facts["aof_last_write_status"]) == ("master", "1", "ok")
    assert facts["appendfsync"] == "everysec"
    assert facts["maxmemory_policy"] == "noeviction"
    assert len(facts["run_id"]) == 40
    assert facts["version"]
    assert settled(redis_server, STREAM).facts == facts


@pytest.mark.usefixtures("client")
def test_a_replica_is_no_truth(redis_server):
    """What a replica has is not what the primary has."""
    with redis_server.another("--replicaof", "127.0.0.1", "1") as port:
        place = Place(name="redis", host="127.0.0.1", port=port, via_port=port, passfile=redis_server.passfile)
        for ask in (lambda one: one.facts(), lambda one: list(one.read(f"{RUN}-"))):
            with pytest.raises(RecordError, match="is a replica"):
                ask(RedisReader(RedisAddress.of(place), STREAM))


def test_late_entries_are_found_by_the_later_look(redis_server, client):
    """What comes after the truth was believed is in the truth, and named as late."""
    store(client, STREAM, name(0))
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        if seconds == 3.0:
            store(client, STREAM, name(1))
            store(client, STREAM, name(0))

    truth = settled(redis_server, STREAM, again_s=3.0, sleep=sleep)
    assert truth.seq.tolist() == [0, 1, 0]
    assert (truth.late, truth.late_named) == (2, (name(0), name(1)))
    assert waits == [0.01, 3.0, 0.01]
    quiet = settled(redis_server, STREAM, again_s=0.01)
    assert (quiet.late, quiet.late_named, quiet.again_ns) == (0, (), 7)


def test_a_store_that_changes_is_no_truth(redis_server, client):
    """While entries come there is no truth."""
    numbers = iter(range(100))
    with pytest.raises(RecordError, match="still changing"):
        settled(redis_server, STREAM, sleep=lambda _: store(client, STREAM, name(next(numbers))))


def test_errors_show_no_secret(redis_server):
    """Neither a wrong password nor that of an address is shown."""
    place = Place(name="redis", host="127.0.0.1", port=redis_server.port, via_port=1)
    with pytest.raises(RecordError, match=rf"127\.0\.0\.1:{redis_server.port}.*[Aa]uthentication"):
        RedisReader(RedisAddress.of(place), STREAM).facts()
    for url in ("redis://:hidden-password@127.0.0.1:1/0", "nonsense-hidden-password", "redis://x:hidden-password@[::"):
        with pytest.raises(RecordError) as caught:
            RedisReader(RedisAddress(url=url), STREAM).facts()
        assert "hidden-password" not in str(caught.value)
        assert "hidden-password" not in repr(RedisAddress(url=url))


def test_an_address_will_do(redis_server, client):
    """A store outside the stack is named by an address."""
    store(client, STREAM, name(0))
    url = f"redis://:{redis_server.password}@127.0.0.1:{redis_server.port}/0"
    truth = read_settled(RedisReader(RedisAddress(url=url), STREAM), RUN, 0.0, lambda: 0)
    assert truth.seq.tolist() == [0]


def test_a_read_that_takes_too_long_is_cut_off(redis_server, client):
    """No truth after the time limit, instead of a run that never ends."""
    for seq in range(1100):
        store(client, STREAM, name(seq))
    with pytest.raises(RecordError, match="was not read within 0 s"):
        list(reader(redis_server, STREAM, timeout_s=0.0).read(f"{RUN}-"))


def test_a_server_that_ends_in_between_is_an_error(redis_server):
    """Half of a store is no truth."""
    with redis_server.another() as port:
        place = Place(name="redis", host="127.0.0.1", port=port, via_port=port, passfile=redis_server.passfile)
        with closing(redis_server.connect(port)) as other, other.pipeline() as pipe:
            for seq in range(3000):
                pipe.xadd("orders", {"id": name(seq), "body": body_of(name(seq))})
            pipe.execute()
        rows = RedisReader(RedisAddress.of(place), STREAM).read(f"{RUN}-")
        next(rows)
    with pytest.raises(RecordError, match="cannot be read"):
        list(rows)


def test_what_a_scan_names_twice_is_taken_once():
    """Redis may name a key again while its table grows; that is no duplicate."""
    known = Known(f"{RUN}-")
    names = [name(seq, writer) for writer in (0, 7) for seq in (*range(3000), 10**15)] + [f"{RUN}-odd", f"{RUN}-x-y"]
    assert all(known.first(each) for each in names)
    assert not any(known.first(each) for each in names)


def test_keys_that_come_and_go_while_they_are_scanned(redis_server, client):
    """A table that grows under the scan loses and doubles nothing that stays."""
    for seq in range(3000):
        store(client, KEYS, name(seq))
    stop = threading.Event()

    def disturb():
        with closing(redis_server.connect()) as other:
            number = 0
            while not stop.is_set():
                with other.pipeline(transaction=False) as pipe:
                    for number in range(number, number + 2000):  # noqa: B020 - goes on
                        pipe.set(f"other:{number}", "x")
                    pipe.execute()

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        truth = settled(redis_server, KEYS)
    finally:
        stop.set()
        thread.join()
    assert sorted(truth.seq.tolist()) == list(range(3000))
    assert truth.intact.all()
