"""Faults of a link."""

from tests.faults.case import Case

CASES = {
    "toxiproxy.down": Case(),
    "toxiproxy.timeout": Case(),
    "toxiproxy.latency": Case(settings={"latency_ms": 200, "jitter_ms": 20}),
    "toxiproxy.reset": Case(),
    "toxiproxy.bandwidth": Case(settings={"rate_kb_per_s": 200}),
    "toxiproxy.slicer": Case(),
    "toxiproxy.slow-close": Case(settings={"delay_ms": 200, "stream": "both"}),
    "toxiproxy.limit-data": Case(settings={"bytes": 5000}),
}
