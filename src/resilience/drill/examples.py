"""Settings under which each kind of fault can be seen, on a part of the embedded stack: for drills and contracts."""

from collections.abc import Mapping
from typing import Any

from resilience.drill.matrix import Subject


def _on(part: str, kinds: Mapping[str, Mapping[str, Any]]) -> dict[str, Subject]:
    return {kind: Subject(kind=kind, on=part, settings=settings) for kind, settings in kinds.items()}


EXAMPLES: Mapping[str, Subject] = {
    **_on(
        "redis",
        {
            "process.kill": {},
            "process.pause": {},
            "toxiproxy.down": {},
            "toxiproxy.latency": {"latency_ms": 200, "jitter_ms": 20},
            "toxiproxy.reset": {},
            "toxiproxy.timeout": {},
        },
    ),
    **_on(
        "postgres",
        {
            "postgres.connection-limit": {"leave": 0},
            "postgres.deadlocks": {"rate_per_s": 4.0, "wait_ms": 100},
            "postgres.disk-full": {},
            "postgres.heavy-queries": {},
            "postgres.locked": {},
            "postgres.pool-exhaustion": {"leave": 0},
            "postgres.readonly": {},
            "postgres.slow-queries": {"lock_ms": 150, "interval_ms": 250},
            "postgres.terminate": {"interval_ms": 200},
        },
    ),
}
"""By kind; `tests/faults/test_contract.py` demands one for every kind that comes with this package."""
