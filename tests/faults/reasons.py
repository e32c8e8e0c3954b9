"""Why this machine, or a stack of processes on it, cannot do a kind of fault: found out without asking the fault."""

import os
from collections.abc import Callable, Mapping

from resilience.faults import shaping
from resilience.host import cgroups, clocks, nftables, processes
from resilience.stack.postgres import may_mount

Reason = Callable[[], str]


def without(controller: str) -> Reason:
    """Why a process like this one cannot be limited here."""

    def reason() -> str:
        own = processes.identify(os.getpid())
        problem = cgroups.lacking(controller, own) if own else None
        return str(problem) if problem else ""

    return reason


def without_rights() -> str:
    """Why rules of the packet filter cannot be made here."""
    return str(nftables.lacking() or "")


def without_queue(kind: str) -> Reason:
    """Why packets cannot be kept waiting here."""
    return lambda: without_rights() or ("" if shaping.has_queue(kind) else f"this kernel has no queue {kind}")


def _no_disk_of_its_own() -> str:
    return "" if may_mount() else "only root may mount a small file system for the data folder"


def _no_library() -> str:
    return "" if clocks.faketime() else "libfaketime is not installed"


def _no_container() -> str:
    return "the embedded stack has processes and no containers; see test_docker.py"


def _no_cluster() -> str:
    return "the embedded stack is no cluster; see test_kubernetes.py"


REASONS: Mapping[str, Reason] = {
    "cgroup.io": without("io"),
    "cgroup.memory": without("memory"),
    "cgroup.pids": without("pids"),
    "network.bandwidth": without_queue("htb"),
    "network.delay": without_queue("netem"),
    "postgres.disk-full": _no_disk_of_its_own,
    "process.clock": _no_library,
    **{f"network.{what}": without_rights for what in ("dns", "duplicate", "loss", "partition", "reset")},
    **{f"docker.{what}": _no_container for what in ("pause", "kill", "restart", "cpu", "memory", "disconnect")},
    **{
        f"kubernetes.{what}": _no_cluster
        for what in ("scale", "cpu-limit", "network-policy", "cordon", "drain", "pod-delete")
    },
}
"""By kind; whatever is not named here can be done everywhere."""


def reason_of(kind: str) -> str:
    """Why a kind cannot be done here; empty if it can."""
    return REASONS[kind]() if kind in REASONS else ""
