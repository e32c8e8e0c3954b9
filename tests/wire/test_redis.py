"""Rules on Redis, on a real server: what is met, what is done, and that nothing else changes."""

import random
import socket
import time
from pathlib import Path

import pytest
import redis as client
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.wire.errors import REDIS
from resilience.wire.redis import keys
from tests.wire.stores import Speaker, command

pytestmark = pytest.mark.stack


@pytest.mark.parametrize("name", sorted(REDIS))
def test_errors_are_the_servers_own(store, name):
    """The answer is the error that Redis itself gives; the command is not executed (Requirement F1)."""
    with store.redis() as through, store.redis(direct=True) as direct:
        direct.ask("DEL", "e")
        with store.rule("redis", action="error", error=name, command="SET") as rule:
            said = through.ask("SET", "e", "1")
            assert said.startswith(f"-{name} ".encode())
            assert said.endswith(b"\r\n")
            assert through.ask("GET", "e") == b"$-1\r\n"
            assert store.counted("redis", rule) == (1, 1, 0)
        assert direct.ask("EXISTS", "e") == b":0\r\n"
        assert through.ask("SET", "e", "1") == b"+OK\r\n"


def test_moved_names_the_keys_slot(store):
    """MOVED says the slot that Redis computes, and an address (slot 12182 is `foo`'s, as the cluster tutorial says)."""
    with store.redis() as through, store.rule("redis", action="error", error="MOVED", command="GET"):
        assert through.ask("GET", "foo").startswith(b"-MOVED 12182 127.0.0.1:")


def test_keys_are_chosen_by_pattern(store):
    """Only keys that contain the pattern are met, among several too (Requirement F1)."""
    with store.redis() as through, store.rule("redis", action="error", error="READONLY", key="^user:"):
        assert through.ask("SET", "order:1", "x") == b"+OK\r\n"
        assert through.ask("SET", "user:1", "x").startswith(b"-READONLY")
        assert through.ask("MSET", "order:1", "user:9", "order:2", "x") == b"+OK\r\n"
        assert through.ask("MSET", "order:1", "x", "user:2", "x").startswith(b"-READONLY")
        assert through.ask("DEL", "order:1", "user:1").startswith(b"-READONLY")


def test_keys_of_commands():
    """What is taken for a key, of commands that have several or none."""
    assert keys(("GET", "a")) == ("a",)
    assert keys(("mset", "a", "1", "b", "2")) == ("a", "b")
    assert keys(("EVAL", "return 1", "2", "a", "b", "c")) == ("a", "b")
    assert keys(("EVAL", "return 1", "much", "a")) == ()
    assert keys(("DEL", "a", "b")) == ("a", "b")
    assert keys(("PING",)) == ()


def test_without_names_the_connection_is_left_alone(store):
    """A rule for everything lets a client log in, select and begin: it is about data."""
    with store.rule("redis", action="error", error="LOADING"), store.redis() as through:
        assert through.ask("SELECT", "1") == b"+OK\r\n"
        assert through.ask("PING").startswith(b"-LOADING")


def test_answers_keep_their_order_in_a_pipeline(store):
    """Own answers take their place among the server's, however many commands are under way."""
    with store.redis() as through, store.rule("redis", action="error", error="OOM", command="SET"):
        words = b"".join(command("SET", "k", "1") + command("ECHO", str(number)) for number in range(200))
        through.socket.sendall(words)
        for number in range(200):
            assert through.answer().startswith(b"-OOM")
            text = str(number).encode()
            assert through.answer() == b"$%d\r\n%b\r\n" % (len(text), text)


