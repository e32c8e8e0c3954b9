"""Journeys written in Python: what a user's function is given, and how it is called.

    def visit(client: Visitor, most: int = 3) -> None:
        token = client.do("login").json("token")
        for _ in range(client.random.randint(1, most)):
            client.think(1.5)
            page = client.do("browse", go_on=True, token=token)
            if page.ok and page.json("stock") != "0":
                client.do("order", token=token)

A generator does the same by yielding: `answer = yield "login"`, `yield "browse", {"token": token}`, and a number for
seconds of thinking. Operations are those of the file, so each has its sample, its place in the ledger and its limits;
`${captured.NAME}` in them is what the function gives. The function must not wait by other means, catch everything, or
keep its client for later.
"""

import importlib
import json
import random
import sys
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from resilience.errors import LoadError
from resilience.load.captures import HEADER, JSON, taken
from resilience.load.classify import Happened, Reply
from resilience.model import Journey, JourneyFunction, Json, Outcome, Problem

if TYPE_CHECKING:
    from resilience.load.journeys import Walk

Function: TypeAlias = Callable[..., Any]
_SECOND = 1_000_000_000


class JourneyOver(BaseException):
    """The journey ends here; `reason` is where it was broken off, empty if the run is over."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an operation.

    Attributes:
        outcome: ok, failed or unknown, as its sample says.
        detail: why it was not ok.
    """

    outcome: Outcome
    detail: str
    _happened: Happened

    @property
    def ok(self) -> bool:
        """Whether it was a good answer, by what the file expects."""
        return self.outcome is Outcome.OK

    @property
    def status(self) -> int:
        """The status of a complete answer; 0 if there was none."""
        return self._happened.status if isinstance(self._happened, Reply) else 0

    def json(self, path: str) -> str | None:
        """The text at a dotted path of the answer's JSON; None if there is none."""
        return taken(self._happened, f"{JSON}{path}")

    def header(self, name: str) -> str | None:
        """The value of a header; None if there is none."""
        return taken(self._happened, f"{HEADER}{name}")

    def document(self) -> Json:
        """The whole of the answer's JSON; None if it is not JSON."""
        try:
            found: Json = json.loads(self._happened.body) if isinstance(self._happened, Reply) else None
        except (ValueError, RecursionError):
            return None
        return found


@dataclass(frozen=True, slots=True)
class Script:
    """What a function's journey may do: its declaration, the numbers of operations by name, and the plan's seed."""

    journey: Journey
    numbers: Mapping[str, int]
    seed: int


class Visitor:
    """The client of one journey.

    Attributes:
        key: that the journey's operations have as `${key}`.
        index: number of the arrival.
        random: seeded by the plan and the arrival, so that the same seed goes the same ways.
    """

    def __init__(self, walk: "Walk", script: Script) -> None:
        self._walk = walk
        self._script = script
        self._begun = False
        self.key = walk.arrival.key
        self.index = walk.arrival.index
        self.random = random.Random(f"{script.journey.name} {script.seed} {self.index}")  # noqa: S311 - no secret

    def do(self, operation: str, *, go_on: bool = False, **given: object) -> Answer:
        """Carry out an operation of the file, once.

        Args:
            operation: its name.
            go_on: return an answer that is not ok, rather than ending the journey here.
            given: `${captured.NAME}` for this and later operations; None gives nothing.

        Raises:
            ValueError: there is no such operation, it is not the declared first one, or a name was not declared.
        """
        function, numbers = self._script.journey.function, self._script.numbers
        assert function is not None  # noqa: S101 - for the type checker
        if operation not in numbers:
            raise ValueError(f"{operation!r} is no operation of the file")
        if not self._begun and operation != function.first:
            raise ValueError(f"the journey begins with {operation!r}; {function.first!r} was declared")
        if unknown := sorted(set(given) - set(function.gives)):
            raise ValueError(f"{unknown[0]!r} is not declared in gives")
        self._begun = True
        more = {name: str(value) for name, value in given.items() if value is not None}
        ended = self._walk.step(numbers[operation], {}, go_on=go_on, more=more)
        return Answer(ended.finding.outcome, ended.finding.detail, ended.happened)

    def think(self, seconds: float) -> None:
        """Let so many seconds pass before the next operation."""
        self._walk.think(int(max(seconds, 0.0) * _SECOND))


def function_of(declared: JourneyFunction, home: str) -> Function:
    """A user's function.

    Args:
        declared: module and name.
        home: the experiment's folder; modules are looked for there and in the project's folder.

    Raises:
        LoadError: it cannot be had.
    """
    folder = Path(home)
    project = next((each for each in (folder, *folder.parents) if (each / "pyproject.toml").exists()), folder)
    sys.path[:0] = [one for one in (str(folder), str(project)) if one not in sys.path]
    where = f"{declared.module}.{declared.name}"
    try:
        found = getattr(importlib.import_module(declared.module), declared.name)
    except Exception as error:
        raise LoadError(Problem(where, f"cannot be imported: {type(error).__name__}: {error}", "mend it")) from error
    if not callable(found):
        raise LoadError(Problem(where, "is no function", "name one that takes a client"))
    function: Function = found
    return function


def drive(function: Function, client: Visitor, journey: Journey) -> None:
    """Call a user's function to its end; of a generator, do what it yields.

    Raises:
        JourneyOver: it is broken off.
        Exception: whatever the function raises.
    """
    arguments = {} if journey.function is None else journey.function.arguments
    result = function(client, **arguments)
    if isinstance(result, Generator):
        try:
            wanted = next(result)
            while True:
                wanted = result.send(_done(client, wanted))
        except StopIteration:
            return


def _done(client: Visitor, wanted: Any) -> Answer | None:  # noqa: ANN401 - what a user's generator yields
    match wanted:
        case str():
            return client.do(wanted)
        case (str(operation), Mapping() as given):
            return client.do(operation, **given)
        case float() | int():
            client.think(wanted)
            return None
        case _:
            raise ValueError(f"{wanted!r} was yielded; an operation, (operation, names) or seconds were expected")
