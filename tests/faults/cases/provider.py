"""Faults of a provider."""

from tests.faults.case import Case

CASES = {
    "provider.slow": Case(on="provider", settings={"latency_ms": 400, "jitter_ms": 50}),
    "provider.throttled": Case(on="provider", settings={"percent": 50}),
    "provider.failing": Case(on="provider"),
    "provider.stops": Case(on="provider"),
    "provider.nonsense": Case(on="provider"),
}
