"""Faults in what is said to Redis and PostgreSQL."""

from tests.faults.case import Case

CASES = {
    "protocol.redis-error": Case(settings={"error": "READONLY"}),
    "protocol.postgres-error": Case(on="postgres", settings={"sqlstate": "40001"}),
    "protocol.delay": Case(on="postgres", settings={"delay_ms": 200}),
    "protocol.cut-after-commit": Case(on="postgres"),
    "protocol.swallow-answer": Case(),
}
