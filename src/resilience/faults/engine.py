"""A Docker engine, by its command line: argument lists with a time limit, and what the kernel says about a container.

The command line and not a library: it is there wherever an engine is, and it alone knows contexts, TLS and SSH. Which
engine is meant goes into the undo, so that another process asks the same one.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resilience.errors import EnvironmentNotReady, FaultError
from resilience.host import commands
from resilience.model import Problem

LIMIT_S = 5.0
"""No command takes longer on a healthy engine, but for stopping a container."""
_NAMES = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "HOME")
"""What tells the command line which engine to ask: addresses and paths, no secrets."""


class NoContainer(FaultError):  # noqa: N818 - it names a state, as in `errors`
    """The engine has no such container (or network) any more."""


@dataclass(frozen=True, slots=True)
class Container:
    """A container as the engine tells it now.

    Attributes:
        id: never used again for another one.
        started: when it was started last; another value is another life of it.
        status: `running`, `paused`, `exited`, …
        pid: of its first process, 0 if it does not run; only on the engine's own machine does it mean anything.
        limits: `NanoCpus`, `CpuQuota`, `CpuPeriod`, `Memory`, `MemorySwap`.
        networks: by name, as the engine has them.
    """

    id: str
    started: str
    status: str
    pid: int
    limits: Mapping[str, int]
    networks: Mapping[str, Mapping[str, Any]]

    @property
    def runs(self) -> bool:
        """Whether it has processes, paused or not."""
        return self.status in {"running", "paused"}

    def kernel(self, controller: str, old: str, new: str) -> str:
        """What the kernel says in a file of its control group; empty if it cannot be seen from here.

        Args:
            controller: of the first version: `cpu`.
            old: name of the file there.
            new: name of the file in the second version.
        """
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self.pid}/cgroup").read_text().splitlines():
                number, names, path = line.split(":", 2)
                if self.id not in path:
                    continue  # another process of that number, or the engine is elsewhere
                root = Path("/sys/fs/cgroup")
                file = root / path.lstrip("/") / new if number == "0" else root / names / path.lstrip("/") / old
                if (number == "0" or controller in names.split(",")) and file.exists():
                    return file.read_text().strip()
        return ""


class Engine:
    """A Docker engine.

    Args:
        names: from `here`, perhaps by way of an undo.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        """Nothing is asked yet."""
        kept = {name: value for name, value in os.environ.items() if name not in _NAMES}
        self._environment = {**kept, **names}

    @staticmethod
    def here() -> dict[str, str]:
        """Which engine this process means."""
        return {name: os.environ[name] for name in _NAMES if os.environ.get(name)}

    def call(self, *words: str, limit_s: float = LIMIT_S) -> str:
        """Run `docker …` and return what it wrote.

        Raises:
            NoContainer: there is no such container or network.
            FaultError: it refuses, cannot be reached, or takes too long.
        """
        try:
            done = commands.run(["docker", *words], timeout_s=limit_s, environment=self._environment)
        except EnvironmentNotReady as error:
            raise FaultError(Problem("docker", str(error), "is the engine well?")) from error
        said = " ".join(done.err.split())[-300:]
        if done.code != 0:
            where = f"docker {words[0]}"
            if (
                "no such container" in said.lower()
                or "no such object" in said.lower()
                or "is not found" in said.lower()
            ):
                raise NoContainer(Problem(where, said, "list what there is with `docker ps --all`"))
            raise FaultError(Problem(where, f"ended with {done.code}: {said}"))
        return done.out.strip()

    def container(self, name: str) -> Container:
        """A container as it is now, by name or id."""
        told: Mapping[str, Any] = json.loads(self.call("container", "inspect", name))[0]
        host = told["HostConfig"]
        return Container(
            id=told["Id"],
            started=told["State"]["StartedAt"],
            status=told["State"]["Status"],
            pid=told["State"]["Pid"],
            limits={
                limit: int(host.get(limit) or 0)
                for limit in ("NanoCpus", "CpuQuota", "CpuPeriod", "Memory", "MemorySwap")
            },
            networks=told["NetworkSettings"]["Networks"] or {},
        )

    def problems(self, name: str) -> tuple[Problem, ...]:
        """Why a container cannot be acted on from here; nothing is changed."""
        if shutil.which("docker", path=self._environment.get("PATH")) is None:
            return (Problem("docker", "the program docker is not there", "install Docker's command line"),)
        try:
            self.container(name)
        except FaultError as error:
            return error.problems
        return ()
