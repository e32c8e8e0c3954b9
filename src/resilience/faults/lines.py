"""Connections to a part that are kept open and asked again, as those of a client's pool are; also for something long.

A small question is that of `effects`. Something long is echoed: it goes to the part and comes back, so that it meets
what bends either direction. Redis echoes after a login if it wants one; PostgreSQL needs one always. No password is
kept: it is read from its file each time.
"""

import contextlib
import select
import socket
import struct
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from psycopg import OperationalError, conninfo, pq

from resilience.errors import FaultError
from resilience.faults import effects
from resilience.faults.effects import Address, Look, Seen
from resilience.model import Problem

_GSSENC_REQUEST = struct.pack("!II", 8, 80877104)  # what PostgreSQL answers after an SSLRequest, also before any login
_AT_ONCE = 65_536


@dataclass(frozen=True, slots=True)
class Speech:
    """How to talk to a part.

    Attributes:
        words: from `effects.question`.
        protocol: `redis`, `postgres`, or anything else.
        passfile, dsn: as in `model.Place`.
    """

    words: bytes
    protocol: str = ""
    passfile: str = ""
    dsn: str = ""

    @property
    def echoes(self) -> bool:
        """Whether something long can be sent there and back."""
        return self.protocol == "redis" or (self.protocol == "postgres" and bool(self.dsn and self.passfile))


class Line(ABC):
    """An open connection. An answer that came too late is never taken for that of a later question."""

    lasting = True
    """Whether it can be asked again and again."""

    def __init__(self) -> None:
        self._waiting_since: float | None = None
        self.over = False

    def ask(self, size: int, bound_s: float) -> Look:
        """Ask, or go on waiting for the answer to what was asked before.

        Args:
            size: bytes to be echoed; 0 for the small question.
            bound_s: for all of it.
        """
        began = time.monotonic()
        if self._waiting_since is not None:
            late = self._receive(began + bound_s, self._waiting_since)
            if late.seen is not Seen.ANSWERED:
                return late
        began = time.monotonic()
        self._waiting_since = began
        if not self._send(size, began + bound_s):
            self.close()  # a part of a question is there: nothing can be asked any more
            return Look(Seen.SILENT, time.monotonic() - began)
        return self._receive(began + bound_s, began)

    def _receive(self, deadline: float, began: float) -> Look:
        look = self._answer(deadline, began)
        if look.seen is Seen.ANSWERED:
            self._waiting_since = None
        if look.seen is Seen.CLOSED or (look.seen is Seen.ANSWERED and self._spent()):
            self.close()
        return look

    def _spent(self) -> bool:
        """Whether it can be asked nothing more."""
        return False

    def close(self) -> None:
        """End it."""
        self.over = True

    @abstractmethod
    def _send(self, size: int, deadline: float) -> bool:
        """Send a question; False if not all of it went."""

    @abstractmethod
    def _answer(self, deadline: float, began: float) -> Look:
        """Wait for the whole answer."""


class Spoken(Line):
    """Over a plain socket."""

    def __init__(self, speech: Speech, address: Address, bound_s: float) -> None:
        super().__init__()
        self._speech = speech
        self.lasting = speech.protocol == "redis"
        self._asked = 0
        self._logged_in = False
        self._size = 0
        self._got = bytearray()
        self._reads = 0
        self._socket = socket.create_connection(address, timeout=bound_s)
        if self._socket.getsockname() == self._socket.getpeername():
            self._socket.close()
            raise ConnectionRefusedError
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        """End it."""
        super().close()
        self._socket.close()

    def farewell(self, bound_s: float) -> Look:
        """Say that nothing more will be sent, wait until the other side ends the connection, and close it."""
        began = time.monotonic()
        try:
            self._socket.shutdown(socket.SHUT_WR)
            self._socket.settimeout(bound_s)
            while self._socket.recv(_AT_ONCE):
                self._socket.settimeout(max(0.001, bound_s - (time.monotonic() - began)))
        except TimeoutError:
            return Look(Seen.SILENT, time.monotonic() - began)
        except OSError:
            pass
        return Look(Seen.CLOSED, time.monotonic() - began)

    def _spent(self) -> bool:
        return not self.lasting and self._asked >= (2 if self._speech.protocol == "postgres" else 1)

    def _send(self, size: int, deadline: float) -> bool:
        self._size, self._reads = size, 0
        self._got.clear()
        self._asked += 1
        words = self._speech.words
        if size:
            login = b"" if self._logged_in else _login(self._speech)
            self._logged_in = True
            words = login + b"*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n" % (size, b"x" * size)
        elif self._speech.protocol == "postgres" and self._asked > 1:
            words = _GSSENC_REQUEST
        try:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            self._socket.sendall(words)
        except TimeoutError:
            return False
        except OSError:
            return True  # what closed it may have answered first: the answer tells
        return True

    def _answer(self, deadline: float, began: float) -> Look:
        def look(seen: Seen) -> Look:
            return Look(seen, time.monotonic() - began, bytes(self._got[:64]), len(self._got), self._reads)

        while True:
            try:
                self._socket.settimeout(max(0.001, deadline - time.monotonic()))
                piece = self._socket.recv(_AT_ONCE)
            except TimeoutError:
                return look(Seen.SILENT)
            except OSError:
                return look(Seen.CLOSED)
            if not piece:
                return look(Seen.CLOSED)
            self._got += piece
            self._reads += 1
            if self._complete():
                return look(Seen.ANSWERED)
            if time.monotonic() >= deadline:
                return look(Seen.SILENT)

    def _complete(self) -> bool:
        if not self._size:
            return self._speech.protocol != "redis" or self._got.endswith(b"\r\n")
        body = b"$%d\r\n" % self._size
        refused = self._got.startswith((b"-", b"+OK\r\n-")) and self._got.endswith(b"\r\n")
        logged_in = 5 if self._got.startswith(b"+OK\r\n") else 0
        return refused or len(self._got) >= logged_in + len(body) + self._size + 2


