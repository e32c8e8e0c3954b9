"""What the primary store itself says was written: not through the service, not through a cache or proxy.

The truth is believed once two whole reads, some time apart, agree in every row and in what the server says of itself:
an answer that still changes is none.
"""

import hashlib
import socket
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import numpy as np
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from resilience.columns import Truth
from resilience.entry import body_of, parse_id, prefix_of
from resilience.errors import RecordError
from resilience.model import Problem
from resilience.ports import TruthReader

MAX_READS = 10
"""Reads after which a store that still changes is given up."""

MAX_FOREIGN = 32
"""Ids that are not ours but have our prefix: this many are named."""

_BATCH = 2000
_MASK = 2**128 - 1

_FACTS = """
    SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit'),
           current_setting('full_page_writes'), pg_is_in_recovery()::text,
           (SELECT system_identifier FROM pg_control_system())::text, pg_postmaster_start_time()::text
"""
_FACT_NAMES = (
    "version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "in_recovery",
    "system_identifier",
    "started",
)


class SettledReader(TruthReader, Protocol):
    """A reader of the truth that also knows the store."""

    def facts(self) -> dict[str, str]:
        """What the store said of itself at the last read."""


class PostgresTruth:
    """Reads the entries of a run from PostgreSQL, streaming, in one read-only snapshot.

    Args:
        dsn: connection string without password.
        passfile: libpq's password file; empty if none is needed.
        query: yields columns `id`, `body` and `position`; `%(prefix)s` stands for what the ids start with.
        timeout_s: for the whole read; a server that hangs is cut off, too.
    """

    def __init__(self, dsn: str, passfile: str, query: str, *, timeout_s: float = 60.0) -> None:
        self._dsn = dsn
        self._passfile = passfile
        self._query = query
        self._timeout_s = timeout_s
        self._facts: dict[str, str] = {}

    def read(self, prefix: str) -> Iterator[tuple[str, str, int]]:
        """All (id, body, position) whose id starts with the prefix, as they come. A NULL body is an empty text.

        Raises:
            RecordError: the server cannot be reached, is a standby, is too slow, or the query does not yield the three
                columns (id and body as text, position as a whole number).
        """
        try:
            with self._connect() as connection, _cut_off_after(connection, self._timeout_s):
                self._facts = self._read_facts(connection)
                with connection.cursor(name="resilience_truth") as cursor:
                    cursor.itersize = _BATCH
                    cursor.execute(self._query, {"prefix": prefix})
                    places = self._columns([column.name for column in cursor.description or ()])
                    for row in cursor:
                        yield self._checked(*(row[place] for place in places))
        except (psycopg.Error, OSError) as error:
            hint = "the query is in the experiment's ledger.truth; it is run as it stands, with %(prefix)s bound"
            if isinstance(error, psycopg.OperationalError | OSError):
                hint = f"PostgreSQL itself must be reachable for the truth, and answer within {self._timeout_s:g} s"
            raise RecordError(
                Problem(self._where(), f"the truth cannot be read: {str(error).strip()}", hint)
            ) from error

    def facts(self) -> dict[str, str]:
        """What the server said of itself at the last read: version, durability settings, identity, when it started.

        `synchronous_commit` is what a new session gets; a service may choose otherwise for its own.
        """
        return dict(self._facts)

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        passfile = self._passfile or None
        conninfo = make_conninfo(self._dsn, passfile=passfile, connect_timeout=5, application_name="resilience-truth")
        connection = psycopg.connect(conninfo)
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        return connection

    def _read_facts(self, connection: psycopg.Connection[tuple[Any, ...]]) -> dict[str, str]:
        milliseconds = str(max(1, int(self._timeout_s * 1000)))
        connection.execute("SELECT set_config('statement_timeout', %s, true)", (milliseconds,))
        row = connection.execute(_FACTS).fetchone()
        facts = dict(zip(_FACT_NAMES, map(str, row or ()), strict=True))
        if facts["in_recovery"] != "false":
            raise RecordError(
                Problem(self._where(), "is a standby (pg_is_in_recovery), the primary was expected", "name the primary")
            )
        return facts

    def _columns(self, names: list[str]) -> tuple[int, ...]:
        wanted = ("id", "body", "position")
        if not set(wanted) <= set(names):
            message = f"the query yields the columns {', '.join(names) or 'none'}; id, body and position were expected"
            raise RecordError(Problem("ledger.truth.query", message, "name them with AS"))
        return tuple(names.index(name) for name in wanted)

    def _checked(self, entry_id: object, body: object, position: object) -> tuple[str, str, int]:
        body = "" if body is None else body
        if isinstance(entry_id, str) and isinstance(body, str) and type(position) is int:
            return entry_id, body, position
        found = f"id {entry_id!r:.60}, body {body!r:.60}, position {position!r:.60}"
        message = f"a row with {found} was found; text, text and a whole number were expected"
        raise RecordError(Problem("ledger.truth.query", message, "cast them: id::text, body::text, position::bigint"))

    def _where(self) -> str:
        """The server without anything secret."""
        try:
            parts = conninfo_to_dict(self._dsn)
        except psycopg.ProgrammingError:  # no connection string at all
            return "PostgreSQL"
        return f"PostgreSQL {parts.get('host', '')}:{parts.get('port', '')}/{parts.get('dbname', '')}"


