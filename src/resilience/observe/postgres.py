"""PostgreSQL, asked what it says of itself: sessions, waits, caches, scans, sizes, replication, and its statements.

One transaction for each reading, and one every ten seconds for sizes. Only what is our session's to see is seen: a role
that is not a member of `pg_monitor` sees less, and what it does not see is left out.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from resilience.host.network import cut_off
from resilience.model import Json, Place
from resilience.model.resources import Reading
from resilience.observe.catalogue import reading
from resilience.observe.connections import BOUND_S, to_postgres
from resilience.observe.watcher import FAILURES

NAME = "resilience-resources"
SIZES_S = 10.0
"""Sizes are read so often: the server looks at every file for them."""
SLOW_S = 1.0
TOP = 20
"""So many statements and tables are kept."""

_ACTIVITY: LiteralString = """
    SELECT /* resilience-resources */
           coalesce(state, '') AS state, coalesce(wait_event_type, '') AS wait, count(*) AS count,
           coalesce(max(extract(epoch FROM clock_timestamp() - query_start)) FILTER (WHERE state = 'active'), 0)::float8
               AS query_s,
           count(*) FILTER (WHERE state = 'active' AND clock_timestamp() - query_start > %(slow)s * interval '1 s')
               AS slow,
           coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8 AS transaction_s
    FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
    GROUP BY 1, 2
"""
_STATE: LiteralString = """
    SELECT /* resilience-resources */
           coalesce(d.stats_reset::text, '') || ' ' || pg_postmaster_start_time()::text AS epoch,
           d.xact_commit, d.xact_rollback, d.blks_hit, d.blks_read, d.tup_returned, d.tup_fetched,
           d.tup_inserted + d.tup_updated + d.tup_deleted AS tup_written, d.deadlocks, d.temp_files, d.temp_bytes,
           t.index_scans, t.sequential_scans, t.dead,
           current_setting('max_connections')::int AS most,
           pg_is_in_recovery() AS replica,
           CASE WHEN NOT pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 END AS wal,
           CASE WHEN NOT pg_is_in_recovery() THEN (SELECT count(*) FROM pg_stat_replication) END AS replicas,
           CASE WHEN NOT pg_is_in_recovery() THEN
               (SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn))::float8 FROM pg_stat_replication)
           END AS behind,
           CASE WHEN NOT pg_is_in_recovery() THEN NULL
                WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
                ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END::float8 AS lag_s
    FROM pg_stat_database AS d,
         (SELECT coalesce(sum(idx_scan), 0)::float8 AS index_scans, coalesce(sum(seq_scan), 0)::float8
                 AS sequential_scans, coalesce(sum(n_dead_tup), 0)::float8 AS dead FROM pg_stat_user_tables) AS t
    WHERE d.datname = current_database()
"""
_SIZES: LiteralString = """
    SELECT /* resilience-resources */ pg_database_size(current_database())::float8 AS whole,
           coalesce(sum(pg_table_size(relid)), 0)::float8 AS tables,
           coalesce(sum(pg_indexes_size(relid)), 0)::float8 AS indexes
    FROM pg_stat_user_tables
"""
_TABLES: LiteralString = """
    SELECT /* resilience-resources */ schemaname || '.' || relname AS name, pg_table_size(relid)::float8 AS table_bytes,
           pg_indexes_size(relid)::float8 AS index_bytes, n_live_tup::float8 AS rows, n_dead_tup::float8 AS dead_rows,
           coalesce(seq_scan, 0)::float8 AS sequential_scans, coalesce(idx_scan, 0)::float8 AS index_scans
    FROM pg_stat_user_tables
"""
_STATEMENTS: LiteralString = """
    SELECT /* resilience-resources */ s.queryid::text AS name, left(s.query, 400) AS query, s.calls::float8 AS calls,
           s.total_exec_time::float8 AS total_ms, s.rows::float8 AS rows, s.shared_blks_hit::float8 AS blocks_hit,
           s.shared_blks_read::float8 AS blocks_read, s.temp_blks_written::float8 AS temp_blocks
    FROM pg_stat_statements AS s JOIN pg_database AS d ON d.oid = s.dbid
    WHERE d.datname = current_database() AND s.queryid IS NOT NULL
