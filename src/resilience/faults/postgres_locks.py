"""Faults of PostgreSQL by locks: tables locked, statements that wait, deadlocks."""

import time
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql

from resilience.errors import FaultError
from resilience.faults.postgres_held import POLL_S, HeldFault, told_by
from resilience.faults.postgres_server import Server, Session, one, role_of, tables_of
from resilience.model import Json, Problem, Undo

SEEN_MS = 200
"""A statement that waited for this long, or for half of what it should, has waited."""

PROBES: Mapping[str, str] = {
    "everything": "LOCK TABLE {} IN ACCESS SHARE MODE",  # as a SELECT does
    "writes": "LOCK TABLE {} IN ROW EXCLUSIVE MODE",  # as an INSERT, UPDATE or DELETE does
    "rows": "SELECT FROM {} LIMIT 1 FOR UPDATE",
}
"""What is kept from others → a statement that is kept by it and changes nothing."""

_MUTUAL = """
    SELECT count(*) FROM pg_stat_activity AS a JOIN pg_stat_activity AS b
        ON a.pid = ANY (pg_blocking_pids(b.pid)) AND b.pid = ANY (pg_blocking_pids(a.pid))
    WHERE a.application_name = %s AND b.application_name = %s AND a.pid < b.pid
"""
_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


class LockFault(HeldFault):
    """What faults by locks have in common: tables, and a statement that has to wait."""

    def _tables(self, session: Session) -> list[Json]:
        """The tables, refused if they are locked already."""
        tables = tables_of(session, self._settings["tables"], role_of(session, self._settings["role"]))
        blocks = str(self._settings["blocks"])
        waits = [table for table in tables if _wait_ms(session, table, blocks, 100) is None]
        if waits:
            names = ", ".join(".".join(table) for table in waits)
            raise FaultError(Problem("tables", f"locked already by somebody else: {names}", "wait until they are free"))
        return [list(table) for table in tables]


class Locked(LockFault):
    """Tables, or some rows of them, are locked for the whole time: statements that need them wait.

    How it is undone: the process that has the locks is ended, and its session with it. What it needs: a superuser, and
    tables. When it fails: others do not let go of the tables for ten seconds.
    """

    kind = "postgres.locked"
    module = "locks"

    def _orders(self, session: Session) -> dict[str, Json]:
        blocks, rows = str(self._settings["blocks"]), int(self._settings["rows"])
        tables = self._tables(session)
        if blocks == "rows":
            tables = [table for table in tables if _has_rows(session, table)]
            if not tables:
                raise FaultError(Problem("tables", "none of them has a row that could be locked"))
        return {"tables": tables, "blocks": blocks, "rows": rows, "lock_ms": 0, "interval_ms": 0}

    def _look(self, server: Server, session: Session, undo: Undo) -> None:  # noqa: ARG002 - as declared
        told = told_by(undo)
        free = []
        for table in told["tables"]:
            waited = _wait_ms(session, table, told["blocks"], 1)
            free += [] if waited is None else [".".join(table)]
        if free:
            raise FaultError(Problem("postgres", f"not locked: {', '.join(free)}"))
        names = ", ".join(".".join(table) for table in told["tables"])
        self.proof = f"{names}: a statement that needs it gets no lock (SQLSTATE 55P03)"


class SlowQueries(LockFault):
    """Tables are locked for `lock_ms` every `interval_ms`: statements that need them wait for up to that long.

    How it is undone: the process that takes the locks is ended, and its session with it. What it needs: a superuser,
    and tables. When it fails: others do not let go of the tables.
    """

    kind = "postgres.slow-queries"
    module = "locks"

    def _orders(self, session: Session) -> dict[str, Json]:
        return {
            "tables": self._tables(session),
            "blocks": str(self._settings["blocks"]),
            "lock_ms": int(self._settings["lock_ms"]),
            "interval_ms": int(self._settings["interval_ms"]),
        }

    def _look(self, server: Server, session: Session, undo: Undo) -> None:  # noqa: ARG002 - as declared
        told = told_by(undo)
        enough_ms = min(SEEN_MS, told["lock_ms"] / 2)
        deadline = time.monotonic() + 2 * told["interval_ms"] / 1000
        table, waited = told["tables"][0], 0.0
        while time.monotonic() < deadline:
            # One that is given up has waited for as long, too.
            found = _wait_ms(session, table, told["blocks"], SEEN_MS)
            waited = SEEN_MS if found is None else found
            if waited >= enough_ms:
                self.proof = f"a statement on {'.'.join(table)} waited {waited:.0f} ms for its lock"
                return
            time.sleep(POLL_S / 4)
        raise FaultError(Problem("postgres", f"no statement on {'.'.join(table)} waited {enough_ms:g} ms"))


