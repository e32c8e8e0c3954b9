"""The Redis client against a real server: one call is one command, and what was not executed is told from the rest."""

import socket
import threading
import time

import pytest

from resilience.columns import Mark
from resilience.errors import LoadError
from resilience.load.classify import Broken, NotSent, Refused, Sought, StoreAnswer, classify
from resilience.load.redis import Redis
from resilience.model import WRONG_TENANT, Expect, Outcome, Role
from tests.load.stores import asking, finding, order, redis
from tests.wire.stores import stores


@pytest.fixture(scope="module")
def store():
    """Servers with the proxies before them."""
    with stores() as started:
        yield started


@pytest.fixture
def direct(store):
    """A connection past the proxies, to an empty server."""
    with store.redis(direct=True) as speaker:
        speaker.ask("FLUSHALL")
        yield speaker


@pytest.fixture
def fake(monkeypatch):
    """A server that answers each connection with given bytes, and says how often it was connected to."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        monkeypatch.setenv("FAKE_REDIS", f"redis://me:hush@127.0.0.1:{port}/3")
        seen = []

        def serve(answers):
            def run():
                while True:
                    try:
                        connection, _ = listening.accept()
                    except OSError:
                        return
                    with connection:
                        seen.append(connection.recv(1000))
                        for answer in answers:
                            connection.sendall(answer)
                            seen[-1] += connection.recv(1000)

            threading.Thread(target=run, daemon=True).start()
            return seen

        yield serve


pytestmark = pytest.mark.stack


def test_a_value_by_its_key_and_a_kept_connection(store, direct):
    """What is stored comes back as text, nothing as null; the next call has the same connection (Requirement L7)."""
    direct.ask("SET", "item:3", "three")
    with asking(Redis, store, redis("GET", "item:${key}"), redis("CLIENT", "ID", name="id")) as ask:
        assert ask(key="3").document() == {"reply": "three"}
        assert ask(key="4").document() == {"reply": None}
        assert ask("id").document() == ask("id").document()


def test_a_value_stays_one_word(store, direct):
    """Spaces and line ends in a value make no further words or commands."""
    with asking(Redis, store, redis("SET", "k", "${write_body}", role=Role.WRITE, reply="OK")) as ask:
        assert ask(write_body="a b\r\nFLUSHALL\r\n").fault == ""
    assert direct.ask("GET", "k").endswith(b"\r\na b\r\nFLUSHALL\r\n\r\n")


@pytest.mark.parametrize(
    ("stored", "asked", "fault"),
    [
        (None, {"found": True}, "unexpected answer: there is nothing"),
        ("x", {"found": True}, ""),
        ("x", {"reply": "${key}"}, "unexpected answer: 'x', expected '7'"),
        ("7", {"reply": "${key}"}, ""),
        ('{"id": 7}', {"values": {"id": "${key}"}}, ""),
        ('{"id": 8}', {"values": {"id": "${key}"}}, "unexpected answer: id is '8', expected '7'"),
        ("{", {"values": {"id": "${key}"}}, "unexpected answer: id is nothing, expected '7'"),
        (None, {"tenant": "owner"}, ""),
        ("{}", {"tenant": "owner"}, f"{WRONG_TENANT}: what belongs to nobody in an answer to 'red'"),
        ('{"owner": "red"}', {"tenant": "owner"}, ""),
        ('{"owner": "blue"}', {"tenant": "owner"}, f"{WRONG_TENANT}: what belongs to 'blue' in an answer to 'red'"),
    ],
)
def test_what_must_come_back(store, direct, stored, asked, fault):
    """The whole reply, or paths in its JSON; another tenant's value is named."""
    if stored is not None:
        direct.ask("SET", "k", stored)
    with asking(Redis, store, redis("GET", "k", **asked)) as ask:
        happened = ask(key="7", tenant="red")
        assert happened.fault == fault
        assert finding(happened, Role.READ).outcome is (Outcome.FAILED if fault else Outcome.OK)


@pytest.mark.parametrize(
    ("stored", "body", "mark"),
    [
        (None, "", Mark.MISSED),
        ("body", "", Mark.SEEN),
        ("other", "", Mark.WRONG),
        ('{"body": "body"}', "body", Mark.SEEN),
        ("{}", "body", None),
    ],
)
def test_a_read_back(store, direct, stored, body, mark):
    """It sees what was acknowledged, misses it, finds something else, or says nothing of it."""
    if stored is not None:
        direct.ask("SET", "entry:a", stored)
    with asking(Redis, store, redis("GET", "entry:${acked_id}", role=Role.READ_BACK, body=body)) as ask:
        happened = ask(acked_id="a")
        assert classify(Role.READ_BACK, happened, Expect(), sought=Sought("a", "body")).mark is mark


