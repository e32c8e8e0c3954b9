"""Operations by WebSocket: one message and its answer, once; or a connection opened and closed."""

import contextlib
import json
import time

import pytest

from resilience.columns import Mark
from resilience.errors import LoadError
from resilience.load.classify import Broken, NotSent, Reply
from resilience.load.drivers.locust import check_account
from resilience.load.exchange import Exchanger, ReadyExchange, Sent
from resilience.load.http import Address
from resilience.model import Exchange, Expect, Operation, Outcome, Role
from tests.load.sockets import Scripted, close_frame, frame, library_server, read_frame
from tests.load.test_engine import Memory, make


def exchange(name="echo", send=None, role=Role.READ, path="/echo", headers=None, **more):
    return Operation(
        name=name, weight=1.0, role=role, websocket=Exchange(path=path, headers=headers or {}, send=send), **more
    )


def sent(message, path="/echo"):
    return Sent(path, (), message)


@contextlib.contextmanager
def scripted(script, greeting=None):
    server = Scripted(script, greeting)
    try:
        yield server
    finally:
        server.close()


def test_what_is_sent_is_rendered():
    """Path, headers and JSON hold names as in an HTTP request; what came by WebSocket has status 101."""
    operation = exchange(
        send={"n": "${key}", "t": "${tenant}"},
        path="/a/${tenant}",
        headers={"X": "${key}"},
        expect=Expect(json={"n": "${key}"}),
    )
    ready = ReadyExchange(operation, "http://h/base/", ("tenant",))
    values = {"key": "7", "tenant": "a b"}
    assert ready.request(values) == Sent("/base/a/a%20b", (("X", "7"),), '{"n":7,"t":"a b"}')
    assert ready.expect(values) == Expect(status=(101,), json={"n": "7"})
    with pytest.raises(LoadError, match="write_id"):
        ReadyExchange(exchange(send={"id": "${write_id}"}), "http://h", ())


def test_calls_share_a_connection_until_they_ask_for_another():
    """One connection for several messages; another path is another connection; pings between calls are answered."""

    def script(connection):
        for _ in range(2):
            _, message, _ = read_frame(connection)
            connection.sendall(frame(9, b"ping") + frame(1, message) + frame(1, b"unasked"))
            assert read_frame(connection) == (10, b"ping", True)
        read_frame(connection)

    with scripted(script) as server:
        caller = Exchanger(Address(server.url))
        assert caller.call(sent("a"), 2.0) == Reply(101, (), b"a")
        assert caller.call(sent("b"), 2.0) == Reply(101, (), b"b")
        assert len(server.requests) == 1
        caller.call(sent("c", "/other"), 2.0)
        assert len(server.requests) == 2
        caller.close()


def test_after_a_call_without_an_answer_the_connection_is_given_up():
    """The late answer is never taken for that of the next call."""

    def script(connection):
        _, message, _ = read_frame(connection)
        if message != b"slow":
            connection.sendall(frame(1, message))
        read_frame(connection)

    with scripted(script) as server:
        caller = Exchanger(Address(server.url))
        assert caller.call(sent("slow"), 0.1) == Broken("timeout: 0.1 s")
        assert caller.call(sent("next"), 2.0) == Reply(101, (), b"next")
        assert len(server.requests) == 2
        caller.close()


def test_a_kept_connection_that_was_closed_is_replaced_before_anything_is_sent():
    """Closed between two calls: the second one is carried out on a new connection, and was sent once."""
    seen = []

    def script(connection):
        seen.append(read_frame(connection)[1])
        connection.sendall(frame(1, b"ok") + close_frame(1001))

    with scripted(script) as server:
        caller = Exchanger(Address(server.url))
        for message in ("a", "b"):
            assert caller.call(sent(message), 2.0) == Reply(101, (), b"ok")
            assert caller._socket is not None
            while caller._socket.look():  # until the close frame has come
                time.sleep(0.01)
        assert seen == [b"a", b"b"]
        caller.close()


def test_what_certainly_had_no_effect_and_what_may_have_had_one():
    """No handshake: not sent. Lost after the message may have left: broken."""

    def script(connection):
        read_frame(connection)
        connection.sendall(close_frame(1011, "oops"))

    with scripted(script) as server:
        assert Exchanger(Address(server.url)).call(sent("a"), 2.0) == Broken("closed by the other side: 1011 oops")
    with scripted(script, b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n") as server:
        assert Exchanger(Address(server.url)).call(sent("a"), 2.0) == NotSent("handshake refused: status 503")
    with scripted(read_frame, b"") as server:
        assert Exchanger(Address(server.url)).call(sent("a"), 0.1) == NotSent("handshake timeout: 0.1 s")


def test_only_opening_is_an_operation_too():
    """A connect storm: every arrival opens a connection of its own, and closes it."""

    def script(connection):
        assert read_frame(connection)[0] == 8

    with scripted(script) as server:
        caller = Exchanger(Address(server.url))
        for _ in range(3):
            assert caller.call(sent(None), 2.0) == Reply(101, (), b"")
        assert len(server.requests) == 3
        caller.close()


def test_in_the_engine_each_is_a_sample_and_writes_are_in_the_ledger():
    """Echoes at a rate, and writes acknowledged by the answer: the account closes (Requirements L3, L6)."""

    def handler(connection):
        with contextlib.suppress(Exception):
            for message in connection:
                document = json.loads(message)
                connection.send(json.dumps({"id": document.get("id"), "n": document.get("n")}))

    echo = exchange(send={"n": "${key}"}, expect=Expect(json={"n": "${key}"}))
    write = exchange(
        "publish",
        send={"id": "${write_id}", "body": "${write_body}"},
        role=Role.WRITE,
        expect=Expect(json={"id": "${write_id}"}),
    )
    with library_server(handler, compression=None) as url:
        memory = Memory()
        engine = make(url, memory, echo, write, max_s=0.5)
        engine.walk()
        engine.finish(2.0)
    account = engine.meter.account()
    check_account(account)
    assert memory.outcomes() == {Outcome.OK: account["offered"]}
    assert {row[5] for row in memory.rows} == {101}
    marks = [line[0] for line in memory.lines]
    assert marks.count(Mark.ATTEMPTED) == marks.count(Mark.ACKNOWLEDGED) > 5
