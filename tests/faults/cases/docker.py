"""Faults of a container: tried on an engine of their own, in `test_docker.py`."""

from tests.faults.case import Case


def _missing() -> str:
    return "the embedded stack has processes and no containers; see test_docker.py"


CASES = {
    f"docker.{what}": Case(missing=_missing) for what in ("pause", "kill", "restart", "cpu", "memory", "disconnect")
}
