"""The parts of a stack as they are started: each written down at once, so that another process finds what runs."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec

from resilience.codec import encode
from resilience.errors import EnvironmentNotReady
from resilience.host import files, processes
from resilience.model import Place, Problem
from resilience.stack import health
from resilience.stack.settle import STATE

P = ParamSpec("P")


class Roster:
    """Who is there, and what went wrong so far.

    Args:
        folder: the stack's; the state file is in it.
        tag, bugs: as the stack was ordered; written in the state file.
    """

    def __init__(self, folder: Path, *, tag: str, bugs: str) -> None:
        self.places: dict[str, Place] = {}
        self.problems: list[Problem] = []
        self._file = folder / STATE
        self._head = {"tag": tag, "bugs": bugs, "started": datetime.now(UTC).isoformat(timespec="milliseconds")}

    def attempt(self, step: Callable[P, object], *told: P.args, **named: P.kwargs) -> None:
        """Do a step; what is wrong is kept, so that all problems are shown and not the first."""
        try:
            step(*told, **named)
        except EnvironmentNotReady as error:
            self.problems += error.problems

    def begin(self, place: Place) -> None:
        """Start a part and write it down.

        Raises:
            EnvironmentNotReady: it cannot be started.
        """
        if place.launch is None:
            raise ValueError(place)
        try:
            identity = processes.start(place.launch)
        except EnvironmentNotReady as error:
            # The log goes away with the folder: what matters of it must be in the message.
            message = f"{str(error).removeprefix(f'{place.name}: ')}; {health.last_lines(place.launch.log)}"
            raise EnvironmentNotReady(Problem(where=place.name, message=message)) from error
        self.note(replace(place, identity=identity))

    def note(self, place: Place) -> None:
        """Write a part down."""
        self.places[place.name] = replace(place, state=str(self._file))
        places = {name: encode(place) for name, place in self.places.items()}
        files.write_json(self._file, {**self._head, "places": places})

    def wait(self, name: str, check: health.Check, timeout_s: float) -> None:
        """Wait until a part can serve; what is wrong is kept."""
        place = self.places[name]
        if place.launch is not None and place.identity is not None:
            problem = health.await_healthy(place.launch, place.identity, check, timeout_s)
            self.problems += [problem] if problem else []

    def refuse(self) -> None:
        """Go no further if anything is wrong.

        Raises:
            EnvironmentNotReady: with everything that is.
        """
        if self.problems:
            raise EnvironmentNotReady(self.problems)
