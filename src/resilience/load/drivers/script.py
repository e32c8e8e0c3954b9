"""What the drivers have in common that run somebody's script: a process of ours beside the program, and preflight.

Everything that can be known before anything is touched is looked at in `launch`, which comes before the stack is
started: whether the program is there and which version it is, whether the script can be read, whether the variables
that it is to be given are set, and, where the program can say so, whether it lasts as long as the experiment.
"""

import json
import os
import shutil
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from resilience.errors import EnvironmentNotReady
from resilience.load.drivers.locust import READY_TIMEOUT_S, LocustHandle
from resilience.model import Json, Load, LoadOrder, Problem

PROCESS = "resilience.load.scripts.process"
WHERE = "load.script"


class ScriptDriver(ABC):
    """Runs a script of another program. See `ports.Driver`.

    Args:
        tag: stands in the environment of every process of it, by which the reaper finds and ends them.
        load: with the script.
        folder: of the experiment; the script's path is relative to it.
        needed_s: from the run's zero to the end of the last phase, as planned; 0 if that is not known.
        ready_timeout_s: how long our process may take for its imports, and again to get ready for its order.
    """

    name: ClassVar[str]

    def __init__(
        self, tag: str, load: Load, folder: Path, needed_s: float = 0.0, ready_timeout_s: float = READY_TIMEOUT_S
    ) -> None:
        """Nothing is looked at yet."""
        self._tag = tag
        self._load = load
        self._script = (folder / load.script).resolve()
        self._needed_s = needed_s
        self._ready_timeout_s = ready_timeout_s
        self._handle: ScriptHandle | None = None

    @abstractmethod
    def look(self) -> tuple[str, Mapping[str, Json], tuple[Problem, ...]]:
        """Look at program and script, touch nothing: the program's path, what its process must know, problems."""

    def lacking(self) -> tuple[Problem, ...]:
        """What keeps the script from being run here; empty if nothing does. Touches nothing."""
        if not self._script.is_file() or not os.access(self._script, os.R_OK):
            return (Problem(WHERE, f"{self._script} cannot be read", "the path is relative to the experiment's file"),)
        unset = [source for source in self._load.environment.values() if source not in os.environ]
        hint = "set them, or remove them from load.environment"
        problems = [Problem("load.environment", f"{name} is not set in the environment", hint) for name in unset]
        return (*problems, *(() if unset else self.look()[2]))

    def launch(self) -> None:
        """Look, then start our process and do not wait for it. Idempotent.

        Raises:
            EnvironmentNotReady: the script cannot be run here; every reason.
            LoadError: our process cannot be started.
        """
        if self._handle is not None:
            return
        if problems := self.lacking():
            raise EnvironmentNotReady(problems)
        program, more, _ = self.look()
        self._handle = ScriptHandle(self._tag, [PROCESS, self.name, program, str(self._script), json.dumps(more)])

    def prepare(self) -> None:
        """Return when our process waits for its order. Idempotent.

        Raises:
            LoadError: it does not in time, and why. No process is left.
        """
        self._launched().wait_idle(self._ready_timeout_s)

    def start(self, order: LoadOrder) -> "ScriptHandle":
        """Give the order, and return once our process waits for the run's zero, at which it starts the program.

        Raises:
            LoadError: the order is wrong, or it was not ready in time. Nothing was sent and no process is left.
        """
        handle = self._launched()
        handle.wait_idle(self._ready_timeout_s)
        handle.begin(order, self._ready_timeout_s)
        return handle

    def close(self) -> None:
        """End everything at once. Idempotent."""
        if self._handle is not None:
            self._handle.abort()

    def _launched(self) -> "ScriptHandle":
        self.launch()
        assert self._handle is not None  # noqa: S101 - for the type checker
        return self._handle


class ScriptHandle(LocustHandle):
    """Our process and the program that it started, which end together: they are one process group. See `LoadHandle`."""

    def __init__(self, tag: str, words: list[str]) -> None:
        """Start it."""
        super().__init__(tag, words=words)

    def abort(self) -> None:
        """End both at once, without an account. Samples stay unsealed. Idempotent."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        super().abort()


def find_program(variable: str, *names: str, beside: tuple[Path, ...] = ()) -> str:
    """A program: the one that a variable names, or in one of some folders, or beside this Python, or on the path.

    Returns:
        Its path; empty if it is nowhere.
    """
    if given := os.environ.get(variable, ""):
        return given if Path(given).is_file() and os.access(given, os.X_OK) else ""
    for name in names:
        for folder in (*beside, Path(sys.executable).parent):
            if os.access(folder / name, os.X_OK):
                return str(folder / name)
        if found := shutil.which(name):
            return found
    return ""
