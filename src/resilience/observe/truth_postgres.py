"""The truth about writes in PostgreSQL.

A look is a digest that the server makes of all rows; the rows themselves are read once, in the same snapshot as the
digest that agreed. Where a query reads nothing but tables, the server's own snapshot is the digest (PostgreSQL's
manual, 9.27, `pg_current_snapshot`): two transactions that regard the same transactions as over see the same rows. If
there was any other in between, whoever's it was, the rows are looked at after all.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from resilience.columns import Truth
from resilience.entry import prefix_of
from resilience.errors import RecordError
from resilience.host.network import cut_off
from resilience.model import Problem
from resilience.observe.copying import copied
from resilience.observe.rows import Columns
from resilience.observe.truth import Look

_TEXTS = {"text", "varchar", "bpchar", "name"}
_WHOLE = {"int2", "int4", "int8"}

_FACTS = """
    SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit'),
           current_setting('full_page_writes'), pg_is_in_recovery()::text,
           (SELECT system_identifier FROM pg_control_system())::text, pg_postmaster_start_time()::text,
           (SELECT timeline_id FROM pg_control_checkpoint())::text
"""
_FACT_NAMES = (
    "version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "in_recovery",
    "system_identifier",
    "started",
    "timeline",
)


_NOTHING = "SELECT * FROM ({}) AS entry LIMIT 0"
_COPY = "COPY (SELECT id::text, body::text, position::bigint FROM ({}) AS entry) TO STDOUT (FORMAT binary)"
_DIGEST = """
    SELECT count(*),
           sum(hashtextextended(id::text, coalesce(hashtextextended(body::text, position), ~position::bigint)))::text
    FROM ({}) AS entry
"""
"""A row's digest covers all three columns, each the seed of the next; a sum, unlike XOR, sees a row that came twice."""

_COUNT = "SELECT count(*), 'snapshot ' || pg_current_snapshot()::text FROM ({}) AS entry"
_SNAPSHOT = "SELECT 'snapshot ' || pg_current_snapshot()::text"
_PLAN = "EXPLAIN (VERBOSE, FORMAT JSON) SELECT id::text, body::text, position::bigint FROM ({}) AS entry"
_STEPS = frozenset(
    (
        *("Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Bitmap Index Scan", "BitmapAnd"),
        *("BitmapOr", "Append", "Merge Append", "Gather", "Gather Merge", "Sort", "Incremental Sort", "Unique"),
        *("Aggregate", "Group", "Hash", "Hash Join", "Merge Join", "Nested Loop", "Materialize", "Memoize"),
        *("Subquery Scan", "CTE Scan", "Result", "Values Scan", "WindowAgg", "SetOp"),
    )
)
"""Steps of a plan whose rows depend on what is in this server's tables, and on nothing else."""
_OTHERWISE = """
    SELECT EXISTS (SELECT FROM pg_proc WHERE proname = ANY(%(names)s) AND provolatile <> 'i')
        OR EXISTS (SELECT FROM pg_operator JOIN pg_proc ON pg_proc.oid = oprcode
                   WHERE oprnamespace <> 'pg_catalog'::regnamespace AND provolatile <> 'i')
"""
"""Whether a function of one of these names, or any operator that is not PostgreSQL's own, may answer differently."""
_CALLED = re.compile(r'(\w+)"?\(')
_CLOCK = re.compile(r"\b(CURRENT_|LOCALTIME)")

_BY_INDEX = ("indexscan", "indexonlyscan", "bitmapscan")
"""The ways in which PostgreSQL uses an index, as its settings call them."""