class Session(Line):
    """A session of PostgreSQL, through libpq without waiting."""

    def __init__(self, speech: Speech, address: Address, bound_s: float) -> None:
        super().__init__()
        host, port = address
        told = conninfo.make_conninfo(
            speech.dsn,
            host=host,
            port=port,
            passfile=speech.passfile,
            gssencmode="disable",
            application_name="resilience",
        )
        self._bytes = self._reads = 0
        self._libpq = pq.PGconn.connect_start(told.encode())
        deadline = time.monotonic() + bound_s
        step = pq.PollingStatus.WRITING
        while step is not pq.PollingStatus.OK:
            if not self._ready(step is pq.PollingStatus.WRITING, deadline):
                self.close()
                raise TimeoutError
            step = pq.PollingStatus(self._libpq.connect_poll())
            if step is pq.PollingStatus.FAILED:
                said = self._libpq.error_message.decode(errors="replace").strip()
                self.close()
                raise ConnectionError(said)
        self._libpq.nonblocking = 1

    def close(self) -> None:
        """End it."""
        super().close()
        self._libpq.finish()

    def _ready(self, writing: bool, deadline: float) -> bool:
        left = max(0.0, deadline - time.monotonic())
        try:
            handle = self._libpq.socket
        except OperationalError:
            return False
        ready = select.select([] if writing else [handle], [handle] if writing else [], [], left)
        return bool(ready[0] or ready[1])

    def _send(self, size: int, deadline: float) -> bool:
        self._bytes = self._reads = 0
        try:
            self._libpq.send_query(b"SELECT '%s'" % (b"x" * size))
            while self._libpq.flush():
                if not self._ready(writing=True, deadline=deadline):
                    return False
        except OperationalError:
            return True  # as above
        return True

    def _answer(self, deadline: float, began: float) -> Look:
        def look(seen: Seen) -> Look:
            return Look(seen, time.monotonic() - began, b"", self._bytes, self._reads)

        try:
            while True:
                while self._libpq.is_busy():
                    if not self._ready(writing=False, deadline=deadline):
                        return look(Seen.SILENT)
                    self._libpq.consume_input()
                    self._reads += 1
                result = self._libpq.get_result()
                if result is None:
                    return look(Seen.ANSWERED)
                if result.status != pq.ExecStatus.TUPLES_OK:
                    return look(Seen.CLOSED)
                self._bytes += len(result.get_value(0, 0) or b"")
        except OperationalError:
            return look(Seen.CLOSED)


def open_line(speech: Speech, address: Address, *, echo: bool, bound_s: float = effects.PATIENCE_S) -> Spoken | Session:
    """Open a connection.

    Args:
        speech: how to talk there.
        address: host and port.
        echo: whether something long will be asked.
        bound_s: for the connect, and for the login where there is one.

    Raises:
        OSError: it cannot be opened (TimeoutError: not in time).
    """
    return (
        Session(speech, address, bound_s)
        if echo and speech.protocol == "postgres"
        else Spoken(speech, address, bound_s)
    )


def ask(speech: Speech, address: Address, size: int, bound_s: float) -> Look:
    """Ask on a fresh connection; what it took includes the connect."""
    if not size:
        return effects.ask(address, speech.words, bound_s)
    began = time.monotonic()
    line, seen = None, Seen.SILENT
    try:
        line = open_line(speech, address, echo=True, bound_s=bound_s)
        look = line.ask(size, max(0.001, bound_s - (time.monotonic() - began)))
    except TimeoutError:
        return Look(Seen.SILENT, time.monotonic() - began)
    except ConnectionRefusedError:
        return Look(Seen.REFUSED, time.monotonic() - began)
    except OSError as error:
        refused = "refused" in str(error).lower()  # libpq says it in words
        seen = Seen.REFUSED if refused else Seen.CLOSED
        return Look(seen, time.monotonic() - began, str(error).encode()[:64])
    finally:
        if line is not None:
            line.close()
    return Look(look.seen, time.monotonic() - began, look.said, look.received, look.reads)


def leave(speech: Speech, address: Address, bound_s: float) -> Look:
    """Open a connection, see that it works, end our half, and wait until the other half is ended.

    Returns:
        SILENT if it was not ended in time; CLOSED after so long; REFUSED if it did not work in the first place.
    """
    try:
        line = Spoken(speech, address, effects.PATIENCE_S)
    except OSError:
        return Look(Seen.REFUSED, 0.0)
    with contextlib.closing(line):
        first = line.ask(0, effects.PATIENCE_S)
        return line.farewell(bound_s) if first.seen is Seen.ANSWERED else Look(Seen.REFUSED, first.took_s)


def check_echo(speech: Speech, address: Address, where: str) -> None:
    """See that something long comes back.

    Raises:
        FaultError: it does not, so nothing of the kind can be measured.
    """
    look = ask(speech, address, 1000, effects.PATIENCE_S) if speech.echoes else None
    if look is None or look.seen is not Seen.ANSWERED or look.received < 1000:  # noqa: PLR2004 - what was sent
        said = "" if look is None else f": {look}, {look.said.decode(errors='replace').strip()!r}"
        message = f"something long that is sent there does not come back{said}"
        hint = (
            "for Redis name its password file, for PostgreSQL connection string and password file; others cannot do it"
        )
        raise FaultError(Problem(where, message, hint))


def _login(speech: Speech) -> bytes:
    if not speech.passfile:
        return b""
    password = Path(speech.passfile).read_bytes().strip()
    return b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n" % (len(password), password)
