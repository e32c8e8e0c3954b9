"""Faults of a Redis server."""

from tests.faults.case import Case

CASES = {
    "redis.hung": Case(),
    "redis.readonly": Case(),
    "redis.out-of-memory": Case(),
    "redis.eviction": Case(),
    "redis.max-clients": Case(),
    "redis.slow": Case(),
    "redis.misses": Case(settings={"interval_ms": 20}),
    "redis.flush": Case(),
    "redis.kill-connections": Case(),
}
