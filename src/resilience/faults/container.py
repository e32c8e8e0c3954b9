"""What the faults of a container have in common, whatever is done to it by its Docker engine.

The effect is asked of the part itself where something is known to ask; else of the kernel, where the engine is on this
machine; else of the engine, and the proof says which.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from resilience.errors import FaultError
from resilience.faults import effects
from resilience.faults.effects import Look, Seen
from resilience.faults.engine import Container, Engine, NoContainer
from resilience.faults.kinds import Settings
from resilience.model import Json, Place, Problem, Undo

SILENCE_S = 0.3
NEEDS = {"container": "a container of a Docker engine"}


class ContainerFault(ABC):
    """What the faults of a container have in common.

    Args:
        settings: of the kind, complete; none to revert.
        place: the part; None to revert.
    """

    kind: ClassVar[str]

    def __init__(self, settings: Mapping[str, Json] | None = None, place: Place | None = None) -> None:
        """Nothing is looked at yet."""
        self._settings: Mapping[str, Any] = settings or {}
        self._place = place
        self.proof = ""

    def prepare(self) -> Undo:
        """Find the container, which must run, and note how it is."""
        place = self._place
        if place is None or not place.container:
            raise FaultError(Problem(self.kind, "needs a part that is a container"))
        names = Engine.here()
        now = Engine(names).container(place.container)
        if now.status != "running":
            raise FaultError(Problem(place.name, f"its container {place.container} is {now.status}, expected running"))
        common: dict[str, Json] = {
            "engine": names,
            "part": place.name,
            "id": now.id,
            "started": now.started,
            "direct": [place.host, place.port],
            "words": effects.serving(place).decode("latin-1"),
        }
        return Undo(kind=self.kind, data={**common, **self._note(now)})

    def active(self, undo: Undo, /) -> bool:
        """Whether the effect is there, as the part, the kernel or the engine says.

        Raises:
            FaultError: they do not agree.
        """
        data: Mapping[str, Any] = undo.data
        try:
            now = Engine(data["engine"]).container(data["id"])
        except NoContainer:
            self.proof = "the container is gone"
            return False
        there, self.proof = self._seen(data, now)
        return there

    def inject(self, undo: Undo, /) -> None:
        """Have the engine do it."""
        data: Mapping[str, Any] = undo.data
        self._do(Engine(data["engine"]), data)

    def revert(self, undo: Undo, /) -> None:
        """Have the engine put it back. What is gone is owed nothing."""
        data: Mapping[str, Any] = undo.data
        engine = Engine(data["engine"])
        try:
            now = engine.container(data["id"])
            self._put_back(engine, data, now)
        except NoContainer:
            return

    @abstractmethod
    def _note(self, now: Container) -> Mapping[str, Json]:
        """What must be put back, and what is to be done."""

    @abstractmethod
    def _do(self, engine: Engine, data: Mapping[str, Any]) -> None:
        """Change it."""

    @abstractmethod
    def _put_back(self, engine: Engine, data: Mapping[str, Any], now: Container) -> None:
        """Put it back, if it is as we made it."""

    @abstractmethod
    def _seen(self, data: Mapping[str, Any], now: Container) -> tuple[bool, str]:
        """Whether it is there, and what says so."""


def agree(data: Mapping[str, Any], now: Container, *, there: bool) -> tuple[bool, str]:
    """What the engine says, if the part itself says the same.

    Raises:
        FaultError: the two do not agree.
    """
    words = data["words"].encode("latin-1")
    networks = ", ".join(now.networks) or "none"
    said = f"the engine says {now.status}, on networks: {networks}"
    if not words:
        return there, f"{said}; nothing is known to ask it"
    host, port = data["direct"]
    look: Look = effects.ask((host, port), words, SILENCE_S if there else effects.PATIENCE_S)
    said = f"{said}; a connection was {look}"
    if there and look.seen is Seen.ANSWERED:
        raise FaultError(Problem(data["part"], f"it is to be cut off, and answers: {said}"))
    if not there and not effects.well(look, words):
        raise FaultError(Problem(data["part"], f"it is to be back, and does not serve: {said}"))
    return there, said


def preflight(settings: Settings, place: Place) -> tuple[Problem, ...]:  # noqa: ARG001 - as declared
    """Why the container of a part cannot be acted on from here; looks only."""
    return Engine(Engine.here()).problems(place.container)
