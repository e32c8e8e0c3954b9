"""A lean HTTP/1.1 client on gevent sockets that does exactly one thing per call and hides nothing.

One call is one attempt: no retry, no redirect, no pool that "helps". A kept connection that the other side has closed
meanwhile is noticed before the first byte is sent and replaced; once a byte may have left, whatever happens is the
result. The time limit covers the whole call: name lookup, connecting, TLS, sending, waiting, reading.
"""

import errno
import ipaddress
from urllib.parse import urlsplit

import gevent
import httptools
from gevent import monkey, socket, ssl

from resilience.errors import LoadError
from resilience.load.classify import Broken, Happened, NotSent, Reply
from resilience.load.operations import Request
from resilience.model import Problem

BODY_LIMIT = 8 * 1024 * 1024
HEAD_LIMIT = 256 * 1024
_CHUNK = 65536
_INFORMATIONAL = 200
_OUR_OWN_FAULT = frozenset({errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM})

# gevent's `poll` would yield to other greenlets; this one only asks the kernel.
_poll = monkey.get_original("select", "poll")
_POLLIN = 0x001 | 0x2000  # POLLIN, POLLRDHUP


class Address:
    """Where the target is, and how it is reached.

    Args:
        base_url: `http://host:port` or `https://…`.

    Raises:
        LoadError: it is not such an address.
    """

    def __init__(self, base_url: str) -> None:
        try:
            split = urlsplit(base_url)
            port = split.port
        except ValueError as error:
            raise LoadError(Problem("base_url", f"{base_url!r} is no address: {error}")) from error
        if split.scheme not in {"http", "https"} or not split.hostname:
            raise LoadError(Problem("base_url", f"{base_url!r} is not http://host:port or https://host:port"))
        self.host = split.hostname
        self.port = port or (443 if split.scheme == "https" else 80)
        self.tls = _tls_context() if split.scheme == "https" else None
        try:
            self._family = socket.AF_INET6 if ipaddress.ip_address(self.host).version == 6 else socket.AF_INET  # noqa: PLR2004
        except ValueError:
            self._family = None

    def connect(self) -> "socket.socket":
        """A new connection.

        Raises:
            OSError: it was not made.
        """
        if self._family is None:
            connection = socket.create_connection((self.host, self.port))
        else:
            connection = socket.socket(self._family, socket.SOCK_STREAM)
        try:
            if self._family is not None:
                connection.connect((self.host, self.port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is not None:
                # Shaken by hand, so that a time limit in the middle finds a socket that it can close.
                connection = self.tls.wrap_socket(connection, server_hostname=self.host, do_handshake_on_connect=False)
                connection.do_handshake()
        except BaseException:
            connection.close()
            raise
        return connection


def _tls_context() -> ssl.SSLContext:
    """One context for all connections: parsing the certificate bundle costs 20 ms each time."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks names and certificates; gevent's, patched or not
    context.load_default_certs()
    return context


class Client:
    """One connection, kept alive between calls; used by one greenlet at a time."""

    __slots__ = ("_address", "_poller", "_socket")

    def __init__(self, address: Address) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self._poller = _poll()

    def call(self, request: Request, timeout_s: float) -> Happened:
        """Send one request, once, and return what happened. Raises nothing that the network can cause."""
        timer = gevent.Timeout.start_new(timeout_s)
        sent = keep = False
        try:
            connection = self._connection()
            sent = True  # before the first byte: an interrupted send counts as sent
            connection.sendall(request.content)
            reply, keep = _receive(connection, no_body=request.no_body)
        except gevent.Timeout as timeout:
            if timeout is not timer:
                raise
            return Broken(f"timeout: {timeout_s:g} s") if sent else NotSent(f"connect timeout: {timeout_s:g} s")
        except _NoAnswerError as error:
            return Broken(str(error))
        except OSError as error:
            return Broken(broken_reason(error)) if sent else NotSent(unsent_reason(error))
        else:
            return reply
        finally:
            timer.close()
            if not keep:
                self.close()

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._socket is not None:
            self._poller.unregister(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _connection(self) -> "socket.socket":
        """The kept connection, if the other side has neither closed it nor said anything unasked; else a new one."""
        if self._socket is not None and self._poller.poll(0):
            self.close()
        if self._socket is None:
            self._socket = self._address.connect()
            self._poller.register(self._socket.fileno(), _POLLIN)
        return self._socket


class _NoAnswerError(Exception):
    """What came is not a complete answer, and why."""


class _Answer:
    """Collects one answer from the parser's callbacks."""

    __slots__ = ("_chunks", "_framed", "_headers", "_no_body", "complete", "extra", "keep", "parser", "size", "status")

    def __init__(self, *, no_body: bool) -> None:
        self._no_body = no_body
        self.parser = httptools.HttpResponseParser(self)
        self.complete = self.extra = self.keep = self._framed = False
        self.size = self.status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._chunks: list[bytes] = []

    def on_message_begin(self) -> None:
        self.extra = self.complete

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.complete:
            return
        name = name.lower()
        self._headers.append((name, value))
        if name in {b"content-length", b"transfer-encoding"}:
            self._framed = True

    def on_headers_complete(self) -> None:
        if self.complete:
            return
        self.status = self.parser.get_status_code()
        if self._no_body and self.status >= _INFORMATIONAL:
            self._end()

    def on_body(self, body: bytes) -> None:
        if self.complete:
            self.extra = True
            return
        self._chunks.append(body)
        self.size += len(body)

    def on_message_complete(self) -> None:
        if self.complete:
            return
        if self.status < _INFORMATIONAL:  # 100, 103: the answer itself is still to come
            self.status = 0
            self._headers.clear()
            self._framed = False
        else:
            self._end()

    def _end(self) -> None:
        self.complete = True
        self.keep = self.parser.should_keep_alive()

    def at_end_of_stream(self, *, anything: bool) -> None:
        """The other side closed: that ends an answer of undeclared length, and breaks any other."""
        if not anything:
            raise _NoAnswerError("closed without an answer")
        if not self.status or self._framed:
            raise _NoAnswerError("closed in the middle of the answer")
        self.complete = True

    def reply(self) -> Reply:
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        return Reply(self.status, tuple(self._headers), body)


def _receive(connection: "socket.socket", *, no_body: bool) -> tuple[Reply, bool]:
    """One answer, and whether the connection can be used again."""
    answer = _Answer(no_body=no_body)
    received = 0
    while not answer.complete:
        data = connection.recv(_CHUNK)
        if not data:
            answer.at_end_of_stream(anything=received > 0)
            break
        received += len(data)
        try:
            answer.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not answer.complete:
                raise _NoAnswerError(f"not HTTP: {type(error).__name__} {error}") from error
            answer.extra = True
        if answer.size > BODY_LIMIT:
            raise _NoAnswerError(f"body too long: more than {BODY_LIMIT} bytes")
        if not answer.status and received > HEAD_LIMIT:
            raise _NoAnswerError(f"head too long: more than {HEAD_LIMIT} bytes")
    return answer.reply(), answer.keep and not answer.extra


def unsent_reason(error: OSError) -> str:
    """Why no connection was made, in few constant texts before the first colon."""
    if isinstance(error, socket.gaierror):
        return f"name not found: {error.strerror}"
    if isinstance(error, ssl.SSLError):
        return f"tls failed: {error}"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if error.errno in _OUR_OWN_FAULT:
        return f"generator out of resources: {error.strerror}"
    return f"not connected: {error.strerror or error}"


def broken_reason(error: OSError) -> str:
    """How a connection was lost, in few constant texts before the first colon."""
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "connection reset"
    return f"connection broken: {error.strerror or error}"
