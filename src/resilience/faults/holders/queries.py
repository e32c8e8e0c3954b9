"""Keeps PostgreSQL busy: sessions that sort what does not fit in memory, one statement after another."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import sql

from resilience.faults import holder
from resilience.faults.postgres_server import Bounds, Server

LONGEST_MS = 10_000
"""No statement runs for longer; the next one begins then."""

ROW_BYTES = 60
"""About what a row of the sort takes on disk."""


def hold(told: Mapping[str, Any]) -> None:
    """So many sessions at it, for ever."""
    workers = int(told["workers"])
    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(_work, told) for _ in range(workers)]:
            done.result()


def _work(told: Mapping[str, Any]) -> None:
    spill_mb = int(told["spill_mb"])
    bounds: Bounds = {
        "statement_timeout": LONGEST_MS,
        "work_mem": "64kB",
        "temp_file_limit": f"{2 * spill_mb + 8}MB",
        "max_parallel_workers_per_gather": 0,  # so many as asked for, and no more
        # A vanished client is noticed while a statement runs.
        "client_connection_check_interval": 200,
    }
    rows = spill_mb * 2**20 // ROW_BYTES
    words = sql.SQL("SELECT md5(n::text) AS word FROM generate_series(1, {}) AS n ORDER BY word OFFSET 0").format(rows)
    statement = sql.SQL("SELECT count(*) FROM ({}) AS sorted").format(words)
    with Server.named(told).connect(str(told["name"]), bounds) as session:
        while True:
            with suppress(psycopg.errors.QueryCanceled, psycopg.errors.ConfigurationLimitExceeded):
                session.execute(statement)


if __name__ == "__main__":
    holder.main(hold)
