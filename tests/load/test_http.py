"""The HTTP client against real sockets: one call is one attempt, and nothing is hidden."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from resilience.errors import LoadError
from resilience.load.classify import Broken, NotSent, Reply
from resilience.load.http import BODY_LIMIT, HEAD_LIMIT, Address, Client
from resilience.load.operations import Request
from tests.load.target import HANG, Told, answer

GET = Request(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
PUT = Request(b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
HEAD = Request(b"HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n", no_body=True)


class CountingAddress(Address):
    """Counts connection attempts."""

    attempts = 0

    def connect(self):
        """One more."""
        self.attempts += 1
        return super().connect()


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port on which nobody listens, and nobody else will."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_an_ordinary_answer_and_a_kept_connection(make_target):
    """Two calls use one connection; status, headers and body arrive as sent."""
    target = make_target(lambda asked: answer(200, {"path": asked.path}, headers="X-Mark: a\r\n"))
    client = Client(Address(target.url))
    for _ in range(2):
        reply = client.call(GET, 1.0)
        assert reply == Reply(200, ((b"content-length", b"14"), (b"x-mark", b"a")), b'{"path": "/x"}')
    client.close()
    assert (target.connections, len(target.asked)) == (1, 2)


@pytest.mark.parametrize(
    ("told", "status", "body"),
    [
        pytest.param(
            answer(200, body=b"x").replace(b"Content-Length: 1", b"Transfer-Encoding: chunked")[:-1]
            + b"2\r\nab\r\n1;e=1\r\nc\r\n0\r\nTrailer: x\r\n\r\n",
            200,
            b"abc",
            id="chunked",
        ),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", id="no-content"),
        pytest.param(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, b"", id="not-modified"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + answer(200, body=b"hi"), 200, b"hi", id="informational"),
        pytest.param(answer(301, body=b"", headers="Location: /y\r\n"), 301, b"", id="redirect"),
        pytest.param(answer(503, body=b"\xff\x00\xfe"), 503, b"\xff\x00\xfe", id="binary-503"),
        pytest.param(answer(200, body=b""), 200, b"", id="empty"),
    ],
)
def test_answers_after_which_the_connection_is_kept(make_target, told, status, body):
    """However an answer is framed it is read whole, a redirect is not followed, and the connection goes on."""
    target = make_target(lambda _: told)
    client = Client(Address(target.url))
    for _ in range(2):
        reply = client.call(GET, 1.0)
        assert isinstance(reply, Reply)
        assert (reply.status, reply.body) == (status, body)
    client.close()
    assert (target.connections, len(target.asked)) == (1, 2)


@pytest.mark.parametrize(
    ("told", "body"),
    [
        pytest.param(Told(b"HTTP/1.1 200 OK\r\n\r\nuntil the end", then="close"), b"until the end", id="no-length"),
        pytest.param(Told(answer(200, body=b"x", headers="Connection: close\r\n"), then="close"), b"x", id="close"),
        pytest.param(Told(b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", then="close"), b"x", id="http-1.0"),
        pytest.param(answer(200, body=b"x", headers="Connection: close\r\n"), b"x", id="close-announced-only"),
        pytest.param(answer(200, body=b"x") + b"more than was announced", b"x", id="excess"),
        pytest.param(answer(200, body=b"x") + answer(200, body=b"y"), b"x", id="two-answers"),
    ],
)
def test_answers_after_which_the_connection_is_not_used_again(make_target, told, body):
    """A connection that was closed, or on which more came than was asked for, is replaced before the next call."""
    target = make_target(lambda _: told)
    client = Client(Address(target.url))
    for _ in range(2):
        reply = client.call(GET, 1.0)
        assert isinstance(reply, Reply)
        assert reply.body == body
    client.close()
    assert (target.connections, len(target.asked)) == (2, 2)


def test_head_has_no_body_whatever_it_announces(make_target):
    """The answer to HEAD ends with its head, and the connection is kept."""
    target = make_target(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
    client = Client(Address(target.url))
    assert [client.call(HEAD, 1.0).status for _ in range(2)] == [200, 200]
    client.close()
    assert target.connections == 1


BROKEN = [
    pytest.param(Told(then="close"), "closed without an answer", id="closed"),
    pytest.param(Told(then="reset"), "connection reset", id="reset"),
    pytest.param(Told(answer(200, body=b"0123456789")[:-4], then="close"), "closed in the middle", id="half-body"),
    pytest.param(Told(b"HTTP/1.1 200 OK\r\nContent-", then="close"), "closed in the middle", id="half-head"),
    pytest.param(Told(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n012", then="reset"), "connection reset", id="torn"),
    pytest.param(
        Told(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", then="close"),
        "closed in the middle",
        id="half-chunk",
    ),
    pytest.param(Told(b"HTTP/1.1 100 Continue\r\n\r\n", then="close"), "closed in the middle", id="only-continue"),
    pytest.param(Told(b"SSH-2.0-OpenSSH\r\n"), "not HTTP", id="not-http"),
    pytest.param(b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "not HTTP", id="upgrade"),
    pytest.param(answer(200, body=bytes(BODY_LIMIT + 1)), "body too long", id="long-body"),
    pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"a" * HEAD_LIMIT, "head too long", id="long-head"),
    pytest.param(HANG, "timeout", id="hang"),
    pytest.param(Told(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n012"), "timeout", id="stalls-in-the-middle"),
]


@pytest.mark.parametrize(("told", "reason"), BROKEN)
@pytest.mark.parametrize("request_", [GET, PUT], ids=["get", "put"])
def test_a_broken_answer_is_the_result_and_is_never_tried_again(make_target, told, reason, request_):
    """Whatever breaks after sending: one request, one connection, a result that says why, idempotent method or not."""
    target = make_target(lambda _: told)
    client = Client(Address(target.url))
    broken = client.call(request_, 0.3)
    client.close()
    assert isinstance(broken, Broken)
    assert broken.reason.startswith(reason)
    assert (target.connections, len(target.asked)) == (1, 1)


def test_a_connection_closed_while_idle_is_replaced_before_sending(make_target):
    """A server that closes every connection after its answer causes no failure and no second request."""
    target = make_target(lambda _: Told(answer(200, body=b"x"), then="close"))
    client = Client(Address(target.url))
    for _ in range(5):
        assert isinstance(client.call(PUT, 1.0), Reply)
        time.sleep(0.02)  # the end of the stream arrives
    client.close()
    assert (target.connections, len(target.asked)) == (5, 5)


def test_after_a_failure_the_next_call_begins_with_a_new_connection(make_target):
    """A late answer to a call that timed out is never taken for the answer to the next call."""
    slow = iter([Told(answer(200, body=b"late"), wait_s=0.3), answer(200, body=b"right")])
    target = make_target(lambda _: next(slow))
    client = Client(Address(target.url))
    assert isinstance(client.call(GET, 0.1), Broken)
    time.sleep(0.3)
    assert client.call(GET, 1.0).body == b"right"
    client.close()
    assert target.connections == 2


def test_a_closed_port_fails_at_once_with_one_attempt(free_port):
    """A refused connection is certainly nothing sent; it takes less than 50 ms and one attempt."""
    address = CountingAddress(f"http://127.0.0.1:{free_port}")
    client = Client(address)
    client.call(GET, 1.0)  # what is slow the first time (threads of the resolver) is not the client's doing
    began = time.monotonic()
    assert client.call(GET, 1.0) == NotSent("connection refused")
    assert time.monotonic() - began < 0.05
    assert address.attempts == 2


def test_a_connection_that_is_not_made_in_time_is_not_sent():
    """A listener whose queue is full never completes the handshake: a connect timeout, certainly nothing sent."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)  # noqa: FBT003 - the name says it
            filler.connect_ex(("127.0.0.1", port))
        time.sleep(0.05)
        client = Client(Address(f"http://127.0.0.1:{port}"))
        assert client.call(GET, 0.2) == NotSent("connect timeout: 0.2 s")
        for filler in fillers:
            filler.close()