"""
_FIELDS: Mapping[str, str] = {
    "postgres.transactions.committed": "xact_commit",
    "postgres.transactions.rolled_back": "xact_rollback",
    "postgres.blocks.hit": "blks_hit",
    "postgres.blocks.read": "blks_read",
    "postgres.rows.returned": "tup_returned",
    "postgres.rows.fetched": "tup_fetched",
    "postgres.rows.written": "tup_written",
    "postgres.deadlocks": "deadlocks",
    "postgres.temp.files": "temp_files",
    "postgres.temp.written": "temp_bytes",
    "postgres.scans.index": "index_scans",
    "postgres.scans.sequential": "sequential_scans",
    "postgres.rows.dead": "dead",
    "postgres.wal": "wal",
    "postgres.replicas": "replicas",
    "postgres.replication.behind": "behind",
    "postgres.replication.lag": "lag_s",
}
_WAITS = ("lock", "lwlock", "io", "ipc", "client")


class Postgres:
    """Reads one server over one session, which is had again after it was lost.

    Args:
        place: the server.
        now_s: any clock that only goes forward.
    """

    collector = "postgres"

    def __init__(self, place: Place, now_s: Callable[[], float] = time.monotonic) -> None:
        self.of = place.name
        self._place, self._now_s = place, now_s
        self._session: psycopg.Connection[tuple[Any, ...]] | None = None
        self._epoch = ""
        self._sized_s = float("-inf")
        self._before: dict[str, dict[str, dict[str, Any]]] | None = None

    def read(self) -> Sequence[Reading]:
        """What it says now."""
        try:
            session = self._connected()
            with cut_off(session.fileno(), BOUND_S):
                return [*self._readings(session)]
        except FAILURES:
            self._drop()
            raise

    def close(self) -> Mapping[str, Json]:
        """Close the session; what its statements did, and how its tables grew, since it was first read."""
        kept: Mapping[str, Json] = {}
        with suppress(*FAILURES):
            if self._session is not None and self._before is not None:
                with cut_off(self._session.fileno(), BOUND_S):
                    kept = _grown(self._before, _lists(self._session))
        self._drop()
        return kept

    def _drop(self) -> None:
        if self._session is not None:
            with suppress(*FAILURES):
                self._session.close()
            self._session = None

    def _connected(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._session is None:
            self._session = to_postgres(self._place, NAME)
            if self._before is None:
                with cut_off(self._session.fileno(), BOUND_S):
                    self._before = _lists(self._session)
        return self._session

    def _readings(self, session: psycopg.Connection[tuple[Any, ...]]) -> Iterator[Reading]:
        with session.transaction(), session.cursor(row_factory=dict_row) as cursor:
            activity = cursor.execute(_ACTIVITY, {"slow": SLOW_S}).fetchall()
            state = cursor.execute(_STATE).fetchone()
            if state is None:
                raise ValueError("pg_stat_database does not have this database")
            now_s = self._now_s()
            sizes = None
            if now_s - self._sized_s >= SIZES_S:
                self._sized_s = now_s
                sizes = cursor.execute(_SIZES).fetchone()
        anew, self._epoch = self._epoch not in {"", state["epoch"]}, state["epoch"]
        yield from _sessions(self.of, activity, float(state["most"]))
        for name, field in _FIELDS.items():
            if state[field] is not None:
                yield reading(name, self.of, state[field], anew=anew)
        if sizes is not None:
            yield reading("postgres.size", self.of, sizes["whole"])
            yield reading("postgres.size.tables", self.of, sizes["tables"])
            yield reading("postgres.size.indexes", self.of, sizes["indexes"])


def _sessions(of: str, activity: Sequence[Mapping[str, Any]], most: float) -> Iterator[Reading]:
    """Sessions by state, and what active ones wait for."""

    def count(*states: str) -> float:
        return float(sum(row["count"] for row in activity if not states or row["state"] in states))

    yield reading("postgres.connections", of, count(), most)
    yield reading("postgres.connections.active", of, count("active"), most)
    yield reading("postgres.connections.idle", of, count("idle"), most)
    in_transaction = count("idle in transaction", "idle in transaction (aborted)")
    yield reading("postgres.connections.idle_in_transaction", of, in_transaction, most)
    waits = dict.fromkeys((*_WAITS, "other"), 0.0)
    for row in activity:
        kind = row["wait"].lower()
        if kind and row["state"] == "active":
            waits[kind if kind in waits else "other"] += row["count"]
    for kind, number in waits.items():
        yield reading(f"postgres.waits.{kind}", of, number)
    yield reading("postgres.queries.longest", of, max((row["query_s"] for row in activity), default=0.0))
    yield reading("postgres.queries.slow", of, sum(row["slow"] for row in activity))
    yield reading("postgres.transactions.oldest", of, max((row["transaction_s"] for row in activity), default=0.0))


def _lists(session: psycopg.Connection[tuple[Any, ...]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Tables, and statements where `pg_stat_statements` is there: by name."""
    with session.cursor(row_factory=dict_row) as cursor:
        found = {"tables": {row["name"]: row for row in cursor.execute(_TABLES).fetchall()}}
        try:
            found["statements"] = {row["name"]: row for row in cursor.execute(_STATEMENTS).fetchall()}
        except psycopg.Error as error:
            if session.closed:
                raise
            found["no_statements"] = {"why": {"message": str(error).splitlines()[0]}}
    return found


def _grown(
    before: Mapping[str, Mapping[str, Mapping[str, Any]]], after: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> dict[str, Json]:
    """What came between: the tables that grew the most, the statements that took the most time."""
    tables = _differences(before["tables"], after["tables"])
    for table in tables:
        now = after["tables"][table["name"]]
        table |= {"table_bytes_now": now["table_bytes"], "rows_now": now["rows"], "dead_rows_now": now["dead_rows"]}
    tables.sort(key=lambda row: (-(row["table_bytes"] + row["index_bytes"]), row["name"]))
    document: dict[str, Json] = {"tables": [dict(row) for row in tables[:TOP]]}
    if "statements" in before and "statements" in after:
        then, now = before["statements"], after["statements"]
        # What counts less than it did began anew in between, as after a crash of the server.
        kept = {name: row for name, row in then.items() if name in now and row["calls"] <= now[name]["calls"]}
        statements = [row for row in _differences(kept, now) if row["calls"] > 0]
        statements = [row for row in statements if NAME not in row["query"]]
        statements.sort(key=lambda row: (-row["total_ms"], row["name"]))
        for row in statements:
            row["mean_ms"] = row["total_ms"] / row["calls"]
        document["statements"] = [dict(row) for row in statements[:TOP]]
    else:
        why = after.get("no_statements") or before.get("no_statements") or {}
        document["no_statements"] = str(why.get("why", {}).get("message", ""))
    return document


def _differences(
    before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Numbers of each row less what they were; a row that was not there before began at 0."""
    found = []
    for name, row in after.items():
        old = before.get(name, {})
        found.append(
            {key: value - old.get(key, 0.0) if isinstance(value, float) else value for key, value in row.items()}
        )
    return found
