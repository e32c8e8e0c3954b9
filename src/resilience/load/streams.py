"""Answers that come as server-sent events: a client that reads them, and the operation whose answer is streamed.

As in `load.http` one call is one attempt, with one time limit for all of it. An answer that says that it is a stream
and does not come to its end is broken, however much of it came: half a completion is no completion.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gevent
import httptools
from gevent import socket, ssl

from resilience.load.calls import Caller, Ready, Values
from resilience.load.classify import Broken, Happened, NotSent, Reply, Timed, Timing
from resilience.load.http import BODY_LIMIT, Address, broken_reason, unsent_reason
from resilience.load.operations import Prepared, Request
from resilience.load.sse import Events, TooLongError
from resilience.model import Expect, LoadOrder, Operation, StreamedAnswer

EVENT_STREAM = b"text/event-stream"
ACCEPT = {"Accept": "text/event-stream"}
_CHUNK = 65536
_GOOD = range(200, 300)
_SHOWN = 80

Take = Callable[[str, int], bool]
"""Takes the data of an event and the instant at which it came, by the host's monotonic clock; True is the last."""


class EventClient:
    """One connection for streamed answers, kept alive between calls; used by one greenlet at a time."""

    __slots__ = ("_address", "_rest", "_socket")

    def __init__(self, address: Address) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self._rest: _Answer | None = None  # of a stream whose last event came before its formal end

    def call(self, request: Request, timeout_s: float, take: Take) -> Happened:
        """Send one request, once; hand over the events of its answer, and return what happened.

        Args:
            request: what to send.
            timeout_s: for all of it.
            take: gets each event; after the last, nothing more is read.

        Returns:
            A `Reply` once the answer is complete or `take` has had the last event; of a stream it has no body.
        """
        timer = gevent.Timeout.start_new(timeout_s)
        sent = keep = False
        try:
            connection = self._connection()
            sent = True  # before the first byte: an interrupted send counts as sent
            connection.sendall(request.content)
            answer = _receive(connection, take)
            keep = answer.keep if answer.complete else answer.enough
            self._rest = None if answer.complete else answer
        except gevent.Timeout as timeout:
            if timeout is not timer:
                raise
            return Broken(f"timeout: {timeout_s:g} s") if sent else NotSent(f"connect timeout: {timeout_s:g} s")
        except _NoAnswerError as error:
            return Broken(str(error))
        except OSError as error:
            return Broken(broken_reason(error)) if sent else NotSent(unsent_reason(error))
        else:
            return answer.reply()
        finally:
            timer.close()
            if not keep:
                self.close()

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = self._rest = None

    def _connection(self) -> "socket.socket":
        """The kept connection, if the other side has neither closed it nor said anything unasked; else a new one."""
        if self._socket is not None and not _free(self._socket, self._rest):
            self.close()
        self._rest = None
        if self._socket is None:
            self._socket = self._address.connect()
        return self._socket


def _free(connection: "socket.socket", rest: "_Answer | None") -> bool:
    """Whether a kept connection can be used: nothing waits on it but what an earlier stream still lacked."""
    timeout = connection.gettimeout()
    connection.settimeout(0.0)
    try:
        data = connection.recv(_CHUNK)
        if rest is None or not data:
            return False
        rest.parser.feed_data(data)
    except (BlockingIOError, ssl.SSLWantReadError):
        return rest is None
    except (OSError, httptools.HttpParserError):
        return False
    finally:
        connection.settimeout(timeout)
    return rest.complete and rest.keep


class _NoAnswerError(Exception):
    """What came is not a complete answer, and why."""


class _Answer:
    """Takes one answer from the parser's callbacks, and hands over its events as they come."""

    def __init__(self, take: Take) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.complete = self.enough = self.keep = self.framed = False
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = bytearray()
        self._events: Events | None = None
        self._take = take

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self.headers.append((name, value))
        self.framed |= name in {b"content-length", b"transfer-encoding"}
        if name == b"content-type" and value.lower().startswith(EVENT_STREAM):
            self._events = Events()

    def on_headers_complete(self) -> None:
        self.status = self.parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        if self._events is None or self.status not in _GOOD:
            self.body += body
            if len(self.body) > BODY_LIMIT:
                raise _NoAnswerError(f"body too long: more than {BODY_LIMIT} bytes")
            return
        at_ns = time.monotonic_ns()
        try:
            for data in self._events.feed(body):
                self.enough = self.enough or self._take(data, at_ns)
        except TooLongError as error:
            raise _NoAnswerError(f"event too long: {error}") from error

    def on_message_complete(self) -> None:
        if self.status < _GOOD.start:  # 100, 103: the answer itself is still to come
            self.status, self.framed = 0, False
            self.headers.clear()
            return
        self.complete = True
        self.keep = self.parser.should_keep_alive()

    def reply(self) -> Reply:
        return Reply(self.status, tuple(self.headers), bytes(self.body))


