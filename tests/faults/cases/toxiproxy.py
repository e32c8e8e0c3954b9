"""Faults of a link."""

from tests.faults.case import Case

CASES = {
    "toxiproxy.down": Case(),
    "toxiproxy.timeout": Case(),
    "toxiproxy.latency": Case(settings={"latency_ms": 200, "jitter_ms": 20}),
    "toxiproxy.reset": Case(),
}
