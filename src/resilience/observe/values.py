"""Where an entry's id, body and position are in what a store holds: dotted paths into texts, fields and JSON."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from resilience.errors import RecordError
from resilience.model import Json, Problem

_LEAST, _MOST = -(2**63), 2**63 - 1


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the three are; see `model.RedisTruth` and `model.HttpTruth`. `where` is what problems are about."""

    where: str
    id: str
    body: str
    position: str

    def ours(self, values: Iterable[Json], prefix: str, step: int = 1) -> Iterator[tuple[str, str, int]]:
        """The entries among values: (id, body, position) of those whose id starts with the prefix.

        A body that is not there is empty. What says no position of its own has its place among ours: others that come
        and go do not move it.

        Args:
            values: texts, or what JSON can be.
            prefix: what the ids of a run start with.
            step: from one place to the next.

        Raises:
            RecordError: there is no position where one is said to be.
        """
        place = 0
        for value in values:
            entry_id = self.id_of(value)
            if entry_id.startswith(prefix):
                yield entry_id, self._text(value, self.body), self._position(value, place)
                place += step

    def id_of(self, value: Json) -> str:
        """The id of an entry; without a path of it, what its body begins with."""
        return self._text(value, self.id) if self.id else self._text(value, self.body).partition("|")[0]

    def named(self, entry_id: str, value: Json) -> tuple[str, str, int]:
        """The entry whose id is known without the value; its position is 0 if the value says none."""
        return entry_id, self._text(value, self.body), self._position(value, 0)

    def _text(self, value: Json, path: str) -> str:
        found = at(value, path)
        return found if isinstance(found, str) else "" if found is None else json.dumps(found)

    def _position(self, value: Json, place: int) -> int:
        if not self.position:
            return place
        found = at(value, self.position)
        if isinstance(found, str) and found.lstrip("-").isdecimal() and found.isascii():
            found = int(found)
        if not isinstance(found, int) or isinstance(found, bool) or not _LEAST <= found <= _MOST:
            message = f"an entry has {found!r:.60} at {self.position}; a whole number was expected"
            raise RecordError(Problem(self.where, message, "name the path of its position, or none"))
        return found


def at(value: Json, path: str) -> Json:
    """What a dotted path leads to; None where it leads nowhere. A text on the way is taken for JSON."""
    steps = path.split(".") if path else []
    while steps:
        if isinstance(value, Mapping) and ".".join(steps) in value:  # a name may have dots in it
            return value[".".join(steps)]
        step = steps.pop(0)
        if isinstance(value, str):
            value = _parsed(value)
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, Sequence) and not isinstance(value, str) and step.isdecimal() and len(step) < 10:  # noqa: PLR2004
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value


def _parsed(text: str) -> Json:
    try:
        found: Json = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found
