"""A lean HTTP/1.1 client on gevent sockets that does exactly one thing per call and hides nothing.

One call is one attempt: no retry, no redirect, no pool that "helps". A kept connection that the other side has closed
meanwhile is noticed before the first byte is sent and replaced; once a byte may have left, whatever happens is the
result. The time limit covers the whole call: name lookup, connecting, TLS, sending, waiting, reading.
"""

import _socket
import errno
import ipaddress
from collections.abc import Callable
from time import monotonic_ns
from typing import Any
from urllib.parse import urlsplit

import gevent
from gevent import monkey, socket, ssl
from gevent.hub import Waiter

from resilience.errors import LoadError
from resilience.load.answers import BODY_LIMIT, HEAD_LIMIT, Answer, NoAnswerError, known
from resilience.load.calls import Job
from resilience.load.classify import Broken, Happened, NotSent
from resilience.load.operations import Request
from resilience.load.reactor import IN, OUT, Deadlines, Reactor, reactor
from resilience.model import Problem

__all__ = ["BODY_LIMIT", "HEAD_LIMIT", "Address", "Client", "broken_reason", "unsent_reason"]

_CHUNK = 16384
_FRESH_NS = 1_000_000
"""A connection that was seen to be open no longer ago than this is taken to be open still."""
_OUR_OWN_FAULT = frozenset({errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM})

