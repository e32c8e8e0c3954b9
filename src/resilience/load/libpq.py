"""libpq as gevent waits: a connection, what it answers, and what it says when there is none.

libpq's own interface (`psycopg.pq`) is used for its speed: an operation costs a quarter of the processor time of one by
`psycopg.Connection` (see `docs/adr`).
"""

from ipaddress import ip_address

import psycopg
from gevent import socket
from psycopg import conninfo, pq

UNSURE = ("08", "40003", "57P")
"""How states of errors begin that leave open whether a transaction was committed. Source: PostgreSQL, appendix A."""

_FATAL = frozenset({b"FATAL", b"PANIC"})
_DONE = frozenset({pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK})
_READING, _OK = pq.PollingStatus.READING, pq.PollingStatus.OK
_SEVERITY = pq.DiagnosticField.SEVERITY_NONLOCALIZED
_STATE, _MESSAGE = pq.DiagnosticField.SQLSTATE, pq.DiagnosticField.MESSAGE_PRIMARY
_SHOWN = 100


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


def connect(target: str) -> "pq.abc.PGconn":
    """A new connection, which never blocks; waits as gevent does.

    Raises:
        psycopg.Error, OSError: there is none.
    """
    pg = pq.PGconn.connect_start(_resolved(target).encode())
    try:
        while not _made(pg):
            pass
        pg.nonblocking = 1
    except BaseException:
        pg.finish()
        raise
    return pg


class Collected:
    """The answer to what was sent last, as its pieces come: everything until the server is ready again."""

    __slots__ = ("bad", "good")

    def __init__(self) -> None:
        self.good: pq.abc.PGresult | None = None
        self.bad: pq.abc.PGresult | None = None

    def complete(self, pg: "pq.abc.PGconn") -> bool:
        """Take in what has come; True if nothing more belongs to it: an answer alone is not yet its commit."""
        while not pg.is_busy():
            result = pg.get_result()
            if result is None:
                return True
            if result.status in _DONE:
                self.good = result
            else:
                self.bad = self.bad or result
        return False

    def result(self) -> "pq.abc.PGresult":
        """The answer.

        Raises:
            ServerError: it is an error, also if it came after an answer.
            psycopg.Error: there is none.
        """
        if self.bad is not None:
            raise ServerError(self.bad)
        if self.good is None:
            raise psycopg.OperationalError("no answer")
        return self.good


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
        return f"not connected: {' '.join(why.split())[:_SHOWN]}"
    return f"connection lost: {(why or line)[:_SHOWN]}"  # "consuming input failed: server closed the connection …"
