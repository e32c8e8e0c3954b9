"""Removing what a run wrote: from PostgreSQL or by HTTP, as a file declares it. Nothing else is removed.

Everything is bound to the prefix of one run's ids. What a `Remover` would remove is found by asking the store itself.
In PostgreSQL the declared statement is carried out and rolled back, and must remove nothing for prefixes that are
nobody's, so that a statement that forgets its prefix is refused before it removes anything for good.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from resilience.errors import RecordError, SpecError
from resilience.host.network import cut_off
from resilience.model import Problem

NOBODYS = ("!nobody-", "~nobody-")
"""Prefixes that no id has: they come before and after all that begin with a letter or digit."""
BOUND_S = 10.0
_GONE = frozenset({404, 410})
_DONE = frozenset({200, 202, 204})
_ID = "{id}"


class Remover(Protocol):
    """Removes from one place."""

    where: str

    def count(self) -> int:
        """How much it would remove now. Changes nothing.

        Raises:
            RecordError: the store cannot be asked.
            SpecError: the removal would remove what is not the run's.
        """

    def remove(self) -> int:
        """Remove it; returns how much was removed. Raises as `count`."""


class PostgresRemover:
    """Rows of PostgreSQL.

    Args:
        dsn: connection string without password.
        passfile: libpq's password file; empty if none is needed.
        query: a DELETE with `%(prefix)s`.
        prefix: of the run's ids.
        timeout_s: for all of it; a server that hangs is cut off, too.
    """

    def __init__(self, dsn: str, passfile: str, query: str, prefix: str, *, timeout_s: float = 60.0) -> None:
        self._dsn, self._passfile, self._query, self._prefix = dsn, passfile, query, prefix
        self._timeout_s = timeout_s
        self.where = f"{_server(dsn)}: {' '.join(query.split())}"

    def count(self) -> int:
        """Rows, found by removing them and rolling back."""
        with self._connected() as connection:
            found = self._carried_out(connection)
            connection.rollback()
            return found

    def remove(self) -> int:
        """Rows that are gone."""
        with self._connected() as connection:
            found = self._carried_out(connection)
            connection.commit()
            return found

    def _carried_out(self, connection: psycopg.Connection[tuple[Any, ...]]) -> int:
        milliseconds = str(max(1, int(self._timeout_s * 1000)))
        connection.execute("SELECT set_config('statement_timeout', %s, true)", (milliseconds,))
        for nobodys in NOBODYS:
            if others := self._removed(connection, nobodys):
                connection.rollback()
                message = f"would remove {others:,} rows for the prefix {nobodys!r}, which no id has"
                hint = "bind it to the run: WHERE id LIKE %(prefix)s || '%%'"
                raise SpecError(Problem(self.where, message, hint))
        return self._removed(connection, self._prefix)

    def _removed(self, connection: psycopg.Connection[tuple[Any, ...]], prefix: str) -> int:
        return max(connection.execute(self._query.encode(), {"prefix": prefix}).rowcount, 0)

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        try:
            conninfo = make_conninfo(
                self._dsn, passfile=self._passfile or None, connect_timeout=5, application_name="resilience-clean"
            )
            with (
                closing(psycopg.connect(conninfo)) as connection,
                cut_off(connection.fileno(), self._timeout_s * 1.1 + 0.5),
            ):
                yield connection
        except (psycopg.Error, OSError) as error:
            message = f"test data cannot be removed: {str(error).strip()}"
            raise RecordError(Problem(self.where, message, "the statement is run as it was declared")) from error


class HttpRemover:
    """Entries that a service removes when it is asked to, one by one.

    Args:
        base: address: `http://127.0.0.1:8080`.
        path: with `{id}`.
        ids: of the run, as the truth lists them; asked for anew each time.
        headers: sent with every request.
    """

    def __init__(self, base: str, path: str, ids: "Ids", headers: dict[str, str]) -> None:
        self._base, self._path, self._ids, self._headers = base.rstrip("/"), path, ids, headers
        parts = urlsplit(self._base)
        self.where = f"DELETE {parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}"

    def count(self) -> int:
        """Entries that the truth lists."""
        return sum(1 for _ in self._ids.all())

    def remove(self) -> int:
        """Entries that the service said it removed."""
        parts = urlsplit(self._base)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        removed = 0
        try:
            with closing(kind(parts.hostname or "", parts.port, timeout=BOUND_S)) as connection:
                for one in list(self._ids.all()):
                    path = parts.path + self._path.replace(_ID, quote(one, safe=""))
                    connection.request("DELETE", path, headers=self._headers)
                    answer = connection.getresponse()
                    answer.read()
                    if answer.status not in _DONE | _GONE:
                        message = f"answered {answer.status} for {one}; 200, 202, 204, 404 or 410 were expected"
                        raise RecordError(Problem(self.where, message, f"{removed:,} were removed before it"))
                    removed += answer.status in _DONE
        except (HTTPException, OSError) as error:
            message = f"test data cannot be removed: {error}; {removed:,} were removed before"
            raise RecordError(Problem(self.where, message, "is the service up?")) from error
        return removed


class Ids(Protocol):
    """The ids of a run that are still there, as the truth lists them."""

    def all(self) -> Iterable[str]:
        """Every one. Raises RecordError if they cannot be read."""


class PostgresIds:
    """By the truth's own query.

    Args:
        dsn: connection string without password.
        passfile: libpq's password file; empty if none is needed.
        query: of the truth.
        prefix: of the run's ids.
    """

    def __init__(self, dsn: str, passfile: str, query: str, prefix: str) -> None:
        self._dsn, self._passfile, self._query, self._prefix = dsn, passfile, query, prefix

    def all(self) -> Iterable[str]:
        """Every id that the query yields and that begins with the prefix."""
        try:
            conninfo = make_conninfo(self._dsn, passfile=self._passfile or None, connect_timeout=5)
            with closing(psycopg.connect(conninfo)) as connection:
                connection.read_only = True
                query = f"SELECT id::text FROM (\n{self._query.strip().rstrip(';')}\n) AS entry"  # noqa: S608 - declared
                with connection.cursor("ids") as cursor:
                    cursor.execute(query.encode(), {"prefix": self._prefix})
                    return [row[0] for row in cursor if str(row[0]).startswith(self._prefix)]
        except (psycopg.Error, OSError) as error:
            message = f"what is still there cannot be read: {str(error).strip()}"
            raise RecordError(Problem(_server(self._dsn), message, "the truth's query is run as it stands")) from error


class ReaderIds:
    """By a reader of rows: of Redis, HTTP or a function.

    Args:
        reader: `read(prefix)` yields (id, body, position).
        prefix: of the run's ids.
    """

    def __init__(self, reader: Any, prefix: str) -> None:  # noqa: ANN401 - any of `observe.truth_*`
        self._reader, self._prefix = reader, prefix

    def all(self) -> Iterable[str]:
        """Every id."""
        return [row[0] for row in self._reader.read(self._prefix)]


def _server(dsn: str) -> str:
    """Without anything secret."""
    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        return "PostgreSQL"
    return f"PostgreSQL {parts.get('host', '')}:{parts.get('port', '')}/{parts.get('dbname', '')}"
