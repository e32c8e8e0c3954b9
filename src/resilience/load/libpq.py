"""libpq as gevent waits: a connection, what it answers, and what it says when there is none.

libpq's own interface (`psycopg.pq`) is used for its speed: an operation costs a quarter of the processor time of one by
`psycopg.Connection` (see `docs/adr`).
"""

from collections.abc import Sequence
from ipaddress import ip_address

import psycopg
from gevent import socket
from psycopg import conninfo, pq

from resilience.load.sql import Statement
from resilience.load.waiting import Watched

UNSURE = ("08", "40003", "57P")
"""How states of errors begin that leave open whether a transaction was committed. Source: PostgreSQL, appendix A."""

_FATAL = frozenset({b"FATAL", b"PANIC"})
_DONE = frozenset({pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK})
_READING, _OK = pq.PollingStatus.READING, pq.PollingStatus.OK
_SEVERITY = pq.DiagnosticField.SEVERITY_NONLOCALIZED
_STATE, _MESSAGE = pq.DiagnosticField.SQLSTATE, pq.DiagnosticField.MESSAGE_PRIMARY
_SHOWN = 100
_IDLE = pq.TransactionStatus.IDLE


class PgTable:
    """A `load.sql.Table` in libpq's memory."""

    __slots__ = ("_result", "columns", "count")

    def __init__(self, result: "pq.abc.PGresult") -> None:
        self._result = result
        rows = result.status == pq.ExecStatus.TUPLES_OK
        self.columns = [(result.fname(column) or b"").decode() for column in range(result.nfields)] if rows else []
        self.count = result.ntuples if rows else result.command_tuples or 0

    def text(self, row: int, column: int) -> str | None:
        """A value."""
        value = self._result.get_value(row, column)
        return None if value is None else value.decode(errors="replace")


class ServerError(Exception):
    """The server answered with an error."""

    def __init__(self, result: "pq.abc.PGresult") -> None:
        state = (result.error_field(_STATE) or b"").decode()
        said = (result.error_field(_MESSAGE) or result.error_message).decode(errors="replace").strip()
        super().__init__(f"sqlstate {state}: {said[:_SHOWN]}" if state else f"error of libpq: {said[:_SHOWN]}")
        severity = result.error_field(_SEVERITY)
        self.undone = bool(state) and severity not in _FATAL and not state.startswith(UNSURE)


class Connection:
    """A connection to PostgreSQL that waits as gevent does.

    Args:
        target: connection string.
    """

    __slots__ = ("_pg", "_prepared", "_target", "_watched")

    def __init__(self, target: str) -> None:
        self._target = target
        self._pg: pq.abc.PGconn | None = None
        self._watched: Watched | None = None
        self._prepared: set[bytes] = set()

    def open(self) -> None:
        """See to it that there is a connection: the kept one, if the server has not ended it; else a new one.

        Raises:
            psycopg.Error, OSError: there is none.
        """
        if self._pg is not None and not self._alive():
            self.close()
        if self._pg is None:
            self._connect()

    def prepare(self, statement: Statement) -> None:
        """Have the server prepare a statement, unless it has done so on this connection."""
        if statement.name not in self._prepared:
            self._connected().send_prepare(statement.name, statement.text)
            self._result()
            self._prepared.add(statement.name)

    def execute(self, statement: Statement, parameters: Sequence[bytes]) -> "pq.abc.PGresult":
        """Carry out a prepared statement; returns when the server is ready again.

        Raises:
            ServerError: it answered with an error.
            psycopg.Error: the connection was lost.
        """
        self._connected().send_query_prepared(statement.name, parameters)
        return self._result()

    def say(self, command: bytes) -> "pq.abc.PGresult":
        """The same for a command without parameters."""
        self._connected().send_query(command)
        return self._result()

    def keep_if_idle(self) -> None:
        """Close it unless it can be used again as it is."""
        if self._pg is not None and self._pg.transaction_status != _IDLE:
            self.close()

    def close(self) -> None:
        """Close it. Idempotent."""
        if self._watched is not None:
            self._watched.close()
            self._watched = None
        if self._pg is not None:
            self._pg.finish()
            self._pg = None
        self._prepared.clear()

    def _connected(self) -> "pq.abc.PGconn":
        assert self._pg is not None  # noqa: S101 - for the type checker
        return self._pg

    def _alive(self) -> bool:
        """Whether the server has not ended it. What else it said meanwhile, such as a new setting, is taken in."""
        pg, watched = self._pg, self._watched
        if pg is None or watched is None:
            return False
        try:
            while watched.said_something():
                pg.consume_input()
                pg.is_busy()
        except psycopg.Error:
            return False
        return pg.status == pq.ConnStatus.OK

    def _connect(self) -> None:
        pg = pq.PGconn.connect_start(_resolved(self._target).encode())
        try:
            while not _made(pg):
                pass
            pg.nonblocking = 1
            self._watched = Watched(pg.socket)
        except BaseException:
            pg.finish()
            raise
        self._pg = pg

    def _result(self) -> "pq.abc.PGresult":
        """The answer to what was sent last: everything until the server is ready again."""
        pg, watched = self._connected(), self._watched
        assert watched is not None  # noqa: S101 - for the type checker
        good = bad = None
        try:
            while pg.flush():
                watched.either()
                if watched.said_something():
                    pg.consume_input()
            while (result := _next(pg, watched)) is not None:
                if result.status in _DONE:
                    good = result
                else:
                    bad = bad or result
        except psycopg.Error:
            if bad is None:  # else the server has said why it ended the connection
                raise
        if bad is not None:
            raise ServerError(bad)
        if good is None:
            raise psycopg.OperationalError("no answer")
        return good


def _next(pg: "pq.abc.PGconn", watched: Watched) -> "pq.abc.PGresult | None":
    """The next answer; None when the server is ready again."""
    while pg.is_busy():
        watched.readable()
        pg.consume_input()
    return pg.get_result()


def _made(pg: "pq.abc.PGconn") -> bool:
    """Go one step on in connecting; waits for the server. True if there is a connection."""
    polled = pq.PollingStatus.FAILED if pg.status == pq.ConnStatus.BAD else pg.connect_poll()
    if polled == pq.PollingStatus.FAILED:
        raise psycopg.OperationalError(pg.get_error_message())
    if polled == _OK:
        return True
    (socket.wait_read if polled == _READING else socket.wait_write)(pg.socket)
    return False


def _resolved(target: str) -> str:
    """The connection string with addresses beside names: libpq would look these up without letting others go on.

    Raises:
        OSError: there is no such name.
    """
    told = conninfo.conninfo_to_dict(target)
    host = str(told.get("host") or "")
    if not host or host.startswith("/") or told.get("hostaddr"):
        return target
    addresses = []
    for name in host.split(","):
        try:
            addresses.append(str(ip_address(name)))
        except ValueError:
            addresses.append(str(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0][4][0]))
    return conninfo.make_conninfo(target, hostaddr=",".join(addresses))


def lost(error: Exception) -> str:
    """Why there is no connection, in one line and without what differs from case to case."""
    if isinstance(error, socket.gaierror):
        return f"name not found: {error.strerror}"
    said = str(error).strip().splitlines()
    line = said[0] if said else type(error).__name__
    what, _, why = line.partition(" failed: ")
    if what.startswith("connection to server "):  # "… at …, port … failed: FATAL:  sorry, too many clients already"
        return f"not connected: {why[:_SHOWN]}"
    return f"connection lost: {(why or line)[:_SHOWN]}"  # "consuming input failed: server closed the connection …"