def test_an_error_says_that_nothing_was_done(store, direct):
    """OOM, READONLY and the like: certain. Of a script it may have been done in part."""
    write = redis("SET", "k", "v", role=Role.WRITE)
    script = redis("EVAL", "redis.call('SET', 'half', '1') return redis.call('NONSENSE')", "0", name="script")
    with asking(Redis, store, write, script) as ask:
        for error in ("OOM", "READONLY", "LOADING", "MISCONF"):
            with store.rule("redis", action="error", error=error):
                happened = ask()
            assert isinstance(happened, Refused)
            assert happened.reason.startswith(f"redis {error}: ")
            assert finding(happened).mark is Mark.REJECTED
        assert direct.ask("EXISTS", "k") == b":0\r\n"
        assert isinstance(ask("script"), Broken)
    assert direct.ask("EXISTS", "half") == b":1\r\n"


def test_an_answer_that_is_lost_is_uncertain(store, direct):
    """Executed, and the connection cut before the answer: unknown, and nothing is sent again."""
    with asking(Redis, store, redis("INCR", "n", role=Role.WRITE)) as ask:
        assert isinstance(ask(), StoreAnswer)
        with store.rule("redis", action="cut", command="INCR"):
            happened = ask()
        assert (finding(happened).outcome, finding(happened).mark) == (Outcome.UNKNOWN, Mark.INDETERMINATE)
        assert ask().document() == {"reply": 3}
    assert direct.ask("GET", "n") == b"$1\r\n3\r\n"


def test_a_time_limit_covers_everything(store):
    """Waiting for an answer is uncertain; logging in that takes too long sent nothing that matters."""
    began = time.monotonic()
    with asking(Redis, store, redis("BLPOP", "nothing", "20"), redis("PING", name="alive")) as ask:
        assert ask(timeout_s=0.3) == Broken("timeout: 0.3 s")
        assert isinstance(ask("alive"), StoreAnswer)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SILENT", f"redis://127.0.0.1:{port}")
            with asking(Redis, store, redis("PING", dsn_env="SILENT")) as ask:
                assert ask(timeout_s=0.3) == NotSent("connect timeout: 0.3 s")
    assert 0.6 < time.monotonic() - began < 6


def test_no_connection_is_certain(store, fake):
    """Refused, a wrong password, too many clients: nothing was sent that could take effect."""
    write = redis("SET", "k", "v", role=Role.WRITE, dsn_env="FAKE_REDIS")
    seen = fake([b"-ERR max number of clients reached\r\n"])
    with asking(Redis, store, write) as ask:
        assert ask() == NotSent("not connected: redis ERR: max number of clients reached")
    assert len(seen) == 1
    assert b"\r\nSET\r\n" not in seen[0]


def test_it_logs_in_as_the_address_says(store, fake):
    """User, password and database of the address; the name of the connection says whose it is."""
    seen = fake([b"+OK\r\n+OK\r\n+OK\r\n", b"+PONG\r\n"])
    with asking(Redis, store, redis("PING", dsn_env="FAKE_REDIS", reply="PONG")) as ask:
        assert ask().fault == ""
    words = [word for word in seen[0].split(b"\r\n") if word[:1] not in b"*$"]
    assert words == [b"AUTH", b"me", b"hush", b"CLIENT", b"SETNAME", b"resilience-0badcafe", b"SELECT", b"3", b"PING"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"+PONG\r\n+PONG\r\n", "more came than was asked for"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not Redis: "),
        (b"", "closed without an answer"),
    ],
)
def test_nonsense_is_no_answer(store, fake, answer, told):
    """What is not exactly one answer proves nothing."""
    fake([b"+OK\r\n+OK\r\n+OK\r\n", *([answer] if answer else [])])
    with asking(Redis, store, redis("SET", "k", "v", role=Role.WRITE, dsn_env="FAKE_REDIS")) as ask:
        happened = ask()
        assert isinstance(happened, Broken)
        assert happened.reason.startswith(told)


def test_a_connection_that_was_closed_while_idle_is_replaced(store, direct):
    """It is noticed before anything is sent."""
    with asking(Redis, store, redis("CLIENT", "ID")) as ask:
        before = ask().document()["reply"]
        direct.ask("CLIENT", "KILL", "ID", str(before))
        time.sleep(0.2)  # until the end has come through the proxies
        assert ask().document()["reply"] > before


def test_an_operation_must_know_its_server(store, monkeypatch):
    """A variable that is not set, nonsense in it (never shown), a part that is no Redis, an unknown name: all told."""
    monkeypatch.setenv("BAD_REDIS", "hush hush")
    asked = [
        redis("PING", name=f"a{number}", **more)
        for number, more in enumerate([{"dsn_env": "NO_SUCH"}, {"dsn_env": "BAD_REDIS"}, {"on": "postgres"}])
    ]
    with pytest.raises(LoadError) as caught:
        Redis(order(store, *asked))
    assert [problem.where for problem in caught.value.problems] == ["operation a0", "operation a1", "operation a2"]
    assert "hush" not in str(caught.value)
    kind = Redis(order(store))
    with pytest.raises(LoadError, match="write_id"):
        kind.prepare(redis("GET", "${write_id}"), [])