class Deadlocks(LockFault):
    """Deadlocks really happen, `rate_per_s` of them, on the service's tables: its statements wait, or are ended.

    As a rule the server ends a session of ours (SQLSTATE 40P01), as it looks for deadlocks after `wait_ms` there;
    statements of the service wait for as long. How it is undone: the process that has the two sessions is ended. What
    it needs: a superuser, and tables. When it fails: others do not let go of the tables.
    """

    kind = "postgres.deadlocks"
    module = "deadlocks"

    def _orders(self, session: Session) -> dict[str, Json]:
        return {
            "tables": self._tables(session),
            "blocks": str(self._settings["blocks"]),
            "wait_ms": int(self._settings["wait_ms"]),
            "rate_per_s": float(self._settings["rate_per_s"]),
        }

    def _look(self, server: Server, session: Session, undo: Undo) -> None:  # noqa: ARG002 - as declared
        told = told_by(undo)
        name = undo.data["name"]
        before, began = int(one(session, _DEADLOCKS)), time.monotonic()
        # The counter is told late (a session reports once a second): two sessions that wait for each other are proof.
        while time.monotonic() - began < 2 / told["rate_per_s"] + 1:
            now = int(one(session, _DEADLOCKS))
            if one(session, _MUTUAL, name, name):
                self.proof = f"two sessions wait for each other; {now} deadlocks counted in this database"
                return
            if now > before:
                self.proof = f"deadlocks counted in this database: {before}, then {now}"
                return
            time.sleep(POLL_S / 4)
        raise FaultError(Problem("postgres", f"no deadlock within {time.monotonic() - began:.1f} s, {before} before"))

    def _absent(self, server: Server, session: Session, undo: Undo) -> str:  # noqa: ARG002 - as declared
        return f"{one(session, _DEADLOCKS)} deadlocks were counted in this database"


def pulses(settings: Mapping[str, Json]) -> tuple[Problem, ...]:
    """A lock must be over before the next one is taken."""
    lock, interval = settings["lock_ms"], settings["interval_ms"]
    if isinstance(lock, int) and isinstance(interval, int) and lock >= interval:
        hint = "use postgres.locked for one that stays"
        return (Problem("lock_ms", f"{lock} is not less than interval_ms {interval}", hint),)
    return ()


def in_time(settings: Mapping[str, Json]) -> tuple[Problem, ...]:
    """A deadlock must be over before the next one."""
    rate, wait = settings["rate_per_s"], settings["wait_ms"]
    if isinstance(rate, int | float) and isinstance(wait, int | float) and rate * wait > 1000:  # noqa: PLR2004 - ms per s
        return (Problem("wait_ms", f"{wait} ms, {rate:g} times a second, is more than a second", "lower one of them"),)
    return ()


def _wait_ms(session: Session, table: list[str], blocks: str, bound_ms: int) -> float | None:
    """How long a harmless statement waits for its lock; None if it gave up after the bound."""
    began = time.monotonic()
    try:
        with session.transaction(force_rollback=True):
            session.execute(f"SET LOCAL lock_timeout = {int(bound_ms)}".encode())
            session.execute(sql.SQL(PROBES[blocks]).format(sql.Identifier(*table)))
    except psycopg.errors.LockNotAvailable:
        return None
    return (time.monotonic() - began) * 1000


def _has_rows(session: Session, table: Any) -> bool:  # noqa: ANN401 - schema and name
    statement = sql.SQL("SELECT 1 FROM {} LIMIT 1").format(sql.Identifier(*table))
    return session.execute(statement).fetchone() is not None
