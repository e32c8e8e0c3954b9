"""A lean WebSocket client on gevent sockets. It does what it is told, once, and hides nothing.

The protocol itself, handshake and frames, is that of the library `websockets`, which knows nothing of sockets (see ADR
on the choice). No reconnection, no compression, no keep-alive that is not asked for: a connection that is lost is an
error with its reason, and whoever uses it decides what follows. Pings of the other side are answered while receiving.
"""

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias
from urllib.parse import urlsplit

import gevent
from gevent import monkey, socket
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.uri import WebSocketURI

from resilience.load.http import Address, broken_reason, unsent_reason

Message: TypeAlias = str | bytes

MESSAGE_LIMIT = 8 * 1024 * 1024
"""Bytes of a message; one that is longer ends the connection with code 1009."""
GOODBYE_S = 1.0
"""So long `close` waits for the other side's close frame."""
_CHUNK = 65536

# gevent's `poll` would yield to other greenlets; this one only asks the kernel.
_poll = monkey.get_original("select", "poll")
_POLLIN = 0x001 | 0x2000  # POLLIN, POLLRDHUP


class WebSocketError(Exception):
    """A connection was not opened, or is lost; the text is the reason, one of few kinds before its first colon."""


class NotOpenedError(WebSocketError):
    """No connection was opened.

    Attributes:
        status: with which the other side refused; 0 if it did not answer, or not with HTTP.
    """

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


class LostError(WebSocketError):
    """The connection is over.

    Attributes:
        code: of the close frame that was received; 1006 if there was none (RFC 6455, 7.1.5).
        reason: what that said.
    """

    def __init__(self, words: str, code: int = CloseCode.ABNORMAL_CLOSURE, reason: str = "") -> None:
        super().__init__(words)
        self.code = code
        self.reason = reason


