"""A WebSocket user for locustfiles: `from resilience.load import LeanWebSocketUser`.

Opening a connection is one event of Locust's, each exchange is one, each message that is received is one, and so is a
connection that is lost: nothing is done again behind the back of whoever wrote the locustfile, and nothing is silent.
"""

import json as json_
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import ClassVar
from urllib.parse import urlsplit

from locust import User
from locust.env import Environment

from resilience.errors import LoadError
from resilience.load.fields import text_at
from resilience.load.http import Address
from resilience.load.websocket import LostError, Message, NotOpenedError, WebSocket, WebSocketError
from resilience.model import Json, Problem

_address = lru_cache(maxsize=None)(Address)  # one for each target, so that all its users share one TLS context


class UnexpectedAnswerError(Exception):
    """What came is not what was expected: what Locust's listeners and error table get."""


class LeanWebSocket:
    """One connection of one user, opened when it is asked for.

    Args:
        environment: Locust's; its request event is fired, with the types `WS connect`, `WS exchange`, `WS receive`, and
            `WS lost` for a connection that is over before it was closed here.
        base_url: `http://host:port`, `ws://…`, or the same with `https` and `wss`.
        timeout_s: time limit of whatever has none of its own.

    Raises:
        LoadError: that is no address.
    """

    def __init__(self, environment: Environment, base_url: str, timeout_s: float) -> None:
        self._fire = environment.events.request.fire
        self._base_url = base_url.replace("ws://", "http://", 1).replace("wss://", "https://", 1).rstrip("/")
        self._address = _address(self._base_url)
        self._prefix = urlsplit(self._base_url).path
        self._timeout_s = timeout_s
        self._socket: WebSocket | None = None
        self._path = ""

    @property
    def open(self) -> bool:
        """Whether there is a connection, as far as is known without receiving."""
        return self._socket is not None and self._socket.open

    def connect(
        self, path: str, *, name: str = "", headers: Mapping[str, str] | None = None, timeout_s: float | None = None
    ) -> bool:
        """Open a connection; one that is open is closed first.

        Args:
            path: with query.
            name: in Locust's statistics; the path if empty.
            headers: sent with the handshake.
            timeout_s: for all of it: name, connection, TLS, handshake.

        Returns:
            Whether it is open.
        """
        self.close()
        self._path, began_s = name or path, time.monotonic()
        error: Exception | None = None
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        try:
            self._socket = WebSocket.connect(self._address, self._prefix + path, headers or {}, timeout_s=limit_s)
        except NotOpenedError as failed:
            error = failed
        self._ended("WS connect", self._path, began_s, 0, error)
        return error is None

    def send(self, message: "Json | bytes") -> None:
        """Send a message: a text or bytes as they are, anything else as JSON. No event.

        Raises:
            LostError: there is no connection, or it is over (of which there is an event).
        """
        content = message if isinstance(message, str | bytes) else json_.dumps(message, separators=(",", ":"))
        try:
            self._there().send(content)
        except LostError as error:
            self._over(error)
            raise

    def receive(
        self,
        *,
        name: str = "",
        timeout_s: float | None = None,
        sent_s: Callable[[Message], float | None] | None = None,
    ) -> Message:
        """Wait for the next message; one event.

        Args:
            name: in Locust's statistics; that of the connection if empty.
            timeout_s: how long.
            sent_s: tells when a message was sent, on `time.monotonic()`: the event's time is from then. Without it, or
                if it says None, it is from this call.

        Raises:
            TimeoutError: there was none in time, of which there is an event; the connection is as it was.
            LostError: there is no connection, or it is over (of which there is an event).
        """
        began_s = time.monotonic()
        try:
            message = self._next(self._timeout_s if timeout_s is None else timeout_s)
        except TimeoutError as error:
            self._ended("WS receive", name or self._path, began_s, 0, error)
            raise
        told_s = sent_s(message) if sent_s is not None else None
        self._ended("WS receive", name or self._path, began_s if told_s is None else told_s, len(message), None)
        return message

    def exchange(
        self,
        message: "Json | bytes",
        *,
        name: str = "",
        timeout_s: float | None = None,
        expect: Mapping[str, str] | None = None,
    ) -> Message | None:
        """Send a message and take the next one for its answer; one event.

        Args:
            message: as of `send`.
            name: in Locust's statistics; that of the connection if empty.
            timeout_s: how long the answer may take; after that the connection is closed, so that a late answer can
                never be taken for that of the next exchange.
            expect: dotted path in the JSON answer → the text that it must equal.

        Returns:
            The answer; None if there was none.
        """
        began_s, error, answer = time.monotonic(), None, None
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        try:
            self.send(message)
            answer = self._next(limit_s)
            error = _unmet(answer, expect or {})
        except TimeoutError:
            error = UnexpectedAnswerError(f"timeout: {limit_s:g} s")
            self.abort()
        except WebSocketError as lost:
            error = lost
        self._ended("WS exchange", name or self._path, began_s, len(answer or ""), error)
        return answer

    def close(self) -> None:
        """Say good-bye and close. Idempotent."""
        if self._socket is not None:
            ended, self._socket = self._socket, None
            ended.leave()

    def abort(self) -> None:
        """Close without a word. Idempotent."""
        if self._socket is not None:
            ended, self._socket = self._socket, None
            ended.abort()

    def _there(self) -> WebSocket:
        if self._socket is None:
            raise LostError("there is no connection")
        return self._socket

    def _next(self, timeout_s: float) -> Message:
        until_s = time.monotonic() + timeout_s
        try:
            while (message := self._there().receive(max(until_s - time.monotonic(), 0.001))) is None:
                pass  # a pong
        except LostError as error:
            self._over(error)
            raise
        return message

    def _over(self, error: LostError) -> None:
        if self._socket is not None:
            self._socket = None
            self._ended("WS lost", self._path, time.monotonic(), 0, error)

    def _ended(self, kind: str, name: str, began_s: float, length: int, error: Exception | None) -> None:
        """Fire Locust's event: the time is in milliseconds."""
        took_s = time.monotonic() - began_s
        self._fire(  # type: ignore[no-untyped-call]  # Locust's events have no types
            request_type=kind,
            name=name,
            response_time=took_s * 1e3,
            response_length=length,
            response=None,
            context={},
            exception=error,
            start_time=time.time() - took_s,
            url=f"{self._base_url}{self._path}",
        )


def _unmet(answer: Message, expect: Mapping[str, str]) -> Exception | None:
    """How the answer misses what was expected."""
    if not expect:
        return None
    try:
        document: Json = json_.loads(answer)
    except ValueError:
        return UnexpectedAnswerError("unexpected answer: it is no JSON")
    for path, text in expect.items():
        if (found := text_at(document, path)) != text:
            return UnexpectedAnswerError(f"unexpected answer: {path} is {found!r}, expected {text!r}")
    return None


class LeanWebSocketUser(User):
    """A Locust user whose `client` is a `LeanWebSocket`.

    Attributes:
        timeout_s: time limit, in seconds, of whatever has none of its own.
        client: its connection.
    """

    abstract = True
    timeout_s: ClassVar[float] = 10.0

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        if not self.host:
            raise LoadError(Problem("host", "there is no host; http://host:port was expected", "locust --host …"))
        self.client = LeanWebSocket(environment, self.host, self.timeout_s)

    def on_stop(self) -> None:
        """The user is stopped: its connection is closed."""
        self.client.close()