def _values(plan: Any, name: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any JSON
    """Every text in a plan, with the name that it has there."""
    if isinstance(plan, dict):
        for key, value in plan.items():
            yield from _values(value, key)
    elif isinstance(plan, list):
        for each in plan:
            yield from _values(each, name)
    elif isinstance(plan, str):
        yield name, plan


def _of_tables(connection: psycopg.Connection[tuple[Any, ...]], query: str) -> bool:
    """Whether equal snapshots make equal rows: only tables are read, and nothing called may answer differently."""
    (plan,) = connection.execute(_PLAN.format(query).encode()).fetchone() or ((),)
    found = list(_values(plan))
    if {text for name, text in found if name == "Node Type"} - _STEPS or any(_CLOCK.search(text) for _, text in found):
        return False
    names = sorted({called for _, text in found for called in _CALLED.findall(text)})
    (otherwise,) = connection.execute(_OTHERWISE, {"names": names}).fetchone() or (True,)
    return not otherwise


class PostgresTruth:
    """Reads the entries of a run from PostgreSQL, each time in one read-only snapshot.

    Args:
        dsn: connection string without password.
        passfile: libpq's password file; empty if none is needed.
        query: yields columns `id`, `body` and `position`; `%(prefix)s` stands for what the ids start with. No order is
            needed, and one that no index gives makes the server sort, which takes it long for many rows.
        timeout_s: for a whole look or read; a server that hangs is cut off, too.
        check_index: look once more by way of an index, and say in the facts whether it gives the same rows. The rows
            themselves are then read without.
    """

    def __init__(
        self, dsn: str, passfile: str, query: str, *, timeout_s: float = 60.0, check_index: bool = False
    ) -> None:
        self._dsn = dsn
        self._passfile = passfile
        self._query = query
        self._timeout_s = timeout_s
        self._check_index = check_index

    def facts(self) -> dict[str, str]:
        """What the server says of itself. Raises as `look`, but for the query."""
        with self._snapshot() as connection:
            return self._read_facts(connection)

    def look(self, run: str) -> Look:
        """Let the server make a digest of all (id, body, position) whose id starts with the run's prefix.

        Raises:
            RecordError: the server cannot be reached, is a standby, is too slow, or the query does not yield the three
                columns (id and body as text, position as a whole number).
        """
        with self._snapshot() as connection:
            return self._look(connection, self._bound(connection, run))

    def read(self, run: str, before: Look, read_ns: int) -> tuple[Look, Truth | None]:
        """Look again and, if nothing has changed, read all rows. A NULL body is an empty text.

        Raises:
            RecordError: as `look`; or a row has no id or no position.
        """
        with self._snapshot() as connection:
            query = self._bound(connection, run)
            seen = self._look(connection, query, before)
            if seen != before:
                return seen, None
            found = Columns(run, seen.rows)
            try:
                for rows in copied(connection, _COPY.format(query), self._timeout_s + 1):
                    found.add_copied(rows)
            except ValueError as error:
                message = f"a row with {error} was found; text, text and a whole number were expected"
                raise RecordError(
                    Problem("ledger.truth.query", message, "leave rows without id or position out")
                ) from None
            if len(found) != seen.rows:
                message = f"{len(found):,} rows were copied, the server counted {seen.rows:,} in the same snapshot"
                raise RecordError(Problem(self._where(), message, "does the query give other rows each time?"))
            return seen, found.truth(seen.facts, read_ns)

    @contextmanager
    def _snapshot(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        try:
            # The server has its chance first to say so itself.
            with closing(self._connect()) as connection, cut_off(connection.fileno(), self._timeout_s * 1.1 + 0.5):
                yield connection
        except (psycopg.Error, OSError) as error:
            hint = "the query is in the experiment's ledger.truth; it is run as it stands, with %(prefix)s bound"
            if isinstance(error, psycopg.OperationalError | OSError):
                hint = f"PostgreSQL itself must be reachable for the truth, and answer within {self._timeout_s:g} s"
            raise RecordError(
                Problem(self._where(), f"the truth cannot be read: {str(error).strip()}", hint)
            ) from error

    def _bound(self, connection: psycopg.Connection[tuple[Any, ...]], run: str) -> str:
        """The query with the prefix in it, to stand in brackets: a comment at its end must not take the bracket."""
        bound = psycopg.ClientCursor(connection).mogrify(self._query.encode(), {"prefix": prefix_of(run)})
        return f"\n{bound.strip().rstrip(';')}\n"

    def _look(self, connection: psycopg.Connection[tuple[Any, ...]], query: str, before: Look | None = None) -> Look:
        facts = self._read_facts(connection)
        described = connection.execute(_NOTHING.format(query).encode()).description or ()
        self._check({column.name: column.type_code for column in described}, connection)
        by_index = self._digest_by_index(connection, query, facts) if self._check_index else None
        if by_index is None and _of_tables(connection, query):
            if before is None:
                return Look(*self._digest(connection, query, _COUNT), facts)
            if (connection.execute(_SNAPSHOT.encode()).fetchone() or (None,))[0] == before.digest:
                return Look(before.rows, before.digest, facts)
        count, digest = self._digest(connection, query, _DIGEST)
        if by_index is not None:
            facts["index_agrees"] = str(by_index == (count, digest)).lower()
            facts["index_rows"], facts["table_rows"] = str(by_index[0]), str(count)
        return Look(count, digest, facts)

    def _digest(self, connection: psycopg.Connection[tuple[Any, ...]], query: str, how: str) -> tuple[int, str]:
        count, digest = connection.execute(how.format(query).encode()).fetchone() or (0, None)
        return int(count), str(digest)

    def _digest_by_index(
        self, connection: psycopg.Connection[tuple[Any, ...]], query: str, facts: dict[str, str]
    ) -> tuple[int, str] | None:
        """The digest by way of an index; from then on the transaction uses none. None if no index will do."""

        def use(scans: Iterable[str], on: str) -> list[str]:
            for scan in scans:
                connection.execute("SELECT set_config(%s, %s, true)", (f"enable_{scan}", on))
            (plan,) = connection.execute(b"EXPLAIN (FORMAT JSON) " + _DIGEST.format(query).encode()).fetchone() or ({},)
            return sorted({text for name, text in _values(plan) if name == "Index Name"})

        indices = use(["seqscan"], "off")
        found = self._digest(connection, query, _DIGEST) if indices else None
        connection.execute("SELECT set_config('enable_seqscan', 'on', true)")
        if use(_BY_INDEX, "off"):
            raise RecordError(
                Problem(self._where(), "cannot run the query without an index", "remove check_index from ledger.truth")
            )
        facts["index"] = ", ".join(indices) or "none"
        return found

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        passfile = self._passfile or None
        conninfo = make_conninfo(self._dsn, passfile=passfile, connect_timeout=5, application_name="resilience-truth")
        conninfo = make_conninfo(conninfo, client_encoding="utf8")
        connection = psycopg.connect(conninfo)
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        return connection

    def _read_facts(self, connection: psycopg.Connection[tuple[Any, ...]]) -> dict[str, str]:
        milliseconds = str(max(1, int(self._timeout_s * 1000)))
        connection.execute("SELECT set_config('statement_timeout', %s, true)", (milliseconds,))
        # Else a large table may be read from its middle on, and half of the rows had to be put in order here.
        connection.execute("SELECT set_config('synchronize_seqscans', 'off', true)")
        row = connection.execute(_FACTS).fetchone()
        facts = dict(zip(_FACT_NAMES, map(str, row or ()), strict=True))
        if facts["in_recovery"] != "false":
            raise RecordError(
                Problem(self._where(), "is a standby (pg_is_in_recovery), the primary was expected", "name the primary")
            )
        return facts

    def _check(self, found: dict[str, int], connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        wanted = {"id": _TEXTS, "body": _TEXTS, "position": _WHOLE}
        if not set(wanted) <= set(found):
            message = f"the query yields the columns {', '.join(found) or 'none'}; id, body and position were expected"
            raise RecordError(Problem("ledger.truth.query", message, "name them with AS"))
        for name, kinds in wanted.items():
            known = connection.adapters.types.get(found[name])
            # Not known are types that the database made itself, such as citext: a text to whoever reads it.
            if known is None and name != "position":
                continue
            if known is None or known.name not in kinds:
                kind = "a type of the database's own" if known is None else known.name
                expected = "a text" if kinds is _TEXTS else "a whole number"
                message = f"the column {name} is {kind}; {expected} was expected"
                hint = "cast them: id::text, body::text, position::bigint"
                raise RecordError(Problem("ledger.truth.query", message, hint))

    def _where(self) -> str:
        """The server without anything secret."""
        try:
            parts = conninfo_to_dict(self._dsn)
        except psycopg.ProgrammingError:  # no connection string at all
            return "PostgreSQL"
        return f"PostgreSQL {parts.get('host', '')}:{parts.get('port', '')}/{parts.get('dbname', '')}"
