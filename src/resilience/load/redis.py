"""A lean Redis client on hiredis' parser that does exactly one thing per call and hides nothing.

One connection per slot and server, kept between calls. No retry, no reconnect within a command: a kept connection that
the server has closed meanwhile is noticed before the first byte is sent and replaced; once a byte may have left,
whatever happens is the result. The time limit covers the whole call: name lookup, connecting, TLS, logging in, sending,
waiting, reading.

An error that the server answers says that the command was not executed, except where it may have been in part: scripts,
functions, and commands of modules.
"""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hiredis
from gevent import socket
from gevent import ssl as gevent_ssl
from redis.connection import parse_url

from resilience.errors import LoadError
from resilience.load.calls import Caller, Ready
from resilience.load.classify import Broken, Happened, NotSent, Refused
from resilience.load.commands import Asked, Prepared, Said, error_text
from resilience.load.http import broken_reason, unsent_reason
from resilience.load.servers import given, servers
from resilience.load.waiting import ExpiredError, Limit, Watched
from resilience.model import LoadOrder, Operation, Problem

_CHUNK = 65536
_NO_NAME = ("NOPERM", "ERR unknown")
"""How it begins that a connection may not have a name: then it has none."""


@dataclass(frozen=True, slots=True)
class Where:
    """How a server is reached.

    Attributes:
        greeting: what is said first on a new connection, and how many answers it has.
    """

    host: str
    port: int
    greeting: tuple[bytes, int]
    tls: ssl.SSLContext | None = None


class Redis:
    """The kind of operations that ask Redis directly.

    Args:
        order: its operations say which servers are asked, and its places where these are.

    Raises:
        LoadError: it is not known where one of them is; every reason.
    """

    def __init__(self, order: LoadOrder) -> None:
        self._servers = servers(order, lambda operation: operation.redis, _where)

    def prepare(self, operation: Operation, segments: Sequence[str]) -> Ready:
        """An operation whose words are rendered for each arrival."""
        return Prepared(operation, segments)

    def caller(self) -> Caller:
        """A client with connections of its own."""
        return Client(self._servers)


def _where(operation: Operation, order: LoadOrder) -> Where:
    command = operation.redis
    assert command is not None  # noqa: S101 - for the type checker
    where, name = f"operation {operation.name}", f"resilience-{order.run}"
    if not command.dsn_env:
        place = order.places.get(command.on)
        if place is None or place.protocol != "redis":
            known = ", ".join(one.name for one in order.places.values() if one.protocol == "redis") or "none"
            raise LoadError(Problem(where, f"it is not known how to reach {command.on!r} as Redis; known: {known}"))
        password = Path(place.passfile).read_text().strip() if place.passfile else ""
        return Where(place.host, place.via_port, _greeting(name, "", password, 0))
    told = given(where, command.dsn_env, "set it")
    try:
        return where_of(told, name)
    except ValueError:
        message = f"what {command.dsn_env} holds is no address"
        raise LoadError(Problem(where, message, "redis://user:password@host:6379/0, or rediss:// for TLS")) from None


def where_of(address: str, name: str) -> Where:
    """How the server at an address is reached: `redis://user:password@host:6379/0`, or `rediss://` for TLS.

    Args:
        address: of the server; its secrets are in no message.
        name: of the connections, as the server shows them.

    Raises:
        ValueError: it is no such address.
    """
    try:
        told = parse_url(address)  # type: ignore[no-untyped-call]  # redis-py's
        host, port = str(told["host"]), int(told.get("port", 6379))
        greeting = _greeting(name, told.get("username", ""), told.get("password", ""), int(told.get("db", 0)))
    except (ValueError, KeyError, TypeError):
        raise ValueError("no address of a Redis") from None
    return Where(host, port, greeting, _tls() if address.startswith("rediss://") else None)


def _greeting(name: str, user: str, password: str, database: int) -> tuple[bytes, int]:
    commands: list[Any] = [("CLIENT", "SETNAME", name)]
    if password:
        commands.insert(0, ("AUTH", *([user] if user else []), password))
    if database:
        commands.append(("SELECT", str(database)))
    return b"".join(hiredis.pack_command(command) for command in commands), len(commands)


