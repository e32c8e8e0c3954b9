"""A client for answers that come as server-sent events, on a connection that is kept.

As in `load.http` one call is one attempt, with one time limit for all of it, and hides nothing.
"""

import time
from collections.abc import Callable

import gevent
import httptools
from gevent import socket, ssl

from resilience.load.classify import Broken, Happened, NotSent, Reply
from resilience.load.http import BODY_LIMIT, Address, broken_reason, unsent_reason
from resilience.load.operations import Request
from resilience.load.sse import Events, TooLongError

EVENT_STREAM = b"text/event-stream"
GOOD = range(200, 300)
_CHUNK = 65536

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
        if self._events is None or self.status not in GOOD:
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
        if self.status < GOOD.start:  # 100, 103: the answer itself is still to come
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
