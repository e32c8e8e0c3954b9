"""Limits of a container, lowered by its Docker engine and set again: CPU time and memory."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from resilience.errors import FaultError
from resilience.faults.container import NEEDS, ContainerFault, preflight
from resilience.faults.engine import Container, Engine
from resilience.faults.kinds import Kind, Setting, kind_of
from resilience.model import Json, Problem


class Limit(ContainerFault):
    """What the kinds that lower a limit have in common."""

    def _note(self, now: Container) -> Mapping[str, Json]:
        before, ours = dict(now.limits), dict(self._wanted(now))
        return {"before": {name: before[name] for name in ours}, "ours": ours}

    def _do(self, engine: Engine, data: Mapping[str, Any]) -> None:
        engine.call("update", *self._words(data["ours"]), data["id"])

    def _put_back(self, engine: Engine, data: Mapping[str, Any], now: Container) -> None:
        has = {name: now.limits[name] for name in data["ours"]}
        if self._like(has, data["before"]):
            return
        if has != data["ours"]:
            message = (
                f"its limits are {has}, by somebody else: we set {data['ours']}, before us they were {data['before']}"
            )
            raise FaultError(Problem(data["part"], message, "put them right by `docker update`"))
        engine.call("update", *self._words(data["before"]), data["id"])

    def _seen(self, data: Mapping[str, Any], now: Container) -> tuple[bool, str]:
        has = {name: now.limits[name] for name in data["ours"]}
        there = has == data["ours"]
        kernel, expected = self._kernel(now), self._expected(data["ours"])
        if kernel and (kernel == expected) is not there:
            raise FaultError(Problem(data["part"], f"the engine says {has}, the kernel {kernel}, ours is {expected}"))
        return there, f"the kernel says {kernel}" if kernel else f"the engine says {has}; the kernel cannot be seen"

    @abstractmethod
    def _wanted(self, now: Container) -> Mapping[str, int]:
        """The limits to set, as the engine tells them."""

    @abstractmethod
    def _words(self, limits: Mapping[str, int]) -> tuple[str, ...]:
        """Options of `docker update`."""

    @abstractmethod
    def _kernel(self, now: Container) -> str:
        """What the kernel says; empty if it cannot be seen."""

    @abstractmethod
    def _expected(self, limits: Mapping[str, int]) -> str:
        """What the kernel says with these limits."""

    def _like(self, has: Mapping[str, int], before: Mapping[str, int]) -> bool:
        return has == before


class Cpu(Limit):
    """The container gets `cpus` of CPU time at most, as a quota per 100 ms.

    How it is undone: the limit it had is set again, or none. What it needs: a container with more than that. When it
    fails: somebody else changes the limit meanwhile.
    """

    kind = "docker.cpu"

    def _wanted(self, now: Container) -> Mapping[str, int]:
        cpus = float(self._settings["cpus"])
        has = now.limits["NanoCpus"] / 1e9 or max(0, now.limits["CpuQuota"]) / (now.limits["CpuPeriod"] or 100_000)
        if has and has <= cpus:
            raise FaultError(Problem("cpus", f"it is limited to {has:g} already, expected more than {cpus:g}"))
        # A limit in CPUs can be changed and never lifted again, a quota can; the engine takes no quota beside CPUs.
        if now.limits["NanoCpus"]:
            return {"NanoCpus": round(cpus * 1e9)}
        return {"CpuQuota": round(cpus * 100_000), "CpuPeriod": 100_000}

    def _words(self, limits: Mapping[str, int]) -> tuple[str, ...]:
        if "NanoCpus" in limits:
            return ("--cpus", f"{limits['NanoCpus'] / 1e9:.9f}")
        # 0 would mean "as it is".
        return ("--cpu-quota", str(limits["CpuQuota"] or -1), "--cpu-period", str(limits["CpuPeriod"] or 100_000))

    def _kernel(self, now: Container) -> str:
        told = now.kernel("cpu", "cpu.cfs_quota_us", "cpu.max").split()
        return told[0] if told else ""

    def _expected(self, limits: Mapping[str, int]) -> str:
        return str(limits["NanoCpus"] // 10_000 if "NanoCpus" in limits else limits["CpuQuota"])

    def _like(self, has: Mapping[str, int], before: Mapping[str, int]) -> bool:
        if "CpuQuota" in has and has["CpuQuota"] <= 0 and before["CpuQuota"] <= 0:
            return True  # 0 and -1 are both: none
        return has == before


class Memory(Limit):
    """The container gets `megabytes` of memory at most, and no swap; what needs more is killed by the kernel.

    How it is undone: the limit it had is set again. What it needs: a container with a limit, since Docker cannot lift
    one that it has set. When it fails: more is in use than the kernel can take back; somebody else changes it.
    """

    kind = "docker.memory"

    def _wanted(self, now: Container) -> Mapping[str, int]:
        wanted, has = int(self._settings["megabytes"]) << 20, now.limits["Memory"]
        if has <= wanted:
            message = f"it is limited to {has} bytes, expected more than {wanted}" if has else "it has no memory limit"
            raise FaultError(Problem("megabytes", message, "Docker cannot lift a limit again: start it with --memory"))
        return {"Memory": wanted, "MemorySwap": wanted}

    def _words(self, limits: Mapping[str, int]) -> tuple[str, ...]:
        return ("--memory", str(limits["Memory"]), "--memory-swap", str(limits["MemorySwap"]))

    def _kernel(self, now: Container) -> str:
        return now.kernel("memory", "memory.limit_in_bytes", "memory.max")

    def _expected(self, limits: Mapping[str, int]) -> str:
        return str(limits["Memory"])


KINDS: tuple[Kind, ...] = (
    kind_of(
        Cpu,
        "the CPU limit that the container of {on} had is set again",
        NEEDS,
        {"cpus": Setting(default=0.2, minimum=0.01, maximum=64, meaning="CPU time per time.")},
        preflight=preflight,
    ),
    kind_of(
        Memory,
        "the memory limit that the container of {on} had is set again",
        NEEDS,
        {
            "megabytes": Setting(
                default=64, minimum=6, maximum=1_000_000, meaning="Mebibytes, with no swap beyond them."
            )
        },
        preflight=preflight,
    ),
)
"""The kinds of this mechanism."""