class WebSocket:
    """One connection, opened by `connect`; used by one greenlet at a time, but for `send` while another receives.

    Attributes:
        protocol_name: the subprotocol that was agreed on; empty for none.
    """

    __slots__ = ("_fragments", "_given_up", "_protocol", "_ready", "_socket", "_text", "protocol_name")

    def __init__(self, connection: "socket.socket", protocol: ClientProtocol) -> None:
        self._socket = connection
        self._protocol = protocol
        self._ready: deque[Message | Frame] = deque()
        self._fragments: list[bytes] = []
        self._text = False
        self._given_up = ""
        self.protocol_name = ""

    @classmethod
    def connect(
        cls,
        address: Address,
        resource: str,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        *,
        subprotocols: Iterable[str] = (),
        timeout_s: float = 5.0,
        limit: int = MESSAGE_LIMIT,
    ) -> "WebSocket":
        """Open a connection: look up the name, connect, TLS, and the handshake, all within the time limit.

        Args:
            address: where the target is.
            resource: path and query.
            headers: sent with the handshake.
            subprotocols: offered, in order of preference.
            timeout_s: for all of it.
            limit: bytes of a message that is received.

        Raises:
            NotOpenedError: nothing is left open.
        """
        timer = gevent.Timeout.start_new(timeout_s)
        connection = None
        try:
            connection = address.connect()
            opened = cls(connection, _protocol_for(address, resource, tuple(subprotocols), limit))
            opened._shake(headers)
        except gevent.Timeout as timeout:
            _drop(connection)
            if timeout is not timer:
                raise
            what = "connect timeout" if connection is None else "handshake timeout"
            raise NotOpenedError(f"{what}: {timeout_s:g} s") from None
        except OSError as error:
            _drop(connection)
            words = unsent_reason(error) if connection is None else f"handshake failed: {broken_reason(error)}"
            raise NotOpenedError(words) from error
        except BaseException:
            _drop(connection)
            raise
        else:
            return opened
        finally:
            timer.close()

    def _shake(self, headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> None:
        protocol = self._protocol
        request = protocol.connect()
        request.headers.update(Headers(headers))
        protocol.send_request(request)
        for data in protocol.data_to_send():
            self._socket.sendall(data)
        while protocol.state is State.CONNECTING and protocol.handshake_exc is None:
            self._take(self._socket.recv(_CHUNK))
        error = protocol.handshake_exc
        if error is None:
            self.protocol_name = protocol.subprotocol or ""
            return
        if isinstance(error, InvalidStatus):
            status = error.response.status_code
            raise NotOpenedError(f"handshake refused: status {status}", status) from error
        if isinstance(error, EOFError) or isinstance(error.__cause__, EOFError):
            raise NotOpenedError("handshake failed: closed without an answer") from error
        kind = "handshake wrong" if isinstance(error, InvalidHandshake) else "handshake failed"
        raise NotOpenedError(f"{kind}: {error}") from error

    @property
    def open(self) -> bool:
        """Whether messages can be sent: as far as is known without receiving."""
        return self._protocol.state is State.OPEN

    def fileno(self) -> int:
        """Of the socket."""
        return int(self._socket.fileno())

    def send(self, message: Message) -> None:
        """Send one message, whole.

        Raises:
            LostError: it may not have arrived.
        """
        self._check_open()
        if isinstance(message, str):
            self._protocol.send_text(message.encode())
        else:
            self._protocol.send_binary(message)
        self._send()

    def ping(self, data: bytes = b"") -> None:
        """Send a ping; its pong is what `receive` may return as None. Raises what `send` raises."""
        self._check_open()
        self._protocol.send_ping(data)
        self._send()

    def receive(self, timeout_s: float | None = None) -> Message | None:
        """The next message, or None for a pong.

        Args:
            timeout_s: None waits as long as it takes.

        Raises:
            TimeoutError: there was none in time; the connection is as it was.
            LostError: there is none any more; those that came before were returned first.
        """
        while not self._ready:
            if self._protocol.state is not State.OPEN:
                raise self.lost()
            try:
                self._socket.settimeout(timeout_s)
                data = self._socket.recv(_CHUNK)
            except TimeoutError:
                raise
            except OSError as error:
                self._give_up()
                raise LostError(self._given_up or broken_reason(error)) from error
            self._take(data)
        found = self._ready.popleft()
        return None if isinstance(found, Frame) else found

    @property
    def plain(self) -> bool:
        """Whether there is nothing between the bytes of the kernel and the protocol: no TLS."""
        return not hasattr(self._socket, "do_handshake")

    def take_ready(self) -> bool:
        """Take what is there, without waiting and without writing anything; only of a plain connection.

        Returns:
            Whether `flush` is to be called: something waits to be written, or the connection is over.
        """
        try:
            data = self._socket._sock.recv(_CHUNK)  # noqa: SLF001 - gevent's own would wait, and must not here
        except BlockingIOError:
            return False
        except OSError as error:
            self._given_up = self._given_up or broken_reason(error)
            self._protocol.state = State.CLOSED
            return True
        protocol = self._protocol
        if data:
            protocol.receive_data(data)
        else:
            protocol.receive_eof()
        for event in protocol.events_received():
            if isinstance(event, Frame):
                self._frame(event)
        return bool(protocol.writes) or protocol.state is not State.OPEN

    def taken(self) -> Iterator[Message | None]:
        """What has been taken from the socket and not been received yet; None for a pong."""
        while self._ready:
            found = self._ready.popleft()
            yield None if isinstance(found, Frame) else found

    def flush(self) -> None:
        """Write what waits to be written: pongs, and the answer to a close frame. Raises nothing."""
        with contextlib.suppress(OSError):
            self._write()

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Say good-bye, wait a moment for the other side to do so, and close. Idempotent; raises nothing."""
        with contextlib.suppress(OSError, gevent.Timeout, WebSocketError), gevent.Timeout(GOODBYE_S):
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(code, reason)
                self._send()
            while self._protocol.state is State.CLOSING:
                self._socket.settimeout(GOODBYE_S)
                self._take(self._socket.recv(_CHUNK))
        self._give_up()

    def give_up(self, reason: str) -> None:
        """End the connection while another greenlet receives from it: that is told this reason."""
        self._given_up = self._given_up or reason
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def look(self) -> bool:
        """Take what has come unasked without waiting: answer pings, drop messages. False if the connection is over."""
        while self._protocol.state is State.OPEN and _waiting(self._socket):
            self._socket.settimeout(0)
            try:
                self._take(self._socket.recv(_CHUNK))
            except BlockingIOError:
                break
            except OSError:
                self._give_up()
        self._ready.clear()
        return self._protocol.state is State.OPEN

    def leave(self) -> None:
        """Say good-bye and close without waiting for the other side to. Idempotent; raises nothing."""
        with contextlib.suppress(OSError, gevent.Timeout, WebSocketError), gevent.Timeout(GOODBYE_S):
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(CloseCode.NORMAL_CLOSURE)
                self._send()
        self._give_up()

    def abort(self) -> None:
        """Close at once, without a word. Idempotent."""
        self._give_up()

    def _check_open(self) -> None:
        if self._protocol.state is not State.OPEN:
            raise self.lost()

    def _send(self) -> None:
        try:
            self._write()
        except OSError as error:
            self._give_up()
            raise LostError(broken_reason(error)) from error

    def _write(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._socket.settimeout(None)
                self._socket.sendall(data)
            else:
                self._socket.shutdown(socket.SHUT_WR)

    def _take(self, data: bytes) -> None:
        """Feed what came from the socket; nothing is its end."""
        protocol = self._protocol
        if data:
            protocol.receive_data(data)
        else:
            protocol.receive_eof()
        for event in protocol.events_received():  # the answer to the handshake is one, too
            if isinstance(event, Frame):
                self._frame(event)
        self.flush()  # whoever does not read it any more has closed: that is known next

    def _frame(self, frame: Frame) -> None:
        opcode = frame.opcode
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            self._text = opcode is Opcode.TEXT
            if frame.fin:
                self._message(bytes(frame.data))
            else:
                self._fragments = [bytes(frame.data)]
        elif opcode is Opcode.CONT:
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                whole, self._fragments = b"".join(self._fragments), []
                self._message(whole)
        elif opcode is Opcode.PONG:
            self._ready.append(frame)

    def _message(self, data: bytes) -> None:
        if not self._text:
            self._ready.append(data)
            return
        try:
            self._ready.append(str(data, "utf-8"))
        except UnicodeDecodeError:
            self._protocol.fail(CloseCode.INVALID_DATA, "not UTF-8")

    def lost(self) -> LostError:
        """Why the connection is over; closes what is left of it."""
        protocol = self._protocol
        received, error = protocol.close_rcvd, protocol.parser_exc
        self._give_up()
        if self._given_up:
            return LostError(self._given_up)
        if received is not None:
            words = f"closed by the other side: {received.code}" + (f" {received.reason}" if received.reason else "")
            return LostError(words, received.code, received.reason)
        if protocol.close_sent is not None and protocol.close_sent.code is not CloseCode.NORMAL_CLOSURE:
            sent = protocol.close_sent
            return LostError(f"protocol broken: {sent.code} {sent.reason}".rstrip())
        if error is not None and not isinstance(error, EOFError):
            return LostError(f"protocol broken: {error}")
        return LostError("closed without a word")

    def _give_up(self) -> None:
        _drop(self._socket)
        if self._protocol.state is not State.CLOSED:
            self._protocol.state = State.CLOSED


def _protocol_for(address: Address, resource: str, subprotocols: tuple[str, ...], limit: int) -> ClientProtocol:
    split = urlsplit(resource)
    secure = address.tls is not None
    uri = WebSocketURI(secure, address.host, address.port, split.path or "/", split.query)
    # No names are checked here: the library has a type of its own for them, which is a text.
    return ClientProtocol(uri, subprotocols=list(subprotocols) or None, max_size=limit)  # type: ignore[arg-type]


def _waiting(connection: "socket.socket") -> bool:
    """Whether something can be read: bytes, or the end."""
    poller = _poll()
    poller.register(connection.fileno(), _POLLIN)
    return bool(poller.poll(0))


def _drop(connection: "socket.socket | None") -> None:
    if connection is not None:
        connection.close()
