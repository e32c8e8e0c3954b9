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
            "cgroup.cpu": {"percent": 20},
            "cgroup.io": {"write_kb_per_s": 512},
            "cgroup.memory": {"limit_mb": 64},
            "cgroup.memory-leak": {"mb_per_s": 40, "max_mb": 40},
            "docker.cpu": {},
            "docker.disconnect": {},
            "docker.kill": {},
            "docker.memory": {},
            "docker.pause": {},
            "docker.restart": {},
            "kubernetes.cordon": {},
            "kubernetes.cpu-limit": {},
            "kubernetes.drain": {},
            "kubernetes.network-policy": {},
            "kubernetes.pod-delete": {},
            "kubernetes.scale": {},
            "network.bandwidth": {"kbit_per_s": 200},
            "network.delay": {"delay_ms": 600, "direction": "to"},
            # No server needs to be there: what is measured is that nothing of a question gets through.
            "network.dns": {"resolvers": "127.0.0.1,::1", "port": 5399},
            "network.duplicate": {"percent": 50.0},
            "network.loss": {"percent": 60.0},
            "network.partition": {},
            "network.reset": {},
            "process.kill": {},
            "process.pause": {},
            "process.restart": {},
            "process.stop": {},
            "protocol.redis-error": {"error": "READONLY"},
            "protocol.swallow-answer": {},
            "redis.eviction": {},
            "redis.flush": {},
            "redis.hung": {},
            "redis.kill-connections": {},
            "redis.max-clients": {},
            "redis.misses": {"interval_ms": 20},
            "redis.out-of-memory": {},
            "redis.readonly": {},
            "redis.slow": {},
            "toxiproxy.bandwidth": {"rate_kb_per_s": 200},
            "toxiproxy.down": {},
            "toxiproxy.latency": {"latency_ms": 200, "jitter_ms": 20},
            "toxiproxy.limit-data": {"bytes": 5000},
            "toxiproxy.reset": {},
            "toxiproxy.slow-close": {"delay_ms": 200, "stream": "both"},
            "toxiproxy.timeout": {},
        },
    ),
    **_on(
        "postgres",
        {
            "cgroup.pids": {"headroom": 0},
            "postgres.connection-limit": {"leave": 0},
            "postgres.deadlocks": {"rate_per_s": 4.0, "wait_ms": 100},
            "postgres.disk-full": {},
            "postgres.heavy-queries": {},
            "postgres.kill-connections": {},
            "postgres.locked": {},
            "postgres.pool-exhaustion": {"leave": 0},
            "postgres.readonly": {},
            "postgres.slow-queries": {"lock_ms": 150, "interval_ms": 250},
            "postgres.terminate": {"interval_ms": 200},
            "protocol.cut-after-commit": {},
            "protocol.delay": {"delay_ms": 200},
            "protocol.postgres-error": {"sqlstate": "40001"},
            "toxiproxy.slicer": {},
        },
    ),
    **_on("postgres-replica", {"postgres.replay-paused": {}}),
    **_on(
        "provider",
        {
            "process.clock": {"ahead_s": 300},
            "provider.failing": {},
            "provider.nonsense": {},
            "provider.slow": {"latency_ms": 400, "jitter_ms": 50},
            "provider.stops": {},
            "provider.throttled": {"percent": 50},
        },
    ),
}
"""By kind; `tests/faults/test_contract.py` demands one for every kind that comes with this package."""

VARIANTS: tuple[Subject, ...] = (
    Subject(kind="cgroup.cpu", on="redis", settings={"percent": 20, "mechanism": "signals"}),
)
"""Kinds that are done by other means than the example's, where what must be given back is another thing."""