_Socket: Any = _socket.socket  # gevent leaves this one alone: it waits for nothing, and is half as large
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
    """One connection, kept alive between calls; carries out one request at a time.

    `call` waits for the answer, `begin` does not. Plain connections are served by the reactor of the thread; those with
    TLS only by `call`, in the greenlet that calls.
    """

    __slots__ = (
        "_address",
        "_answer",
        "_connection",
        "_deadlines",
        "_done",
        "_job",
        "_looked_ns",
        "_no_body",
        "_number",
        "_reactor",
        "_receive",
        "_secure",
        "_send",
        "_timeout_ns",
        "_timeout_s",
        "_unsent",
        "deadline_ns",
    )

    def __init__(self, address: Address) -> None:
        self._address = address
        self._connection: Any = None  # a plain socket that never blocks, registered with the reactor
        self._send: Any = None
        self._receive: Any = None
        self._secure: socket.socket | None = None
        self._number = -1
        self._reactor: Reactor | None = None
        self._deadlines: Deadlines | None = None
        self._done: Callable[[Any, Happened], object] | None = None
        self._job: object = None
        self._answer: Answer | None = None
        self._unsent = b""
        self._no_body = False
        self._timeout_s = 0.0
        self._timeout_ns = 0
        self._looked_ns = 0
        self.deadline_ns = 0

    def call(self, request: Request, timeout_s: float) -> Happened:
        """Send one request, once, and return what happened. Raises nothing that the network can cause."""
        if self._address.tls is not None:
            return self._call_secure(request, timeout_s)
        if self.prompt():
            return self._wait(request, timeout_s)
        sent = False
        timer = gevent.Timeout.start_new(timeout_s)
        try:
            self._connect()
            sent = True
            return self._wait(request, 0.0)  # the timer that runs already is its time limit
        except gevent.Timeout as timeout:
            if timeout is not timer:
                raise
            return Broken(f"timeout: {timeout_s:g} s") if sent else NotSent(f"connect timeout: {timeout_s:g} s")
        except OSError as error:
            return NotSent(unsent_reason(error))
        finally:
            timer.close()

    def prompt(self) -> bool:
        """Whether there is a kept connection that the other side has neither closed nor used unasked.

        One that it has is closed, so that the next call begins with a new one.
        """
        if self._connection is None:
            return False
        if monotonic_ns() - self._looked_ns > _FRESH_NS and _anything(self._number):
            self.close()
            return False
        return True

    def begin(self, request: Request, timeout_s: float, job: Job, done: Callable[[Job, Happened], object]) -> None:
        """Send one request, once, on the kept connection that `prompt` found, and do not wait for the answer.

        Args:
            request: what to send.
            timeout_s: time limit, counted from now; 0 is none.
            job: handed to `done`.
            done: called once with what happened, in the loop; it must not wait. Not called if `close` comes before.
        """
        self._done, self._job = done, job
        self._no_body = request.no_body
        content = request.content
        if timeout_s != self._timeout_s:
            self._timeout_s, self._timeout_ns = timeout_s, int(timeout_s * 1e9)
            self._deadlines = self._reactor.deadlines(timeout_s)  # type: ignore[union-attr]
        if timeout_s:
            deadlines: Any = self._deadlines
            self.deadline_ns = monotonic_ns() + self._timeout_ns
            deadlines.waiting[self._number] = self
            if not deadlines.watched:
                deadlines.watch()
        try:
            sent = self._send(content)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._end(Broken(broken_reason(error)), keep=False)
            return
        if sent < len(content):
            self._unsent = content[sent:]
            self._reactor.writing(self._number, wanted=True)  # type: ignore[union-attr]

    def close(self) -> None:
        """Close the connection, if there is one, and forget what was begun on it."""
        if self._connection is not None:
            if self._deadlines is not None:
                self._deadlines.waiting.pop(self._number, None)
            self._reactor.remove(self._number)  # type: ignore[union-attr]
            self._connection.close()
            self._connection = self._send = self._receive = self._done = self._job = self._answer = None
            self._unsent = b""
        if self._secure is not None:
            self._secure.close()
            self._secure = None

    def ready(self, events: int) -> None:
        """For the reactor: there is something to be read, or room for what is still to be sent."""
        done = self._done
        if done is None:
            self.close()  # closed while idle, or something was said unasked
            return
        if self._unsent and not self._send_more(events):
            return
        try:
            data = self._receive(_CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(Broken(broken_reason(error)), keep=False)
            return
        if self._answer is None and not self._no_body and (found := known(data)) is not None:
            reply, keep = found
            if not keep or events != IN or self._unsent:
                self._end(reply, keep=False)
                return
            # What `_end` does, for the common case.
            if self._timeout_s:
                del self._deadlines.waiting[self._number]  # type: ignore[union-attr]
            job, self._done, self._job = self._job, None, None
            self._looked_ns = monotonic_ns()
            done(job, reply)
        else:
            self._parse(data, events)

    def _parse(self, data: bytes, events: int) -> None:
        """Take what was received of an answer that is not known."""
        answer = self._answer
        if answer is None:
            answer = self._answer = Answer(no_body=self._no_body)
        try:
            if not answer.feed(data):
                return
        except NoAnswerError as error:
            self._end(Broken(str(error)), keep=False)
            return
        reply, keep = answer.reply()
        self._end(reply, keep=keep and events == IN)

    def overdue(self) -> None:
        """For the reactor: the time limit is over."""
        self._end(Broken(f"timeout: {self._timeout_s:g} s"), keep=False)

    def _end(self, happened: Happened, *, keep: bool) -> None:
        """What was begun has ended."""
        done, job = self._done, self._job
        if keep and not self._unsent:
            if self._deadlines is not None:
                self._deadlines.waiting.pop(self._number, None)
            self._done = self._job = self._answer = None
            self._looked_ns = monotonic_ns()
        else:
            self.close()
        if done is not None:
            done(job, happened)

    def _send_more(self, events: int) -> bool:
        """Send what is left of the request; True if there is something to be read."""
        if events & OUT:
            try:
                self._unsent = self._unsent[self._send(self._unsent) :]
            except BlockingIOError:
                pass
            except OSError as error:
                self._end(Broken(broken_reason(error)), keep=False)
                return False
            if not self._unsent:
                self._reactor.writing(self._number, wanted=False)  # type: ignore[union-attr]
        return bool(events & ~OUT)

    def _wait(self, request: Request, timeout_s: float) -> Happened:
        """Carry a request out on the kept connection, and wait for what happens."""
        waiter: Any = Waiter()
        try:
            self.begin(request, timeout_s, waiter, Waiter.switch)
            happened: Happened = waiter.get()
        except BaseException:
            self.close()
            raise
        return happened

    def _connect(self) -> None:
        connection = self._address.connect()
        number = connection.detach()
        self._connection = _Socket(fileno=number)
        self._send, self._receive = self._connection.send, self._connection.recv
        self._connection.setblocking(False)  # noqa: FBT003 - a socket takes it so
        self._number = number
        self._reactor = reactor()
        self._reactor.add(number, self)
        self._looked_ns = monotonic_ns()

    def _call_secure(self, request: Request, timeout_s: float) -> Happened:
        """The same with TLS, in this greenlet."""
        timer = gevent.Timeout.start_new(timeout_s)
        sent = keep = False
        try:
            if self._secure is not None and _anything(self._secure.fileno()):
                self.close()
            if self._secure is None:
                self._secure = self._address.connect()
            sent = True  # before the first byte: an interrupted send counts as sent
            self._secure.sendall(request.content)
            answer = Answer(no_body=request.no_body)
            while not answer.feed(self._secure.recv(_CHUNK)):
                pass
            reply, keep = answer.reply()
        except gevent.Timeout as timeout:
            if timeout is not timer:
                raise
            return Broken(f"timeout: {timeout_s:g} s") if sent else NotSent(f"connect timeout: {timeout_s:g} s")
        except NoAnswerError as error:
            return Broken(str(error))
        except OSError as error:
            return Broken(broken_reason(error)) if sent else NotSent(unsent_reason(error))
        else:
            return reply
        finally:
            timer.close()
            if not keep:
                self.close()


def _anything(descriptor: int) -> bool:
    """Whether a connection on which nothing is awaited has something to say: bytes, its end, an error."""
    poller = _poll()
    poller.register(descriptor, _POLLIN)
    return bool(poller.poll(0))


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