def test_a_transaction_with_an_error_is_not_executed(store):
    """As the server itself does: after an error among the queued, EXEC aborts, and nothing is executed."""
    with store.redis() as through, store.rule("redis", action="error", error="READONLY", command="SET"):
        through.ask("DEL", "t1", "t2")
        assert through.ask("MULTI") == b"+OK\r\n"
        assert through.ask("INCR", "t1") == b"+QUEUED\r\n"
        assert through.ask("SET", "t2", "1").startswith(b"-READONLY")
        assert through.ask("EXEC") == b"-EXECABORT Transaction discarded because of previous errors.\r\n"
        assert through.ask("EXISTS", "t1", "t2") == b":0\r\n"
        assert through.ask("EXEC") == b"-ERR EXEC without MULTI\r\n", "the server has left the transaction, too"


def test_an_error_on_exec_ends_the_transaction(store):
    """EXEC itself refused: nothing is executed, and client and server agree that the transaction is over."""
    with store.redis() as through:
        through.ask("DEL", "t1")
        with store.rule("redis", action="error", error="READONLY", command="EXEC"):
            through.ask("MULTI")
            through.ask("INCR", "t1")
            assert through.ask("EXEC").startswith(b"-READONLY")
        assert through.ask("EXISTS", "t1") == b":0\r\n"
        assert through.ask("DISCARD") == b"-ERR DISCARD without MULTI\r\n"


def test_delay_is_added_and_order_kept(store):
    """A command that is met comes 150 ms late, those behind it too, and others not (Requirement F1)."""
    with store.redis() as through, store.rule("redis", action="delay", delay_ms=150, command="GET"):
        began = time.monotonic()
        assert through.ask("PING") == b"+PONG\r\n"
        assert time.monotonic() - began < 0.1
        through.socket.sendall(command("GET", "none") + command("PING"))
        assert through.answer() == b"$-1\r\n"
        assert through.answer() == b"+PONG\r\n"
        assert 0.15 <= time.monotonic() - began < 0.35


def test_cut_after_execution(store):
    """The value is there, the answer is not, and the connection has ended (Requirement J4)."""
    with store.redis(direct=True) as direct:
        direct.ask("DEL", "c")
        with store.redis() as through, store.rule("redis", action="cut", command="INCR", at_most=1) as rule:
            assert through.ask("PING") == b"+PONG\r\n"
            through.say("INCR", "c")
            assert through.answer() == b""
            assert direct.ask("GET", "c") == b"$1\r\n1\r\n"
            assert store.counted("redis", rule) == (1, 1, 0)
        with store.redis() as through:
            assert through.ask("INCR", "c") == b":2\r\n"


def test_what_the_server_refused_is_not_cut(store):
    """An error is no execution: it reaches the client."""
    with store.redis() as through, store.rule("redis", action="cut", command="INCR") as rule:
        through.ask("SET", "word", "x")
        assert through.ask("INCR", "word").startswith(b"-ERR value is not an integer")
        assert store.counted("redis", rule) == (1, 0, 0)


def test_in_a_transaction_exec_is_cut(store):
    """Queued is not executed: the answer of EXEC is withheld, not the one of the queued command."""
    with store.redis(direct=True) as direct, store.redis() as through:
        direct.ask("DEL", "c")
        with store.rule("redis", action="cut", command="INCR"):
            through.ask("MULTI")
            assert through.ask("INCR", "c") == b"+QUEUED\r\n"
            through.say("EXEC")
            assert through.answer() == b""
        assert direct.ask("GET", "c") == b"$1\r\n1\r\n"


def test_swallow_executes_and_says_nothing(store):
    """Executed, never answered, connection open; once the rule is gone the connection ends."""
    with store.redis(direct=True) as direct, store.redis() as through:
        direct.ask("DEL", "s")
        with store.rule("redis", action="swallow", command="INCR"):
            through.say("INCR", "s")
            through.socket.settimeout(0.3)
            with pytest.raises(TimeoutError):
                through.socket.recv(1)
            assert direct.ask("GET", "s") == b"$1\r\n1\r\n"
        through.socket.settimeout(5)
        assert through.socket.recv(1) == b""