def _receive(connection: "socket.socket", take: Take) -> _Answer:
    """One answer, complete or with its last event."""
    answer = _Answer(take)
    anything = False
    while not answer.complete and not answer.enough:
        data = connection.recv(_CHUNK)
        if not data:
            if not anything:
                raise _NoAnswerError("closed without an answer")
            if not answer.status or answer.framed:
                raise _NoAnswerError("closed in the middle of the answer")
            answer.complete = True  # its length was not declared: the end of the connection is its end
            break
        anything = True
        try:
            answer.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            cause = error.__context__  # the parser wraps what a callback raises
            if isinstance(cause, _NoAnswerError):
                raise cause from error
            raise _NoAnswerError(f"not HTTP: {type(error).__name__} {error}") from error
    return answer


# ------------------------------------------------------------------------------------------------- streamed operations


@dataclass(slots=True)
class Completion:
    """What is seen of a streamed answer, event by event. Pure.

    Attributes:
        tokens: how many events held a piece of text.
        first_ns, last_ns: when the first and the last of them came; −1 before.
        ended: whether the last event came.
        error: what the answer itself says went wrong; empty if nothing.
    """

    wanted: StreamedAnswer
    pieces: list[str]
    tokens: int = 0
    first_ns: int = -1
    last_ns: int = -1
    ended: bool = False
    error: str = ""

    def take(self, data: str, at_ns: int) -> bool:
        """Take an event; True if nothing more is to come."""
        if self.wanted.end and data.strip() == self.wanted.end:
            self.ended = True
            return True
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            self.error = f"event that is no JSON: {data[:_SHOWN]!r}"
            return True
        if self.wanted.error and _value_at(document, self.wanted.error) is not None:
            self.error = f"error in the stream: {data[:_SHOWN]}"
            return True
        text = _value_at(document, self.wanted.token)
        if isinstance(text, str) and text:
            if not self.tokens:
                self.first_ns = at_ns
            self.tokens += 1
            self.last_ns = at_ns
            self.pieces.append(text)
        return False

    def missing(self) -> str:
        """What makes a stream that came to its end no complete answer; empty if nothing does."""
        if self.error:
            return self.error
        if self.wanted.end and not self.ended:
            return f"stream without its end: {self.tokens} tokens came"
        return "" if self.tokens else "stream without a token"


def _value_at(document: Any, path: str) -> Any:  # noqa: ANN401 - any JSON
    """What stands at a dotted path; None if nothing does, or null."""
    for name in path.split("."):
        if isinstance(document, list) and name.isdecimal() and int(name) < len(document):
            document = document[int(name)]
        elif isinstance(document, dict):
            document = document.get(name)
        else:
            return None
    return document


class StreamReady:
    """An operation with a streamed answer, made ready."""

    def __init__(self, operation: Operation, base_url: str, segments: Sequence[str]) -> None:
        self.operation = operation
        given = {name.lower() for name in operation.headers}
        headers = {**({} if "accept" in given else ACCEPT), **operation.headers}
        self._prepared = Prepared(replace(operation, headers=headers), base_url, segments)

    def request(self, values: Values) -> tuple[Request, StreamedAnswer]:
        """The bytes, and how the answer is read."""
        return self._prepared.request(values), self.operation.stream or StreamedAnswer()

    def expect(self, values: Values) -> Expect:
        """What a good answer is: `text` and `tokens` are in its document."""
        return self._prepared.expect(values)


class StreamCaller:
    """One slot's connection for streamed answers."""

    def __init__(self, address: Address) -> None:
        self._client = EventClient(address)

    def call(self, request: tuple[Request, StreamedAnswer], timeout_s: float) -> Happened | Timed:
        """Ask once, and read the answer to its end."""
        sent, wanted = request
        seen = Completion(wanted, [])
        happened = self._client.call(sent, timeout_s, seen.take)
        if isinstance(happened, Reply) and happened.status in _GOOD:
            if fault := seen.missing():
                self._client.close()
                happened = Broken(fault)
            else:
                document = {"text": "".join(seen.pieces), "tokens": seen.tokens}
                happened = replace(happened, body=json.dumps(document).encode())
        return Timed(happened, Timing(first_ns=seen.first_ns, tokens=seen.tokens))

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


class Streams:
    """The kind of operations whose answer is streamed."""

    def __init__(self, order: LoadOrder) -> None:
        self._base_url = order.base_url
        self._address = Address(order.base_url)

    def prepare(self, operation: Operation, segments: Sequence[str]) -> Ready:
        """Make an operation ready."""
        return StreamReady(operation, self._base_url, segments)

    def caller(self) -> Caller:
        """A new connection, made when it is first needed."""
        return StreamCaller(self._address)
