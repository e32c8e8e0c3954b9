"""What judging an account comes to, and how it is said."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from resilience.columns import Bool, Int64, Truth

SHOWN = 32
"""So many objects of a class are named."""


class Broken(str):
    """A sentence about a promise that was broken, which knows the class that it is about; equal to its text."""

    __slots__ = ("name",)

    def __new__(cls, name: str, text: str) -> Self:
        """The class as in `verdict.json`, and the sentence."""
        made = super().__new__(cls, text)
        made.name = name
        return made

    name: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What became of the writes of one account.

    Attributes:
        counts: class → how many, of entries or of objects as the effect has it.
        broken: the promises that were broken, worst first; none is a clean account.
        evidence: which ones.
        right: the entries, or the objects, that were verified.
    """

    counts: dict[str, int]
    broken: tuple[Broken, ...]
    evidence: tuple[str, ...]
    right: Int64


def said(counts: dict[str, int], sentences: Iterable[tuple[str, bool, str, str]]) -> tuple[Broken, ...]:
    """Sentences of broken promises, from (class, whether it is promised, the word for one, the words for many)."""
    return tuple(
        Broken(name, f"{counts[name]:,} {one if counts[name] == 1 else many}")
        for name, promised, one, many in sentences
        if promised and counts.get(name)
    )


def numbers(where: Bool | Int64) -> str:
    """Numbers as intervals: `3, 7-9`; at most `SHOWN` of them, then how many more."""
    found = np.flatnonzero(where) if where.dtype == np.bool_ else where
    spans: list[list[int]] = []
    for number in found[:SHOWN].tolist():
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    text = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
    return text + (f" and {len(found) - SHOWN:,} more" if len(found) > SHOWN else "")


@dataclass(frozen=True, slots=True)
class Values:
    """Rows of a truth that is one row for each object: name and value.

    Attributes:
        value: of each object; what an object without a row counts as.
        there: which have a row.
        rows: how many each has.
        phantom: rows of no object of the account.
    """

    value: Int64
    there: Bool
    rows: Int64
    phantom: int


def values_of(truth: Truth, place: int, objects: int, absent: int) -> Values:
    """Read the rows of objects; of an object with several rows the last one in order of value is taken."""
    ours = (truth.writer == place) & (truth.epoch == 0) & (truth.seq >= 0) & (truth.seq < objects)
    value = np.full(objects, absent, dtype=np.int64)
    rows = np.zeros(objects, dtype=np.int64)
    np.add.at(rows, truth.seq[ours], 1)
    value[truth.seq[ours]] = truth.position[ours]
    phantom = int(np.count_nonzero(~ours)) + max(0, len(truth.foreign) - int(np.count_nonzero(truth.writer < 0)))
    return Values(value, rows > 0, rows, phantom)


def off(what: str, where: Bool, told: Int64, limit: Int64, words: str) -> Sequence[str]:
    """What some objects hold beside what they should: `object 7 holds 41, at least 42 was expected`."""
    return [
        f"{what}: object {number} holds {int(told[number]):,}, {words} {int(limit[number]):,} was expected"
        for number in np.flatnonzero(where)[:SHOWN].tolist()
    ]