def test_percent_every_and_at_most(store):
    """A fifth of 500 (60 to 140: 4.5 standard deviations), every third, the first two; a seed draws the same."""
    with store.redis() as through:

        def hits(count, **often):
            with store.rule("redis", action="error", error="BUSY", command="ECHO", **often):
                return [through.ask("ECHO", "x").startswith(b"-BUSY") for _ in range(count)]

        drawn = hits(500, percent=20, seed=3)
        assert 60 <= sum(drawn) <= 140
        assert drawn == hits(500, percent=20, seed=3)
        assert hits(9, every=3) == [False, False, True] * 3
        assert hits(5, at_most=2) == [True, True, False, False, False]


def test_a_rule_ends_by_itself(store):
    """After its time it is gone, from the list too, whoever died meanwhile."""
    with store.redis() as through, store.rule("redis", action="error", error="BUSY", ttl_ms=300) as rule:
        assert through.ask("PING").startswith(b"-BUSY")
        time.sleep(0.5)
        assert through.ask("PING") == b"+PONG\r\n"
        assert store.wire.ask("GET", f"/proxies/redis/toxics/{rule}")[0] == 404


def test_a_change_renews_the_time_of_a_rule(store):
    """As a lease is renewed: changed before its time is over, it stays for the new time."""
    with store.redis() as through, store.rule("redis", action="error", error="BUSY", ttl_ms=400) as rule:
        store.wire.json("POST", f"/proxies/redis/toxics/{rule}", {"attributes": {"ttl_ms": 60_000}})
        time.sleep(0.6)
        assert through.ask("PING").startswith(b"-BUSY")
        store.wire.json("POST", f"/proxies/redis/toxics/{rule}", {"attributes": {"ttl_ms": 50}})
        time.sleep(0.3)
        assert through.ask("PING") == b"+PONG\r\n"


def test_the_token_is_always_met_and_not_counted(store):
    """Whatever the rule meets else and how often, what contains its token is met, and is no hit."""
    told = {"action": "error", "error": "BUSY", "command": "SET", "percent": 0, "token": "canary-1"}
    with store.redis() as through, store.rule("redis", **told) as rule:
        assert through.ask("ECHO", "canary-1").startswith(b"-BUSY")
        assert through.ask("SET", "x", "1") == b"+OK\r\n"
        assert store.counted("redis", rule) == (1, 0, 1)


def test_rules_that_are_wrong_are_refused(store):
    """Each mistake is named; nothing is added."""
    wrong = [
        {"action": "explode"},
        {"action": "error", "error": "NONE"},
        {"action": "delay", "delay_ms": -1},
        {"action": "delay", "percent": 101},
        {"action": "delay", "key": "(" * 3},
        {"action": "delay", "key": "(?=a)b"},
        {"action": "delay", "key": r"(a)\1"},
        {"action": "delay", "key": "((a{50}){50}){50}"},
        {"action": "delay", "key": "x" * 201},
    ]
    for attributes in wrong:
        status, _, body = store.wire.ask("POST", "/proxies/redis/toxics", {"type": "redis", "attributes": attributes})
        assert status == 400, (attributes, body)
    status, _, body = store.wire.ask(
        "POST", "/proxies/redis/toxics", {"type": "postgres", "attributes": {"action": "delay"}}
    )
    assert (status, b"needs a proxy with protocol" in body) == (400, True)
    assert store.wire.json("GET", "/proxies/redis/toxics") == []


def test_subscribers_hear_everything(store):
    """A connection that subscribes is passed through, before and after, whatever rules there are."""
    with (
        store.redis() as through,
        store.redis(direct=True) as direct,
        store.rule("redis", action="error", error="BUSY"),
    ):
        assert through.ask("SUBSCRIBE", "news").startswith(b"*3\r\n$9\r\nsubscribe")
        for number in range(20):
            direct.ask("PUBLISH", "news", number)
            assert through.answer().endswith(b"%d\r\n" % number)


