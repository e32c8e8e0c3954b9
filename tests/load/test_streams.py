"""Streamed answers: the first token, all of them, and what is no complete answer. Requirement L8."""

import json
import socket
import time

import pytest

from resilience.load.classify import Broken, NotSent, Reply, Timed
from resilience.load.streams import Completion, StreamReady, Streams
from resilience.model import Expect, LoadOrder, Operation, Role, StreamedAnswer
from tests.load.target import Told, answer

CHAT = Operation(
    name="chat",
    weight=1.0,
    method="POST",
    path="/v1/chat/completions",
    json={"stream": True, "key": "${key}"},
    stream=StreamedAnswer(),
)


def token(text: str | None) -> bytes:
    """An event as a provider sends it."""
    return f"data: {json.dumps({'choices': [{'delta': {'content': text}}]})}\n\n".encode()


DONE = b"data: [DONE]\n\n"
HEAD = "HTTP/1.1 {status} X\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(content: bytes) -> bytes:
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


def streamed(*events: bytes, status: int = 200, end: bool = True) -> bytes:
    """A chunked answer of these events, in one piece."""
    return HEAD.format(status=status).encode() + b"".join(map(chunk, events)) + (b"0\r\n\r\n" if end else b"")


def ask(url: str, *, times: int = 1, timeout_s: float = 2.0, operation: Operation = CHAT):
    """What one caller sees, call by call."""
    kind = Streams(LoadOrder(run="x", seed=1, zero_ns=0, base_url=url, folder="/", load=None, max_s=1))  # type: ignore[arg-type]
    ready, caller = kind.prepare(operation, ()), kind.caller()
    found = [caller.call(ready.request({"key": "7"}), timeout_s) for _ in range(times)]
    caller.close()
    assert all(isinstance(one, Timed) for one in found)
    return [(one.happened, one.timing) for one in found]


def test_tokens_are_counted_and_the_first_is_timed(make_target):
    """The text and its tokens are the answer; events without text (a role, a reason) are none."""
    target = make_target(lambda _: streamed(token(""), token("Hel"), token("lo"), token(None), DONE))
    before = time.monotonic_ns()
    ((happened, timing),) = ask(target.url)
    assert isinstance(happened, Reply)
    assert json.loads(happened.body) == {"text": "Hello", "tokens": 2}
    assert timing.tokens == 2
    assert before < timing.first_ns < time.monotonic_ns()
    (asked,) = target.asked
    assert asked.document == {"stream": True, "key": 7}
    assert asked.headers["accept"] == "text/event-stream"


def test_the_first_token_is_timed_when_it_comes_and_not_with_the_last():
    """A server that pauses between tokens: the pause is not before the first."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        import threading  # noqa: PLC0415 - for this test alone

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(streamed(token("a"), end=False))
                time.sleep(0.3)
                connection.sendall(chunk(token("b")) + chunk(DONE) + b"0\r\n\r\n")
                connection.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        began = time.monotonic_ns()
        ((happened, timing),) = ask(f"http://127.0.0.1:{server.getsockname()[1]}")
        ended = time.monotonic_ns()
        thread.join()
    assert isinstance(happened, Reply)
    assert ended - timing.first_ns > 0.25e9
    assert timing.first_ns - began < 0.25e9


def test_the_connection_is_kept(make_target):
    """Several streams over one connection, also when the formal end comes after the last event."""
    target = make_target(lambda _: streamed(token("a"), DONE))
    found = ask(target.url, times=4)
    assert all(isinstance(happened, Reply) for happened, _ in found)
    assert target.connections == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (streamed(token("a")), "stream without its end: 1 tokens came"),
        (streamed(DONE), "stream without a token"),
        (streamed(token("a"), b'data: {"error": {"message": "overloaded"}}\n\n', DONE), "error in the stream"),
        (streamed(token("a"), b"data: {nonsense\n\n", DONE), "event that is no JSON"),
        (answer(200, {"choices": []}), "stream without its end: 0 tokens came"),
        (Told(streamed(token("a"), end=False), then="close"), "closed in the middle of the answer"),
        (Told(streamed(token("a"), end=False), then="reset"), "connection reset"),
        (Told(b"", then="close"), "closed without an answer"),
        (b"SSH-2.0-x\r\n\r\n", "not HTTP"),
    ],
)
def test_half_a_completion_is_no_completion(make_target, content, told):
    """However much came: without its end the answer is broken, and the next call has a connection of its own."""
    target = make_target(lambda _: content)
    found = ask(target.url, times=2)
    assert [happened.reason.startswith(told) for happened, _ in found if isinstance(happened, Broken)] == [True, True]


def test_another_answer_is_what_it_is(make_target):
    """A refusal is an ordinary answer, with its headers; an error as a stream is one, too."""
    target = make_target(lambda _: answer(429, {"error": "x"}, headers="Retry-After: 2\r\n"))
    ((happened, timing),) = ask(target.url)
    assert isinstance(happened, Reply)
    assert (happened.status, json.loads(happened.body), timing.first_ns, timing.tokens) == (429, {"error": "x"}, -1, 0)
    assert (b"retry-after", b"2") in happened.headers
    target = make_target(lambda _: streamed(token("a"), status=503))
    ((happened, timing),) = ask(target.url)
    assert isinstance(happened, Reply)
    assert (happened.status, timing.tokens) == (503, 0)


def test_time_limits_and_refused_connections(make_target):
    """The limit is for all of it; before a byte was sent nothing has happened."""
    target = make_target(lambda _: Told(streamed(token("a"), end=False)))
    ((happened, timing),) = ask(target.url, timeout_s=0.2)
    assert happened == Broken("timeout: 0.2 s")
    assert timing.tokens == 1
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    ((happened, _),) = ask(f"http://127.0.0.1:{port}")
    assert isinstance(happened, NotSent)


def test_a_stream_that_ends_by_ending():
    """Without a last event the end of the answer is the end; and other shapes of events can be read."""
    seen = Completion(StreamedAnswer(token="text", end=""), [])
    assert [seen.take(data, 5) for data in ('{"text": "a"}', '{"text": ""}', '{"text": 3}')] == [False, False, False]
    assert (seen.missing(), seen.tokens, seen.pieces) == ("", 1, ["a"])


def test_what_a_good_answer_is_can_be_said():
    """`text` and `tokens` can be expected like anything in an answer; a header of one's own stays."""
    operation = Operation(
        name="chat",
        weight=1.0,
        path="/x",
        role=Role.READ,
        headers={"ACCEPT": "*/*"},
        expect=Expect(json={"tokens": "2"}),
        stream=StreamedAnswer(),
    )
    ready = StreamReady(operation, "http://h:1", ())
    request, _, whom = ready.request({"key": "1"})
    assert whom == "http://h:1"
    assert request.content.count(b"ccept") + request.content.count(b"CCEPT") == 1
    assert ready.expect({}) == operation.expect
