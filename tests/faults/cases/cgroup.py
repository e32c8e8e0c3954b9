"""Faults by control groups."""

import os
from collections.abc import Callable

from resilience.host import cgroups, processes
from tests.faults.case import Case


def without(controller: str) -> Callable[[], str]:
    """Why a process like this one cannot be limited here."""

    def missing() -> str:
        own = processes.identify(os.getpid())
        problem = cgroups.lacking(controller, own) if own else None
        return str(problem) if problem else ""

    return missing


CASES = {
    "cgroup.cpu": Case(on="service", settings={"percent": 20}, missing=without("cpu")),
    "cgroup.memory": Case(on="redis", settings={"limit_mb": 64}, missing=without("memory")),
    "cgroup.io": Case(on="postgres", settings={"write_kb_per_s": 512}, missing=without("io")),
    "cgroup.memory-leak": Case(on="service", settings={"mb_per_s": 40, "max_mb": 40}),
    "cgroup.pids": Case(on="postgres", settings={"headroom": 0}, missing=without("pids")),
}
