"""Operations by WebSocket: one message is sent, and the next one that comes is its answer; or a connection is opened.

One call is one attempt. A kept connection that the other side has closed meanwhile is noticed before anything is sent
and replaced; once the message may have left, whatever happens is the result, and after a call that did not get its
answer the connection is given up, so that a late answer can never be taken for that of the next call.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import gevent

from resilience.errors import LoadError
from resilience.load.calls import Caller, Values
from resilience.load.classify import Broken, Happened, NotSent, Reply
from resilience.load.http import Address
from resilience.load.operations import Document, Prepared, Template, resource
from resilience.load.websocket import LostError, NotOpenedError, WebSocket
from resilience.model import Expect, LoadOrder, Operation

SWITCHED = 101
"""The status of whatever was answered by WebSocket: that of its handshake."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What one call does: the handshake, and the message; None only opens and closes."""

    resource: str
    headers: tuple[tuple[str, str], ...]
    message: str | None


class ReadyExchange:
    """An operation whose handshake and message are rendered for each arrival.

    Raises:
        LoadError: it cannot be sent; every reason.
    """

    def __init__(self, operation: Operation, base_url: str, segments: Sequence[str]) -> None:
        exchange = operation.websocket
        if exchange is None:
            raise LoadError(f"operation {operation.name} says nothing of a WebSocket")
        self.operation = operation
        # The same names, headers and texts are good as in an HTTP request, and are looked at there.
        alike = replace(operation, method="GET", path=exchange.path, headers=exchange.headers, json=exchange.send)
        self._alike = Prepared(alike, base_url, segments)
        self._resource = resource(base_url, exchange.path)
        self._headers = tuple((name, Template(text)) for name, text in exchange.headers.items())
        self._document = None if exchange.send is None else Document(exchange.send)

    def request(self, values: Values) -> Sent:
        """The handshake and the message for one arrival."""
        return Sent(
            self._resource.render(values),
            tuple((name, text.render(values)) for name, text in self._headers),
            None if self._document is None else self._document.render(values).decode(),
        )

    def expect(self, values: Values) -> Expect:
        """What a good answer to it is: whatever came by WebSocket, with what its JSON must hold."""
        return replace(self._alike.expect(values), status=(SWITCHED,))


class Exchanger:
    """One connection, kept between calls as long as they ask for the same; used by one greenlet at a time."""

    __slots__ = ("_address", "_asked", "_socket")

    def __init__(self, address: Address) -> None:
        self._address = address
        self._socket: WebSocket | None = None
        self._asked: tuple[object, ...] = ()

    def call(self, request: Sent, timeout_s: float) -> Happened:
        """Do it once, and return what happened. Raises nothing that the network can cause."""
        timer = gevent.Timeout.start_new(timeout_s)
        sent = done = False
        try:
            connection = self._connection(request, timeout_s)
            if request.message is None:
                return Reply(SWITCHED, (), b"")
            sent = True
            connection.send(request.message)
            answer = connection.receive()
            while answer is None:  # a pong
                answer = connection.receive()
            done = True
            return Reply(SWITCHED, (), answer.encode() if isinstance(answer, str) else answer)
        except gevent.Timeout as timeout:
            if timeout is not timer:
                raise
            return Broken(f"timeout: {timeout_s:g} s") if sent else NotSent(f"handshake timeout: {timeout_s:g} s")
        except NotOpenedError as error:
            return NotSent(str(error))
        except LostError as error:
            return Broken(str(error))
        finally:
            timer.close()
            if not done:
                self._end(politely=not sent)

    def close(self) -> None:
        """Close the connection, if there is one."""
        self._end(politely=True)

    def _connection(self, request: Sent, timeout_s: float) -> WebSocket:
        """The kept connection, if it is still there and for the same; else a new one."""
        asked = (request.resource, request.headers)
        if self._socket is not None and (self._asked != asked or request.message is None or not self._socket.look()):
            self._end(politely=True)
        if self._socket is None:
            self._socket = WebSocket.connect(
                self._address, request.resource, request.headers, timeout_s=timeout_s + 1.0
            )  # this call's limit comes first
            self._asked = asked
        return self._socket

    def _end(self, *, politely: bool) -> None:
        if self._socket is not None:
            ended, self._socket = self._socket, None
            if politely:
                ended.leave()
            else:
                ended.abort()


class WebSocketKind:
    """WebSockets of `order.base_url`.

    Raises:
        LoadError: that is no such address.
    """

    def __init__(self, order: LoadOrder) -> None:
        self._base_url = order.base_url
        self._address = Address(order.base_url)

    def prepare(self, operation: Operation, segments: Sequence[str]) -> ReadyExchange:
        """An operation whose message is rendered for each arrival."""
        return ReadyExchange(operation, self._base_url, segments)

    def caller(self) -> Caller:
        """A connection of its own, opened when it is needed and kept between calls."""
        return Exchanger(self._address)


class Delivers:
    """What stands for an operation whose samples are those of a subscription: no arrival ever chooses it."""

    def __init__(self, order: LoadOrder) -> None:
        del order

    def prepare(self, operation: Operation, segments: Sequence[str]) -> "Given":
        """Nothing is to be made ready."""
        del segments
        return Given(operation)

    def caller(self) -> Caller:
        """There is none. Raises LoadError."""
        raise LoadError("what a subscription is given cannot be called for")


class Given:
    """An operation that only a subscription can carry out."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation

    def request(self, values: Values) -> Sent:
        """There is none. Raises LoadError."""
        del values
        raise LoadError(f"{self.operation.name} cannot be sent: it is what a subscription is given")

    def expect(self, values: Values) -> Expect:
        """Nothing."""
        del values
        return Expect()
