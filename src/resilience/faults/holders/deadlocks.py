"""Makes deadlocks in PostgreSQL: two sessions, of which each waits for what the other has, until the server ends one.

The first has locks on tables of the service and waits for an advisory lock; the second has the advisory lock and waits
for the tables. So the service's statements wait, too, for as long as it takes the server to look for a deadlock; and a
transaction of the service that has one of the tables and wants another may be part of it.
"""

import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import sql

from resilience.faults import holder
from resilience.faults.holders.locks import QUEUE_MS, taking
from resilience.faults.postgres_server import Server, Session


def hold(told: Mapping[str, Any]) -> None:
    """A deadlock every so often, for ever."""
    server, name = Server.named(told), str(told["name"])
    lock = taking(told["tables"], str(told["blocks"]), 0)
    bounds = {
        "deadlock_timeout": int(told["wait_ms"]),
        "lock_timeout": int(told["wait_ms"]) + QUEUE_MS,
        "statement_timeout": int(told["wait_ms"]) + 2 * QUEUE_MS,
    }
    # From the name, so that no other pair has the same.
    advisory = sql.SQL("SELECT pg_advisory_xact_lock({})").format(int(name.rpartition("-")[2], 16))
    period_s = 1 / float(told["rate_per_s"])
    with (
        server.connect(name, bounds) as first,
        server.connect(name, bounds) as second,
        ThreadPoolExecutor(1) as other,
    ):
        due = time.monotonic()
        while True:
            for session, statement in ((first, lock), (second, advisory)):
                with suppress(psycopg.errors.LockNotAvailable):
                    session.execute(sql.SQL("BEGIN; {}").format(statement))
            waiting: Future[None] = other.submit(_wait, first, advisory)
            _wait(second, lock)
            waiting.result()
            due = max(due + period_s, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))


def _wait(session: Session, statement: sql.Composed) -> None:
    """Wait for what the other one has; whoever is not ended by the server lets go, too."""
    with suppress(psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled):
        session.execute(statement)
    session.execute("ROLLBACK")


if __name__ == "__main__":
    holder.main(hold)