@contextmanager
def _cut_off_after(connection: psycopg.Connection[Any], timeout_s: float) -> Iterator[None]:
    """Cut a connection that takes too long. A stopped server heeds no statement timeout, and libpq waits for ever."""
    own = socket.socket(fileno=socket.dup(connection.fileno()))

    def cut() -> None:
        with suppress(OSError):
            own.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(timeout_s * 1.1 + 0.5, cut)  # after the server had its chance to say so itself
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        own.close()


def read_settled(
    reader: SettledReader,
    run: str,
    settle_s: float,
    now_ns: Callable[[], int],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Truth:
    """Read until two reads in a row, at least `settle_s` apart, are equal.

    Args:
        reader: of the primary store.
        run: whose entries.
        settle_s: between the end of one read and the beginning of the next.
        now_ns: tells the nanoseconds since the run began.
        sleep: waits for that many seconds.

    Raises:
        RecordError: the store cannot be read, or still changes after ten reads.
    """
    before = _collect(reader, run, now_ns)
    for _ in range(MAX_READS - 1):
        sleep(settle_s)
        after = _collect(reader, run, now_ns)
        if after.same_as(before):
            return after.truth()
        before = after
    raise RecordError(
        Problem(
            where="the truth about writes",
            message=f"still changing: {MAX_READS} reads {settle_s:g} s apart, no two in a row equal; the last had "
            f"{len(before.position)} rows",
            hint="rows of this run are still written, or the server restarts: look for other clients, raise settle",
        )
    )


class _Read:
    """One read as columns, with a digest that does not depend on the order in which rows came."""

    def __init__(self, started_ns: int) -> None:
        self.started_ns = started_ns
        self.facts: dict[str, str] = {}
        self.digest = 0
        self.writer, self.epoch, self.seq, self.position = array("i"), array("i"), array("q"), array("q")
        self.intact = array("b")
        self.foreign: list[str] = []

    def add(self, run: str, entry_id: str, body: str, position: int) -> None:
        """Take one row."""
        # Lengths keep apart what would look alike when joined; a sum, unlike XOR, sees a row that came twice.
        content = f"{len(entry_id)}:{entry_id}{len(body)}:{body}{position}".encode(errors="surrogatepass")
        row = int.from_bytes(hashlib.blake2b(content, digest_size=16).digest(), "little")
        self.digest = (self.digest + row) & _MASK
        parsed = parse_id(entry_id, run)
        if parsed is None and len(self.foreign) < MAX_FOREIGN:
            self.foreign.append(entry_id)
        writer, epoch, seq = parsed or (-1, -1, -1)
        self.writer.append(writer)
        self.epoch.append(epoch)
        self.seq.append(seq)
        self.intact.append(parsed is not None and body == body_of(entry_id))
        self.position.append(position)

    def same_as(self, other: "_Read") -> bool:
        """Whether both saw the same rows on the same, uninterrupted server."""
        return (len(self.position), self.digest, self.facts) == (len(other.position), other.digest, other.facts)

    def truth(self) -> Truth:
        """The rows in order of position."""
        position = np.array(self.position, np.int64)
        order = np.argsort(position, kind="stable")
        columns: dict[str, Any] = {
            "writer": np.array(self.writer, np.int32)[order],
            "epoch": np.array(self.epoch, np.int32)[order],
            "seq": np.array(self.seq, np.int64)[order],
            "intact": np.array(self.intact, np.bool_)[order],
            "position": position[order],
        }
        for column in columns.values():
            column.setflags(write=False)
        return Truth(**columns, foreign=tuple(sorted(self.foreign)), facts=self.facts, read_ns=self.started_ns)


def _collect(reader: SettledReader, run: str, now_ns: Callable[[], int]) -> _Read:
    found = _Read(now_ns())
    for entry_id, body, position in reader.read(prefix_of(run)):
        found.add(run, entry_id, body, position)
    found.facts = reader.facts()
    return found
