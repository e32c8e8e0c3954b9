"""Holds locks on tables in PostgreSQL: all the time, or for a while again and again.

It never queues for long: who waits for a strong lock makes all others wait behind him, and could be in a deadlock.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import sql

from resilience.faults import holder
from resilience.faults.postgres_server import Server, Session, listed

QUEUE_MS = 500
"""Shorter than the time after which the server looks for deadlocks, 1 s unless it was changed."""

TICK_S = 0.02

MODES: Mapping[str, str] = {"everything": "ACCESS EXCLUSIVE", "writes": "SHARE ROW EXCLUSIVE"}
"""What a lock keeps others from → its mode."""


def taking(tables: list[list[str]], blocks: str, rows: int) -> sql.Composed:
    """The statements that take the locks inside a transaction."""
    if blocks == "rows":
        each = (
            sql.SQL("SELECT FROM (SELECT FROM {} LIMIT {} FOR UPDATE) AS locked").format(sql.Identifier(*table), rows)
            for table in tables
        )
        return sql.SQL("; ").join(each)
    return sql.SQL("LOCK TABLE {} IN {} MODE").format(listed(tables), sql.SQL(MODES[blocks]))


def hold(told: Mapping[str, Any]) -> None:
    """Lock as told, for ever."""
    server, name = Server.named(told), str(told["name"])
    lock = taking(told["tables"], str(told["blocks"]), int(told.get("rows", 0)))
    lease_ms = round(float(told["lease_s"]) * 1000)
    lock_ms, interval_ms = int(told["lock_ms"]), int(told["interval_ms"])
    # All in one message: the server lets go by itself, whatever becomes of us in the middle.
    pulse = sql.SQL("BEGIN; {}; SELECT pg_sleep({}); COMMIT").format(lock, lock_ms / 1000)
    # Sessions that end idle transactions end the lock if we are stopped and never come back.
    bounds = {"lock_timeout": QUEUE_MS, "statement_timeout": lock_ms + 2 * QUEUE_MS}
    with server.connect(name, {**bounds, "idle_in_transaction_session_timeout": lease_ms}) as session:
        while True:
            began = time.monotonic()
            if not interval_ms:
                if _taken(session, sql.SQL("BEGIN; {}").format(lock)):
                    time.sleep(lease_ms / 1000)
            else:
                _taken(session, pulse)
            time.sleep(max(TICK_S, began + interval_ms / 1000 - time.monotonic()))


def _taken(session: Session, statements: sql.Composed) -> bool:
    """Whether the locks were had; if others did not let go in time, there will be another time."""
    with suppress(psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled, psycopg.errors.DeadlockDetected):
        session.execute(statements)
        return True
    session.execute("ROLLBACK")
    return False


if __name__ == "__main__":
    holder.main(hold)
