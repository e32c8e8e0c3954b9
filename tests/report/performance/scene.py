"""Runs for the pages about performance, in a few words."""

from resilience.report.performance.inputs import Taken

HEADER = {
    "wall_clock": "2026-01-02T03:04:05.678+00:00",
    "versions": {"resilience": "0.1.0", "postgres": "15.18, PATH"},
    "machine": {"cores": 2, "memory_gib": 24, "processor": "Secret 9000", "system": "Linux x86_64"},
}


def figures(count, ok, p95):
    """Of an operation."""
    shares = {"error_rate": (count - ok) / count, "in_flight_mean": 1.5}
    return {"count": count, "ok": ok, "p50_ms": p95 / 2, "p95_ms": p95, "p99_ms": p95 * 2, "max_ms": p95 * 3, **shares}


def document(name="normal", run="aaaa1111", ok=900, p95=80.0, **more):
    """A verdict of a run with a baseline of 10 s and 20 s of load."""
    return {
        "answer": "pass",
        "because": "all is well",
        "experiment": name,
        "title": f"The title of {name} (short variant: 0.05 of its length)",
        "run": run,
        "seed": 7,
        "duration_s": 34.0,
        "phases": [
            {"name": "warm-up", "fault": "", "start_s": 0.0, "end_s": 2.0, "operations": {"all": figures(5, 5, 999.0)}},
            {
                "name": "baseline",
                "fault": "",
                "start_s": 2.0,
                "end_s": 12.0,
                "operations": {"all": figures(100, 100, 10.0)},
            },
            {
                "name": "after",
                "fault": "",
                "start_s": 12.0,
                "end_s": 32.0,
                "operations": {
                    "all": figures(1000, ok, p95),
                    "list": figures(700, 650, p95),
                    "read": figures(300, 300, 9.0),
                },
            },
        ],
        "resources": {
            "series": [
                series("process.cpu", "service", "cores", 2.0, 1.5, 0.9),
                series("postgres.connections", "postgres", "count", 100.0, 42.0, 0.42),
                series("redis.keys", "redis", "count", None, 12.0, None),
            ]
        },
        "bottlenecks": {"answer": "not-saturated", "because": "full service throughout", "windows": []},
        **more,
    }


def series(name, of, unit, limit, value, share):
    """A resource, read in the loaded phase."""
    phase = {"phase": "after", "count": 20, "mean": value, "min": value / 2, "max": value, "share": share}
    return {"name": name, "of": of, "unit": unit, "limit": limit, "phases": [phase]}


def taken(*args, header=HEADER, capacity=None, environment=None, **more):
    """A run."""
    experiment = {"stack": {"service": {"environment": environment or {}}}}
    return Taken(document(*args, **more), header, capacity or {}, experiment)


SEARCH = {
    "over": "rate",
    "unit": "/s",
    "objectives": ["p(95)<250"],
    "conditions": [
        {
            "condition": "healthy",
            "kind": "found",
            "holds": 150.0,
            "breaks": 157.5,
            "objective": "p(95)<250 was 312",
            "confirmed": True,
            "came_back": True,
            "back_at": 135.0,
            "metastable": False,
            "cost_s": 75.0,
            "steps": [{}, {}, {}],
        },
        {"condition": "database-far", "holds": 60.0, "breaks": None, "metastable": True, "steps": []},
    ],
}

CAPACITY = {
    "answer": "pass",
    "because": "2 bear the demand",
    "scaling": [{"copies": 2, "value": 0.95, "low": 0.91, "high": 0.99, "linear": True}],
    "plan": {
        "demand_per_s": 60.0,
        "headroom": 0.5,
        "needed_per_s": 90.0,
        "copies": 2,
        "capacity_per_s": 180.0,
        "utilisation": 1 / 3,
        "currency": "EUR",
        "cost_hour": 0.19,
        "cost_per_million_at_demand": 0.8796,
    },
    "runs": [
        {
            "experiment": "capacity",
            "run": "cccc0001",
            "capacity": {
                "copies": 1,
                "best": {"users": 20, "rps": 80.0, "error": 2.0, "p95_ms": 281.0},
                "levels": [{"users": 4, "rps": 95.0, "p95_ms": 52.0, "in_flight": 4.02, "seen": "holds"}],
                "law": {
                    "sigma": {"value": 0.02, "low": 0.01, "high": 0.03},
                    "kappa": {"value": 0.001, "low": 0.0, "high": 0.002},
                    "fits": True,
                    "peak": None,
                    "measured_to": 30.0,
                },
            },
            "bottlenecks": {
                "answer": "found",
                "because": "the pool was full",
                "windows": [{"ranked": [{"recommendation": "give it more connections"}]}],
            },
        }
    ],
}


def row(page, first):
    """The cells of the row of a page's tables that begins so."""
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {first} ")]
    return [cell.strip() for cell in line.strip("|").split(" | ")]
