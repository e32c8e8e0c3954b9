"""The outward contract of `verdict.json`, letter for letter, and comparing a document with it."""

from typing import Any

VERDICT: dict[str, Any] = {
    "answer": "pass",
    "because": "…",
    "experiment": "…",
    "target": "…",
    "stack": "embedded",
    "seed": 1,
    "phases": [
        {
            "name": "baseline",
            "start_s": 0.0,
            "end_s": 15.0,
            "operations": {
                "all": {
                    "count": 0,
                    "ok": 0,
                    "failed": 0,
                    "unknown": 0,
                    "dropped": 0,
                    "rps": 0.0,
                    "error_rate": 0.0,
                    "p50_ms": 0.0,
                    "p95_ms": 0.0,
                    "p99_ms": 0.0,
                    "max_ms": 0.0,
                }
            },
        }
    ],
    "faults": [{"kind": "…", "name": "…", "requested_s": 0.0, "confirmed_s": 0.0, "reverted_s": 0.0, "clear_s": 0.0}],
    "recovery": {
        "mttr_s": 0.0,
        "mttr_low_s": 0.0,
        "mttr_high_s": 0.0,
        "limit_s": 300.0,
        "cycles": [{"degraded_s": None, "detected_s": None, "recovered_s": None, "resolution_s": 0.01}],
    },
    "writes": {
        "attempted": 0,
        "acknowledged": 0,
        "rejected": 0,
        "indeterminate": 0,
        "verified": 0,
        "lost": 0,
        "duplicated": 0,
        "phantom": 0,
        "corrupted": 0,
        "stale": 0,
        "out_of_order": 0,
        "recovered": 0,
    },
    "objectives": [{"phase": "fault", "operation": "…", "expression": "p(95)<500", "value": 0.0, "answer": "pass"}],
    "parts": [{"name": "…", "answer": "pass", "because": "…", "evidence": []}],
}

MAY_BE_NULL = ("_s", "_ms", "value", "error_rate")
"""Endings of keys that are null where something did not happen or there was nothing to measure.

So are the figures of writes where the truth could not be read: 0 lost would be a claim.
"""


def differences(document: object, contract: object, path: str = "") -> list[str]:
    """Where a document does not keep the contract: a key that is missing, a value of another type. More keys may be."""
    if isinstance(contract, dict):
        if not isinstance(document, dict):
            return [f"{path}: {document!r} is no object"]
        missing = [f"{path}.{key} is missing" for key in contract if key not in document]
        found = [key for key in contract if key in document]
        return missing + [one for key in found for one in differences(document[key], contract[key], f"{path}.{key}")]
    if isinstance(contract, list):
        if not isinstance(document, list):
            return [f"{path}: {document!r} is no list"]
        each = contract[0] if contract else None
        return [
            one
            for index, item in enumerate(document)
            if each is not None
            for one in differences(item, each, f"{path}[{index}]")
        ]
    return [] if _fits(document, contract, path) else [f"{path}: {document!r}, expected something like {contract!r}"]


def _fits(value: object, example: object, path: str) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is None:
        return path.endswith(MAY_BE_NULL) or path.startswith(".writes.")
    if isinstance(example, str):
        return isinstance(value, str) and (example != "pass" or value in {"pass", "unknown", "fail"})
    if isinstance(example, float) or example is None:
        return number
    return isinstance(value, int) and number
