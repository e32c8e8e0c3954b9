"""What became of every write: the classes of the ledger, each exact.

With A possibly attempted, K acknowledged, F rejected, I indeterminate (or never settled), and P the number of rows:

| class | definition |
|---|---|
| lost | K, P = 0 (*lost after seen*: and some read had returned it) |
| phantom | rows that no entry of the ledger accounts for |
| rejected_present | F, P > 0 |
| duplicated | A, P > 1 |
| over_applied | A, P > number of attempts |
| corrupted | a row that is not what was sent, or a read that returned something else under its id |
| stale | K, P > 0, and a read begun after the acknowledgement said that it does not exist |
| out_of_order | K, stored before an entry that the same writer had had acknowledged earlier |
| recovered | I, P = 1 |
| vanished | I, P = 0 |
| unchecked | K, acknowledged after the truth was read |
| verified | K, P = 1, intact, and in none of the bad classes |
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from resilience.columns import Bool, Int64, Mark, Truth
from resilience.judge.entries import ACKNOWLEDGED, Entries
from resilience.judge.places import CHUNK, Places, Reaching, blocks_of

CLASSES = (
    "lost",
    "duplicated",
    "over_applied",
    "rejected_present",
    "corrupted",
    "stale",
    "out_of_order",
    "recovered",
    "vanished",
    "unchecked",
    "verified",
)
"""The classes whose members are entries; phantoms are rows without one."""


Ranks = npt.NDArray[np.unsignedinteger[Any]]
Rows = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Classified:
    """The slots of each class, ascending.

    Attributes:
        members: class → its slots.
        phantom: how many rows belong to no entry.
        lost_after_seen: the lost ones that some read had returned.
        stale_reads: reads that missed a stored entry.
    """

    members: dict[str, Int64]
    phantom: int
    lost_after_seen: Int64
    stale_reads: int

    def count(self, name: str) -> int:
        """How many are in a class."""
        return self.phantom if name == "phantom" else len(self.members[name])


def classify(entries: Entries, truth: Truth) -> Classified:
    """Put every entry into its classes."""
    held = _held(entries, truth)
    disorder = _disorder(entries, held)
    held.first.resize(0, refcheck=False)  # not needed any more, and the largest of all
    missed = (entries.read_mark == Mark.MISSED) & (held.rows[entries.read_slot] > 0)
    missed &= entries.state[entries.read_slot] & ACKNOWLEDGED > 0
    missed &= entries.read_ns > entries.settled_ns[entries.read_slot]
    wrong, seen = (entries.read_slot[entries.read_mark == mark] for mark in (Mark.WRONG, Mark.SEEN))
    marked = {
        "corrupted": np.unique(np.concatenate((held.torn, wrong))),
        "stale": np.unique(entries.read_slot[missed]),
        "out_of_order": disorder,
        "seen": np.unique(seen),
    }
    found = {name: _Slots(len(entries)) for name in (*CLASSES, "lost_after_seen")}
    for begin, part in entries.chunks():
        rows = held.rows[begin : begin + len(part.state)]
        masks = _classes(part, rows, {name: _mask(slots, begin, len(rows)) for name, slots in marked.items()}, truth)
        for name, mask in masks.items():
            found[name].add(np.flatnonzero(mask), begin)
    members = {name: slots.all() for name, slots in found.items()}
    lost_after_seen = members.pop("lost_after_seen")
    return Classified(
        members=members,
        phantom=held.nobodys + max(0, len(truth.foreign) - held.foreign),
        lost_after_seen=lost_after_seen,
        stale_reads=int(np.count_nonzero(missed)),
    )


class _Slots:
    """Slots that are found in order, in as little memory as they need: pages that nothing was put on take none."""

    def __init__(self, most: int) -> None:
        self._slots: Int64 = np.empty(most, dtype=_narrowest(most))
        self._size = 0

    def add(self, places: Int64, begin: int) -> None:
        """Take some, each so many behind `begin`."""
        end = self._size + len(places)
        np.add(places, begin, out=self._slots[self._size : end], casting="same_kind")
        self._size = end

    def all(self) -> Int64:
        """Those that were taken; only the pages that they are on are held."""
        return self._slots[: self._size] if self._size > len(self._slots) // 2 else self._slots[: self._size].copy()


def _mask(slots: Int64, begin: int, size: int) -> Bool:
    """Which of so many slots from `begin` on are among the ascending ones."""
    mask = np.zeros(size, dtype=np.bool_)
    first, last = np.searchsorted(slots, (begin, begin + size))
    mask[slots[first:last] - begin] = True
    return mask


def _narrowest(size: int) -> Any:  # noqa: ANN401 - a type of NumPy
    return np.int32 if size <= np.iinfo(np.int32).max else np.int64


def _classes(entries: Entries, rows: Rows, marked: dict[str, Bool], truth: Truth) -> dict[str, Bool]:
    """The classes of some entries that lie side by side."""
    acknowledged, rejected = entries.noted(Mark.ACKNOWLEDGED), entries.noted(Mark.REJECTED)
    unsure = (entries.indeterminate > 0) & ~acknowledged & ~rejected
    absent, present = rows == 0, rows > 0
    late = acknowledged & (entries.settled_ns > truth.read_ns)
    lost = acknowledged & absent & ~late
    corrupted, stale, disorder = marked["corrupted"], marked["stale"], marked["out_of_order"]
    return {
        "lost": lost,
        "lost_after_seen": lost & marked["seen"],
        "duplicated": rows > 1,
        "over_applied": present & (rows > entries.attempted),
        "rejected_present": rejected & present,
        "corrupted": corrupted,
        "stale": stale,
        "out_of_order": disorder,
        "recovered": unsure & (rows == 1),
        "vanished": unsure & absent,
        "unchecked": late,
        "verified": acknowledged & (rows == 1) & ~(corrupted | stale | disorder | late),
    }


_FULL = 30_000
"""Rows of one slot are counted up to here, plus what one block may have: that fits in 16 bits."""

_PART = 1 << 15


@dataclass(frozen=True, slots=True)
class _Held:
    """What the store holds.

    Attributes:
        rows: of each slot; of more than `_FULL` no longer exact.
        first: the rank of the position of each slot's first row; the higher, the later. The highest if it has none.
        torn: slots with a row that is not intact. nobodys: rows without a slot; foreign: those without an id of ours.
    """

    rows: Rows
    first: Ranks
    torn: Int64
    nobodys: int
    foreign: int


def _held(entries: Entries, truth: Truth) -> _Held:
    """Go through the rows."""
    ranking = _ranking(truth)
    rows = np.zeros(len(entries), dtype=np.uint16)
    first = np.full(len(entries), np.iinfo(ranking.kind).max, dtype=ranking.kind)
    torn = [np.zeros(0, np.int64)]
    places = Places(entries.code, entries.base)
    nobodys = foreign = 0
    for block in blocks_of(truth):
        slots, rank = places.slots(block.writer, block.epoch, block.seq), ranking.of(block.position)
        intact = block.intact
        if len(slots) and slots.min() < 0:
            known = slots >= 0
            nobodys += len(known) - int(np.count_nonzero(known))
            foreign += int(np.count_nonzero(block.writer < 0))
            slots, rank, intact = slots[known], rank[known], intact[known]
        if not intact.all():
            torn.append(slots[~intact])
        np.minimum.at(first, slots, rank)
        for begin in range(0, len(slots), _PART):
            part = slots[begin : begin + _PART]
            np.add.at(rows, part, np.uint16(1))
            if rows.take(part).max() > _FULL:
                rows[part] = np.minimum(rows[part], _FULL)
    return _Held(rows, first, np.concatenate(torn), nobodys, foreign)


class _Ranking:
    """Positions as numbers in as few bits as will do: how far behind the lowest of all."""

    def __init__(self, lowest: int, highest: int) -> None:
        self._lowest = np.uint64(lowest % 2**64)
        self.kind: Any = np.uint32 if highest - lowest < np.iinfo(np.uint32).max else np.uint64

    def of(self, position: npt.NDArray[Any]) -> Ranks:
        """Differences of 64-bit numbers are right modulo 2**64, whatever the sign of the positions."""
        ranks: Ranks = (position.astype(np.int64, copy=False).view(np.uint64) - self._lowest).astype(self.kind)
        return ranks


def _ranking(truth: Truth) -> _Ranking:
    reach = truth.reach() if isinstance(truth, Reaching) else None
    if reach is None:
        ranges = [(int(block.position.min()), int(block.position.max())) for block in blocks_of(truth) if len(block)]
        reach = min((low for low, _ in ranges), default=0), max((high for _, high in ranges), default=0)
    return _Ranking(*reach)


def _disorder(entries: Entries, held: _Held) -> Int64:
    """The acknowledged whose first row stands at or before one of an earlier entry of the same writer and epoch."""
    disorder = [np.zeros(0, np.int64)]
    for begin, end in pairwise(_stretches(entries.base)):
        stored = (entries.state[begin:end] & ACKNOWLEDGED).astype(np.bool_) & (held.rows[begin:end] > 0)
        members = np.flatnonzero(stored)
        first = held.first[begin:end].take(members)
        fallen = np.flatnonzero(first[1:] <= first[:-1]) + 1
        members += begin
        run = np.searchsorted(members, entries.base)  # where each begins among the members
        if len(np.setdiff1d(fallen, run)) == 0:
            continue
        # Ranks are lifted by writer and epoch, so that one running maximum serves them all.
        rank: npt.NDArray[Any] = first - first.min()
        if int(rank.max()) > _LIFTABLE:
            rank = np.unique(rank, return_inverse=True)[1].reshape(-1)
        whose = np.repeat(np.arange(len(run) - 1), np.diff(run))
        lifted = rank.astype(np.int64) + (whose - whose[0]) * (int(rank.max()) + 1)
        before = np.maximum.accumulate(lifted)[:-1]
        disorder.append(members[1:][(whose[1:] == whose[:-1]) & (lifted[1:] <= before)])
    return np.concatenate(disorder)


_LIFTABLE = 2**40
"""Ranks up to here can be lifted by each of the runs of one stretch without leaving 63 bits."""


def _stretches(base: Int64) -> list[int]:
    """Where to cut between runs so that pieces are of bounded length, unless one run is longer."""
    wanted = np.arange(0, int(base[-1]), CHUNK)
    return sorted({int(base[place]) for place in np.searchsorted(base, wanted)} | {int(base[-1])})
