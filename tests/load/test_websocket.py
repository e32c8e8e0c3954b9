"""The WebSocket client against real sockets: scripted byte by byte, and beside the library's own server."""

import contextlib
import socket
import struct
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resilience.load.http import Address
from resilience.load.websocket import LostError, NotOpenedError, WebSocket
from tests.load.sockets import Scripted, close_frame, frame, library_server, read_frame


@pytest.fixture
def scripted():
    """Starts scripted servers, and closes them in the end."""
    made: list[Scripted] = []

    def make(script=lambda _: None, greeting=None) -> Scripted:
        made.append(Scripted(script, greeting))
        return made[-1]

    yield make
    for server in made:
        server.close()


def connect(url: str, resource: str = "/x", **options) -> WebSocket:
    return WebSocket.connect(Address(url), resource, **options)


def hold(connection) -> None:
    """Wait until the other side closes."""
    with contextlib.suppress(OSError):
        while connection.recv(4096):
            pass


def test_what_is_sent_is_masked_and_what_comes_is_returned_whole(scripted):
    """RFC 6455, 5.1 and 5.4: a client masks; fragments with a ping between them are one message (Requirement L6)."""
    seen = []

    def script(connection):
        seen.append(read_frame(connection))
        connection.sendall(
            frame(1, b"one ", fin=False) + frame(9, b"there?") + frame(0, "thr€€".encode()[:4], fin=False)
        )
        connection.sendall(frame(0, "thr€€".encode()[4:]))
        seen.append(read_frame(connection))
        connection.sendall(frame(2, b"\0\xff"))
        hold(connection)

    client = connect(scripted(script).url)
    client.send("hello")
    assert client.receive(2.0) == "one thr€€"
    assert client.receive(2.0) == b"\0\xff"
    client.close()
    assert seen == [(1, b"hello", True), (10, b"there?", True)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    messages=st.lists(st.one_of(st.text(max_size=300), st.binary(max_size=70_000)), min_size=1, max_size=5),
    cuts=st.lists(st.integers(1, 400), min_size=1, max_size=20),
    pieces=st.integers(1, 4),
)
def test_messages_are_the_same_wherever_the_bytes_are_split(scripted, messages, cuts, pieces):
    """A stream of fragmented messages gives the same messages, however TCP cuts it."""
    stream = b""
    for message in messages:
        data = message.encode() if isinstance(message, str) else message
        size = max(1, -(-len(data) // pieces))
        parts = [data[at : at + size] for at in range(0, len(data), size)] or [b""]
        for place, part in enumerate(parts):
            opcode = (1 if isinstance(message, str) else 2) if place == 0 else 0
            stream += frame(opcode, part, fin=place == len(parts) - 1)

    def script(connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        at = 0
        for cut in cuts:
            connection.sendall(stream[at : at + cut])
            at += cut
        connection.sendall(stream[at:])
        hold(connection)

    server = scripted(script)
    client = connect(server.url)
    assert [client.receive(5.0) for _ in messages] == messages
    client.abort()
    server.close()


@pytest.mark.parametrize(
    ("sent", "code", "words"),
    [
        pytest.param(close_frame(1012, "restart"), 1012, "closed by the other side: 1012 restart", id="close-frame"),
        pytest.param(frame(8), 1005, "closed by the other side: 1005", id="close-frame-without-code"),
        pytest.param(b"", 1006, "closed without a word", id="end-of-stream"),
        pytest.param(frame(1, b"abc", fin=False), 1006, "closed without a word", id="in-a-message"),
        pytest.param(b"\x81\x7e\x00", 1006, "closed without a word", id="in-a-head"),
        pytest.param(frame(1, b"abc", mask=b"abcd"), 1006, "protocol broken: 1002", id="masked-by-the-server"),
        pytest.param(frame(3, b"abc"), 1006, "protocol broken: 1002", id="unknown-opcode"),
        pytest.param(frame(0, b"abc"), 1006, "protocol broken: 1002", id="continues-nothing"),
        pytest.param(frame(1, b"\xff"), 1006, "protocol broken: 1007", id="text-that-is-none"),
        pytest.param(b"\x82\x7f" + struct.pack("!Q", 1 << 40), 1006, "protocol broken: 1009", id="far-too-long"),
    ],
)
def test_what_came_before_the_end_is_returned_and_then_the_reason(scripted, sent, code, words):
    """However a connection ends, the messages before it count, and the reason is told."""

    def script(connection):
        connection.sendall(frame(1, b"before") + sent)
        if sent.startswith((b"\x88", b"\x83", b"\x80", b"\x82")) or words.startswith("protocol"):
            hold(connection)

    client = connect(scripted(script).url)
    assert client.receive(2.0) == "before"
    with pytest.raises(LostError, match=words) as raised:
        client.receive(2.0)
    assert raised.value.code == code
    assert not client.open
    with pytest.raises(LostError):
        client.send("more")


def test_a_server_that_dies_is_noticed(scripted):
    """A reset in the middle of everything is an error with its reason, not silence."""

    def script(connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    client = connect(scripted(script).url)
    with pytest.raises(LostError, match=r"connection reset|closed without a word"):
        client.receive(2.0)


def test_silence_is_not_the_end(scripted):
    """Nothing in time is a TimeoutError, and the next message is still received."""

    def script(connection):
        read_frame(connection)
        connection.sendall(frame(1, b"late"))
        hold(connection)

    client = connect(scripted(script).url)
    with pytest.raises(TimeoutError):
        client.receive(0.05)
    client.send("now")
    assert client.receive(2.0) == "late"
    client.abort()


@pytest.mark.parametrize(
    ("greeting", "words", "status"),
    [
        (b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno", "handshake refused: status 503", 503),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "handshake refused: status 200", 200),
        (
            b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n",
            "wrong",
            0,
        ),
        (b"SSH-2.0-x\r\n", "handshake wrong", 0),
        (b"", "closed without an answer", 0),
        (b"HTTP/1.1 101 Swi", "closed without an answer", 0),
    ],
)
def test_a_handshake_that_is_none(scripted, greeting, words, status):
    """What is not a good handshake opens nothing, and the reason and the status are told."""
    with pytest.raises(NotOpenedError, match=words) as raised:
        connect(scripted(greeting=greeting).url, timeout_s=3.0)
    assert raised.value.status == status


def test_a_handshake_that_is_never_answered(scripted):
    """The time limit covers the handshake."""
    server = scripted(hold, greeting=b"")
    began = time.monotonic()
    with pytest.raises(NotOpenedError, match=r"handshake timeout: 0\.2 s"):
        connect(server.url, timeout_s=0.2)
    assert time.monotonic() - began < 2.0


def test_nobody_listens():
    """A refused connection says so."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(NotOpenedError, match="connection refused"):
            connect(f"http://127.0.0.1:{bound.getsockname()[1]}")


def test_path_headers_and_subprotocol_are_sent(scripted):
    """The handshake asks for the resource as written, with the headers that were given."""
    server = scripted(hold)
    connect(server.url, "/a/b?c=d&e=%20", headers={"Authorization": "Bearer x"}, subprotocols=["chat"]).abort()
    head = server.requests[0]
    assert head.startswith(b"GET /a/b?c=d&e=%20 HTTP/1.1\r\n")
    assert b"Authorization: Bearer x\r\n" in head
    assert b"Sec-WebSocket-Protocol: chat\r\n" in head
    assert b"Sec-WebSocket-Extensions" not in head


def test_beside_the_server_of_the_library():
    """An echo by an independent server: texts, bytes, long ones, pings, subprotocol, close codes both ways."""
    closed = []

    def handler(connection):
        with contextlib.suppress(Exception):
            for message in connection:
                if message == "bye":
                    connection.close(4001, "as asked")
                elif message == "ping":
                    connection.ping(b"there?").wait(2.0)
                    connection.send("ponged")
                else:
                    connection.send(message)
        closed.append((connection.close_code, connection.close_reason))

    with library_server(handler, subprotocols=["chat"], max_size=None, compression="deflate") as url:
        client = connect(url, subprotocols=["chat"])
        assert client.protocol_name == "chat"
        for message in ("", "ä€😀", b"", b"\0" * 125, "x" * 126, b"y" * 65535, "z" * 65536, b"w" * 1_000_000):
            client.send(message)
            assert client.receive(5.0) == message
        client.send("ping")
        assert client.receive(5.0) == "ponged"
        client.ping(b"ours")
        assert client.receive(5.0) is None  # its pong
        client.close(4002, "done")
        client = connect(url, subprotocols=["chat"])
        client.send("bye")
        with pytest.raises(LostError, match="4001 as asked") as raised:
            client.receive(5.0)
        assert (raised.value.code, raised.value.reason) == (4001, "as asked")
    assert closed == [(4002, "done"), (4001, "as asked")]
