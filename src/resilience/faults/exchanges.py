"""One exchange with Redis or PostgreSQL that a rule of the protocol proxy meets by its token, and that touches no data.

To Redis `ECHO` says the token. To PostgreSQL it stands in a comment: of a `SELECT 1`, or of the `COMMIT` of a
transaction in which nothing was done.
"""

import select
import socket
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn

from resilience.errors import FaultError
from resilience.model import Problem

Address = tuple[str, int]

CONNECT_S = 2.0


class How(StrEnum):
    """How an exchange ended."""

    ANSWERED = "answered"
    FAILED = "answered with an error"
    SILENT = "not answered"
    ENDED = "cut off"


@dataclass(frozen=True, slots=True)
class Heard:
    """One exchange.

    Attributes:
        took_s: from the question to the answer, or to the end that it had.
        error: Redis's error code or PostgreSQL's SQLSTATE.
    """

    how: How
    took_s: float
    error: str = ""

    def __str__(self) -> str:
        """`answered with an error READONLY after 0.4 ms`."""
        return f"{self.how.value}{self.error and f' {self.error}'} after {self.took_s * 1e3:.1f} ms"


class Talk(Protocol):
    """An open connection."""

    def say(self, token: str, *, commit: bool, bound_s: float) -> Heard:
        """Say the token and wait for the answer; `commit` where only commits are met."""

    def close(self) -> None:
        """End the connection."""


class RedisTalk:
    """A connection to Redis, logged in if there is a password.

    Raises:
        FaultError: it cannot be opened.
    """

    def __init__(self, address: Address, passfile: str) -> None:
        try:
            self._socket = socket.create_connection(address, CONNECT_S)
            if passfile:
                self._socket.settimeout(CONNECT_S)
                self._socket.sendall(_words("AUTH", Path(passfile).read_text().strip()))
                self._line()
        except OSError as error:
            raise FaultError(Problem("redis", f"cannot be asked at {address[0]}:{address[1]}: {error}")) from error

    def say(self, token: str, *, commit: bool, bound_s: float) -> Heard:  # noqa: ARG002 - nothing is committed here
        """ECHO."""
        began = time.monotonic()
        try:
            self._socket.settimeout(bound_s)
            self._socket.sendall(_words("ECHO", token))
            line = self._line()
            if line.startswith(b"$"):
                self._line()
        except TimeoutError:
            return Heard(How.SILENT, time.monotonic() - began)
        except OSError:
            return Heard(How.ENDED, time.monotonic() - began)
        took_s = time.monotonic() - began
        if not line:
            return Heard(How.ENDED, took_s)
        if line.startswith(b"-"):
            return Heard(How.FAILED, took_s, line[1:].split()[0].decode())
        return Heard(How.ANSWERED, took_s)

    def close(self) -> None:
        """End it."""
        self._socket.close()

    def _line(self) -> bytes:
        """A line, byte by byte: what comes after it stays in the socket. Empty at the end of the connection."""
        line = bytearray()
        while not line.endswith(b"\r\n"):
            byte = self._socket.recv(1)
            if not byte:
                return b""
            line += byte
        return bytes(line)


def _words(*words: str) -> bytes:
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


class PostgresTalk:
    """A connection to PostgreSQL.

    Args:
        address: where.
        dsn: connection string without password; its address is not used.
        passfile: file with the password.
        name: what the connection calls itself, by which a rule for new connections meets it.

    Raises:
        FaultError: it cannot be opened.
        Refused: the server said why not.
    """

    def __init__(self, address: Address, dsn: str, passfile: str, name: str) -> None:
        given = make_conninfo(
            dsn,
            host=address[0],
            port=address[1],
            passfile=passfile,
            application_name=name,
            connect_timeout=int(CONNECT_S),
            sslmode="disable",
        )
        began = time.monotonic()
        try:
            self._connection = psycopg.connect(given, autocommit=True)
        except psycopg.Error as error:
            raise Refused(Problem("postgres", f"cannot be asked: {error}"), time.monotonic() - began) from error

    def say(self, token: str, *, commit: bool, bound_s: float) -> Heard:
        """A statement without effect."""
        began = time.monotonic()
        try:
            heard = ""
            for statement in ("BEGIN", f"COMMIT /* {token} */") if commit else (f"SELECT 1 /* {token} */",):
                heard = self._run(self._connection.pgconn, statement, began + bound_s)
        except TimeoutError:
            return Heard(How.SILENT, time.monotonic() - began)
        except psycopg.Error:
            return Heard(How.ENDED, time.monotonic() - began)
        took_s = time.monotonic() - began
        return Heard(How.FAILED, took_s, heard) if heard else Heard(How.ANSWERED, took_s)

    def close(self) -> None:
        """End it."""
        self._connection.close()

    @staticmethod
    def _run(connection: PGconn, statement: str, until: float) -> str:
        """Run a statement within a time; the SQLSTATE if it fails, empty if not."""
        connection.send_query(statement.encode())
        state = ""
        while True:
            while connection.is_busy():
                left = until - time.monotonic()
                if left <= 0 or not select.select([connection.socket], [], [], left)[0]:
                    raise TimeoutError
                connection.consume_input()
            result = connection.get_result()
            if result is None:
                return state
            if result.status == ExecStatus.FATAL_ERROR:
                code = result.error_field(psycopg.pq.DiagnosticField.SQLSTATE)
                if code is None:  # libpq's own words: the connection is gone
                    raise psycopg.OperationalError(result.error_message.decode(errors="replace"))
                state = code.decode()


class Refused(FaultError):  # noqa: N818 - it names a state, as in `errors`
    """A connection was not opened, which may be what a fault does."""

    def __init__(self, problem: Problem, took_s: float) -> None:
        super().__init__(problem)
        self.took_s = took_s
