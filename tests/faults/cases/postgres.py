"""Faults of PostgreSQL."""

from resilience.stack.postgres import may_mount
from tests.faults.case import Case


def no_small_disk() -> str:
    return "" if may_mount() else "only root may mount a small file system for the data folder"


CASES = {
    "postgres.pool-exhaustion": Case(on="postgres", settings={"leave": 0}),
    "postgres.connection-limit": Case(on="postgres", settings={"leave": 0}),
    "postgres.slow-queries": Case(on="postgres", settings={"lock_ms": 150, "interval_ms": 250}),
    "postgres.locked": Case(on="postgres"),
    "postgres.deadlocks": Case(on="postgres", settings={"rate_per_s": 4.0, "wait_ms": 100}),
    "postgres.readonly": Case(on="postgres"),
    "postgres.terminate": Case(on="postgres", settings={"interval_ms": 200}),
    "postgres.disk-full": Case(on="postgres", missing=no_small_disk),
    "postgres.heavy-queries": Case(on="postgres"),
    "postgres.kill-connections": Case(on="postgres"),
}