def test_a_name_that_does_not_exist_is_not_sent():
    """An unknown host name is certainly nothing sent."""
    happened = Client(Address("http://nothing.invalid:80")).call(GET, 5.0)
    assert isinstance(happened, NotSent)
    assert happened.reason.startswith(("name not found", "connect timeout"))


def test_plain_text_on_a_tls_port_is_not_sent(make_target):
    """When TLS cannot be agreed on, the request itself was certainly not sent."""
    target = make_target(lambda _: answer(200, body=b"x"))
    happened = Client(Address(target.url.replace("http:", "https:"))).call(GET, 0.5)
    assert isinstance(happened, NotSent)
    assert target.asked == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that signs itself, and its key, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the program openssl, to make a certificate")
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    names = ("-subj", "/CN=shop", "-addext", "subjectAltName=IP:127.0.0.1")
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2")
    words = ["openssl", "req", "-x509", "-noenc", *kind, *names, "-keyout", str(path), "-out", f"{path}.crt"]
    subprocess.run(words, check=True, capture_output=True, timeout=30)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


@pytest.fixture
def served(certificate, make_target, monkeypatch):
    """A server with that certificate, which its clients trust as they would any in SSL_CERT_FILE."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def make(script):
        return make_target(script, tls=context)

    return make


@pytest.mark.parametrize("newest", [True, False])
def test_tls_connections_are_kept_and_share_one_context(served, newest):
    """Two clients of one address, three calls each: two connections, one context. TLS 1.3 and 1.2."""
    target = served(lambda asked: answer(200, {"path": asked.path}))
    target.tls.maximum_version = ssl.TLSVersion.TLSv1_3 if newest else ssl.TLSVersion.TLSv1_2
    address = CountingAddress(target.url)
    clients = [Client(address), Client(address)]
    for _ in range(3):
        for client in clients:
            reply = client.call(GET, 5.0)
            assert isinstance(reply, Reply), reply
            assert reply.body == b'{"path": "/x"}'
    assert (address.attempts, target.connections, len(target.asked)) == (2, 2, 6)
    for client in clients:
        client.close()


def test_tls_with_a_stranger_is_nothing_sent(served, monkeypatch, tmp_path):
    """A certificate that nobody vouches for, or that is for another name: certainly not sent."""
    target = served(lambda _: answer(200, body=b"x"))
    named = Client(Address(target.url.replace("127.0.0.1", "localhost"))).call(GET, 5.0)
    (tmp_path / "none.pem").write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    unknown = Client(Address(target.url)).call(GET, 5.0)
    for happened in (named, unknown):
        assert isinstance(happened, NotSent)
        assert happened.reason.startswith("tls failed: ")
        assert "CERTIFICATE_VERIFY_FAILED" in happened.reason
    assert target.asked == []


def test_over_tls_what_was_sent_and_not_answered_is_broken(served):
    """Hanging, closed and reset after the request: it may have had an effect, and nothing is sent twice."""
    for told in (HANG, Told(then="close"), Told(then="reset")):
        target = served(lambda _, told=told: told)
        began = time.monotonic()
        happened = Client(Address(target.url)).call(PUT, 0.7)
        assert isinstance(happened, Broken), told
        assert time.monotonic() - began < 5
        assert len(target.asked) == 1


def test_over_tls_a_connection_that_was_closed_meanwhile_is_replaced(served):
    """As in plain HTTP: noticed before anything is sent."""
    target = served(lambda _: Told(answer(200, body=b"x"), then="close"))
    client = Client(Address(target.url))
    for _ in range(3):
        assert isinstance(client.call(GET, 5.0), Reply)
        time.sleep(0.1)
    assert (target.connections, len(target.asked)) == (3, 3)
    client.close()


@pytest.mark.parametrize("url", ["", "ftp://x", "http://", "127.0.0.1:80", "http://x:notaport", "http://x:99999"])
def test_an_address_that_is_none_is_refused(url):
    """A wrong base address is an error that shows it."""
    with pytest.raises(LoadError) as caught:
        Address(url)
    assert repr(url) in str(caught.value)


def test_a_request_that_does_not_fit_at_once_is_sent_whole(make_target):
    """On a kept connection, too: eight megabytes arrive as they were sent, and the connection goes on."""
    target = make_target(lambda asked: answer(200, body=str(len(asked.body)).encode()))
    client = Client(Address(target.url))
    size = 8_000_000
    large = Request(b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
    for request, length in ((GET, 0), (large, size), (GET, 0)):
        reply = client.call(request, 20.0)
        assert isinstance(reply, Reply)
        assert int(reply.body) == length
    client.close()
    assert (target.connections, len(target.asked)) == (1, 3)


def test_time_limits_on_kept_connections_are_exact(make_target):
    """Calls with different limits, begun together on connections that are kept, each end at their own limit."""
    hanging = threading.Event()
    target = make_target(lambda _: HANG if hanging.is_set() else answer(200, body=b"x"))
    clients = [Client(Address(target.url)) for _ in range(6)]
    assert all(isinstance(client.call(GET, 5.0), Reply) for client in clients)
    hanging.set()
    began = time.monotonic()
    limits = [0.3, 0.1, 0.5, 0.3, 0.1, 0.5]
    ended: list[tuple[float, object]] = []

    def call(client: Client, limit_s: float) -> None:
        happened = client.call(GET, limit_s)
        ended.append((time.monotonic() - began - limit_s, happened))
        client.close()

    gevent.joinall([gevent.spawn(call, client, limit) for client, limit in zip(clients, limits, strict=True)])
    assert [happened for _, happened in ended] == [Broken(f"timeout: {limit:g} s") for limit in sorted(limits)]
    assert all(-0.002 <= late_s < 0.25 for late_s, _ in ended)  # never early; late only as this machine is busy
    assert target.connections == 6


def test_a_call_that_is_given_up_from_outside_leaves_nothing_behind(make_target):
    """Killed while it waits, a call closes its connection, and the next one has an answer of its own."""
    told = iter([answer(200, body=b"first"), Told(answer(200, body=b"late"), wait_s=0.2), answer(200, body=b"own")])
    target = make_target(lambda _: next(told))
    client = Client(Address(target.url))
    assert client.call(GET, 5.0).body == b"first"
    waiting = gevent.spawn(client.call, GET, 5.0)
    gevent.sleep(0.05)
    waiting.kill()
    assert not client.prompt()
    assert client.call(GET, 5.0).body == b"own"
    client.close()
    assert (target.connections, len(target.asked)) == (2, 3)
