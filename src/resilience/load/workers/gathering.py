"""Slices and accounts of several workers as those of one generator. Pure arithmetic.

Counts add up. A length or a share of one worker stands for all by the largest: quantiles of all together are never
beyond the largest of the workers' own.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from resilience.model import Json

SLICE_S = 0.25
LATE_S = 1.0
"""A worker whose slice is missing for longer is not waited for; what comes later is in a later slice."""

COUNT, STATE, LARGEST, FIRST, LAST = "count", "state", "largest", "first", "last"
FIELDS = {
    "start_s": FIRST,
    "end_s": LAST,
    "counts": COUNT,
    "histogram": COUNT,
    "offered": COUNT,
    "in_flight": STATE,
    "degraded": COUNT,
    "lag_p99_s": LARGEST,
    "attempted": STATE,
    "acknowledged": STATE,
    "unsettled": STATE,
    "backlog": STATE,
    "cpu_share": LARGEST,
    "notes": COUNT,
}
"""How each field of `model.Slice` is put together: what happened in the slice adds up over workers and time, texts
follow one another (COUNT); what is the case at its end (STATE) adds up over workers,
and of one worker the latest counts."""

SUMMED = frozenset({"cpu_s", "stalled_s", "spent_s"})
"""Lengths in an account that add up all the same."""
KEPT = 32
"""So many entries of a list in an account are kept, the first of each worker."""


def added(one: Any, other: Any) -> Any:  # noqa: ANN401 - counts nested in objects
    """Counts, or objects of counts with any depth, added."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return {
            key: added(one[key], other[key]) if key in one and key in other else one.get(key, other.get(key))
            for key in (*one, *(key for key in other if key not in one))
        }
    return one + other


class Slices:
    """The slices of all workers, handed on as those of one generator.

    Args:
        workers: their names.
    """

    def __init__(self, workers: Iterable[str]) -> None:
        self._waiting: dict[str, list[dict[str, Any]]] = {worker: [] for worker in workers}
        self._state: dict[str, dict[str, Any]] = {}
        self._reached: dict[str, int] = dict.fromkeys(self._waiting, 0)
        self._given = 0

    def add(self, worker: str, piece: dict[str, Any]) -> None:
        """Take the next slice of a worker; of a lost one, too."""
        self._waiting[worker].append(piece)
        if worker in self._reached:
            self._reached[worker] = _number(piece)
        else:
            piece["in_flight"] = 0

    def lose(self, worker: str) -> None:
        """Wait for this worker no more; nothing of its is in flight now."""
        self._reached.pop(worker, None)
        if worker in self._state:
            self._state[worker]["in_flight"] = 0

    def take(self, now_s: float, *, all_of_them: bool = False) -> Iterator[dict[str, Any]]:
        """The slices that are complete, or have been waited for long enough; or whatever is there."""
        number = min(self._reached.values(), default=_number({"end_s": now_s}))
        number = max(number, int((now_s - LATE_S) / SLICE_S))
        if all_of_them:
            number = max([number, *(_number(piece) for pieces in self._waiting.values() for piece in pieces)])
        elif number <= self._given:
            return
        numbers = {_number(piece) for pieces in self._waiting.values() for piece in pieces}
        for each in sorted(one for one in numbers if one <= number):
            yield self._together(each)
        self._given = number

    def _together(self, number: int) -> dict[str, Any]:
        """Everything that waits up to a number, as one slice."""
        taken: list[dict[str, Any]] = []
        for worker, pieces in self._waiting.items():
            mine = [piece for piece in pieces if _number(piece) <= number]
            del pieces[: len(mine)]
            taken += mine
            if mine:
                self._state[worker] = dict(mine[-1])
        together: dict[str, Any] = {}
        for name, kind in FIELDS.items():
            told = [piece[name] for piece in taken if name in piece]
            if kind == STATE:
                together[name] = sum(state.get(name, 0) for state in self._state.values())
            elif told:
                together[name] = _folded(kind, told)
        return together


def _folded(kind: str, told: list[Any]) -> Any:  # noqa: ANN401 - a field of a slice
    if kind == COUNT:
        total = told[0]
        for one in told[1:]:
            total = added(total, one)
        return total
    return min(told) if kind == FIRST else max(told)


def _number(piece: Mapping[str, Any]) -> int:
    """Which slice of the common grid it is: the one that it ends in or just after."""
    return int(piece["end_s"] / SLICE_S + 1e-6)


def account_of_all(accounts: Iterable[Mapping[str, Any]]) -> dict[str, Json]:
    """The accounts of all workers as that of one generator.

    Whole numbers are counts and add up; other numbers are lengths and shares, of which the largest is told; lists are
    joined; texts that differ are told one after the other.
    """
    together: dict[str, Any] = {}
    for account in accounts:
        together = _joined(together, account)
    return together


def _joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    joined = dict(one)
    for name, value in other.items():
        joined[name] = _both(name, joined[name], value) if name in joined else value
    return joined


def _both(name: str, one: Any, other: Any) -> Any:  # noqa: ANN401 - a value in an account
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return _joined(one, other)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return [*one, *other][: 2 * KEPT]
    if isinstance(one, str) or isinstance(other, str):
        return one if one == other else f"{one}, {other}"
    if isinstance(one, float) or isinstance(other, float):
        return one + other if name in SUMMED else max(one, other, key=abs)
    return one + other