def test_inline_commands_and_a_wrong_protocol_pass(store):
    """Inline commands count as commands; what is no RESP gets the server's own answer."""
    with store.redis() as through:
        through.socket.sendall(b"PING\r\n\r\nECHO hi\r\n")
        assert through.answer() == b"+PONG\r\n"
        assert through.answer() == b"$2\r\nhi\r\n"
        through.socket.sendall(b"*1\r\n$x\r\n")
        assert through.answer().startswith(b"-ERR Protocol error")


def test_values_larger_than_what_is_kept(store):
    """20 MB there and back are the same bytes; a rule meets the command by what came first."""
    data = random.Random(1).randbytes(20_000_000)  # noqa: S311 - no secret
    with store.redis() as through:
        assert through.ask("SET", "large", data) == b"+OK\r\n"
        assert through.ask("GET", "large") == b"$%d\r\n%b\r\n" % (len(data), data)
        with store.rule("redis", action="error", error="OOM", key="^large$"):
            assert through.ask("SET", "large", data[:5_000_000]).startswith(b"-OOM")
            assert through.ask("ECHO", "x") == b"$1\r\nx\r\n"
        assert through.ask("STRLEN", "large") == b":20000000\r\n"
        through.ask("DEL", "large")


def test_a_real_client_works_in_both_protocols(store):
    """redis-py with pipelines, transactions and RESP 3, through the proxy."""
    place = store.stack.places()["redis"]
    password = Path(place.passfile).read_text()
    for protocol in (2, 3):
        with client.Redis(port=store.port("redis"), password=password, protocol=protocol) as connection:
            connection.hset("h", mapping={"a": 1, "b": 2})
            assert connection.hgetall("h") == {b"a": b"1", b"b": b"2"}
            with connection.pipeline(transaction=True) as pipe:
                assert pipe.set("p", 1).incr("p").get("p").execute() == [True, 2, b"2"]


WORD = st.binary(max_size=40) | st.sampled_from([b"a", b"b", b"1", b"-5", b"\r\n", b"*3\r\n"])
NAME = st.sampled_from(
    [
        "GET",
        "SET",
        "INCR",
        "APPEND",
        "LPUSH",
        "LRANGE",
        "HSET",
        "HGETALL",
        "SADD",
        "SMEMBERS",
        "DEL",
        "EXISTS",
        "MULTI",
        "EXEC",
        "DISCARD",
        "WATCH",
        "ECHO",
        "PING",
        "TYPE",
        "ZADD",
        "ZRANGE",
        "STRLEN",
        "MGET",
        "MSET",
        "NOPE",
    ]
)
COMMANDS = st.lists(st.tuples(NAME, st.lists(WORD, max_size=4)), min_size=1, max_size=30)


@settings(max_examples=40)
@given(commands=COMMANDS, cut=st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_without_rules_nothing_changes(store, commands, cut):
    """Any commands, in any pieces, pipelined: the same bytes come back through the proxy as past it."""
    words = b"".join(command(name, *arguments) for name, arguments in commands)

    def answers(speaker, database):
        with speaker:
            speaker.ask("SELECT", database)
            speaker.ask("FLUSHDB")
            speaker.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            place, number = 0, 0
            while place < len(words):
                size = cut[number % len(cut)]
                speaker.socket.sendall(words[place : place + size])
                place, number = place + size, number + 1
            return [speaker.answer() for _ in commands]

    assert answers(store.redis(), 1) == answers(store.redis(direct=True), 2)


def test_speaker_reads_what_it_should():
    """The test's own reader takes answers whole: else the comparison above would compare nothing."""
    one, other = socket.socketpair()
    with Speaker(one) as speaker, other:
        other.sendall(b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n+OK\r\n")
        assert speaker.answer() == b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n"
        assert speaker.answer() == b"+OK\r\n"