def _tls() -> ssl.SSLContext:
    context = gevent_ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks names and certificates
    context.load_default_certs()
    made: ssl.SSLContext = context
    return made


class Client:
    """The connections of one slot, one for each server that it asked; used by one greenlet at a time.

    Args:
        servers: name → where it is.
    """

    __slots__ = ("_connections", "_limit", "_servers")

    def __init__(self, servers: Mapping[str, Where]) -> None:
        self._servers = servers
        self._connections: dict[str, Connection] = {}
        self._limit = Limit()

    def call(self, request: Asked, timeout_s: float) -> Happened:
        """Send one command, once, and return what happened. Raises nothing that the server can cause."""
        connection = self._connections.get(request.server)
        if connection is None:
            connection = self._connections[request.server] = Connection(self._servers[request.server])
        self._limit.start(timeout_s)
        sent = keep = False
        try:
            connection.open()
            sent = True  # before the first byte: an interrupted send counts as sent
            connection.send(request.content)
            said = connection.receive()
            keep = True
        except ExpiredError:
            return Broken(f"timeout: {timeout_s:g} s") if sent else NotSent(f"connect timeout: {timeout_s:g} s")
        except _NoAnswerError as error:
            return Broken(str(error)) if sent else NotSent(f"not connected: {error}")
        except OSError as error:
            return Broken(broken_reason(error)) if sent else NotSent(unsent_reason(error))
        finally:
            self._limit.stop()
            if not keep:
                connection.close()
        if isinstance(said, hiredis.ReplyError):
            return Refused(error_text(said)) if request.certain else Broken(error_text(said))
        return request.wanted.answer(said, request.values)

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            connection.close()


class _NoAnswerError(Exception):
    """What came is not an answer, and why."""


class Connection:
    """A connection to Redis that waits as gevent does."""

    __slots__ = ("_reader", "_socket", "_watched", "_where")

    def __init__(self, where: Where) -> None:
        self._where = where
        self._socket: Any = None
        self._watched: Watched | None = None
        self._reader = hiredis.Reader()

    def open(self) -> None:
        """See to it that there is a connection: the kept one, if nothing came on it unasked; else a new one.

        Raises:
            OSError, _NoAnswerError: there is none.
        """
        if self._watched is not None and self._watched.said_something():
            self.close()  # an end, or the error that announces it
        if self._socket is None:
            self._connect()

    def send(self, content: bytes) -> None:
        """Send all of it."""
        self._socket.sendall(content)

    def receive(self) -> Said:
        """One answer."""
        said = self._one()
        if self._reader.has_data():
            raise _NoAnswerError("more came than was asked for")
        return said

    def _one(self) -> Said:
        reader, watched = self._reader, self._watched
        try:
            while (said := reader.gets()) is False:
                if watched is not None and self._where.tls is None:
                    watched.readable()  # else the socket tries first, and fails
                data = self._socket.recv(_CHUNK)
                if not data:
                    raise _NoAnswerError("closed without an answer")
                reader.feed(data)
        except hiredis.ProtocolError as error:
            raise _NoAnswerError(f"not Redis: {error}") from error
        answer: Said = said
        return answer

    def close(self) -> None:
        """Close it. Idempotent."""
        if self._watched is not None:
            self._watched.close()
            self._watched = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._reader = hiredis.Reader()

    def _connect(self) -> None:
        where = self._where
        self._socket = socket.create_connection((where.host, where.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if where.tls is not None:
            # Shaken by hand, so that a time limit in the middle finds a socket that it can close.
            plain, kind = self._socket, where.tls
            self._socket = kind.wrap_socket(plain, server_hostname=where.host, do_handshake_on_connect=False)
            self._socket.do_handshake()
        greeting, answers = where.greeting
        self.send(greeting)
        for _ in range(answers):
            said = self._one()
            if isinstance(said, hiredis.ReplyError) and not str(said).startswith(_NO_NAME):
                raise _NoAnswerError(error_text(said))
        self._watched = Watched(self._socket.fileno())
