"""Faults of a workload in a cluster: tried against an API in memory, in `test_kubernetes.py`."""

from tests.faults.case import Case


def _missing() -> str:
    return "the embedded stack is no cluster; see test_kubernetes.py"


CASES = {
    f"kubernetes.{what}": Case(missing=_missing)
    for what in ("scale", "cpu-limit", "network-policy", "cordon", "pod-delete")
}
