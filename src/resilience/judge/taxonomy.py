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

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from resilience.columns import Bool, Int64, Mark, Truth
from resilience.judge.entries import Counts, Entries, blocks_of

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
    disorder = _disorder(entries, held.first, entries.noted(Mark.ACKNOWLEDGED) & (held.rows > 0))
    held.first.resize(0, refcheck=False)  # not needed any more, and the largest of all
    missed = (entries.read_mark == Mark.MISSED) & (held.rows[entries.read_slot] > 0)
    missed &= entries.noted(Mark.ACKNOWLEDGED)[entries.read_slot]
    missed &= entries.read_ns > entries.settled_ns[entries.read_slot]
    marked = {
        "corrupted": _marked(len(entries), held.torn) | _reads(entries, Mark.WRONG),
        "stale": _marked(len(entries), entries.read_slot[missed]),
        "out_of_order": disorder,
        "seen": _reads(entries, Mark.SEEN),
    }
    found: dict[str, list[Int64]] = {name: [] for name in (*CLASSES, "lost_after_seen")}
    for begin in range(0, len(entries), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        masks = _classes(
            replace(
                entries,
                state=entries.state[part],
                settled_ns=entries.settled_ns[part],
                repeated={mark: count[part] for mark, count in entries.repeated.items()},
            ),
            held.rows[part],
            {name: mask[part] for name, mask in marked.items()},
            truth.read_ns,
        )
        for name, mask in masks.items():
            found[name].append((np.flatnonzero(mask) + begin).astype(_narrowest(len(entries))))
    members = {name: np.concatenate(parts) if parts else np.empty(0, np.int64) for name, parts in found.items()}
    lost_after_seen = members.pop("lost_after_seen")
    return Classified(
        members=members,
        phantom=held.nobodys + max(0, len(truth.foreign) - held.foreign),
        lost_after_seen=lost_after_seen,
        stale_reads=int(np.count_nonzero(missed)),
    )


def _narrowest(size: int) -> Any:  # noqa: ANN401 - a type of NumPy
    return np.int32 if size <= np.iinfo(np.int32).max else np.int64


def _classes(entries: Entries, rows: Counts, marked: dict[str, Bool], read_ns: int) -> dict[str, Bool]:
    """The classes of some entries that lie side by side."""
    acknowledged, rejected = entries.noted(Mark.ACKNOWLEDGED), entries.noted(Mark.REJECTED)
    unsure = (entries.indeterminate > 0) & ~acknowledged & ~rejected
    absent, present = rows == 0, rows > 0
    late = acknowledged & (entries.settled_ns > read_ns)
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


Offsets = npt.NDArray[np.unsignedinteger[Any]]

_FULL = 30_000
"""Rows of one slot are counted up to here, plus what one block may have: that fits in 16 bits."""

_PART = 1 << 15
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class _Held:
    """What the store holds.

    Attributes:
        rows: of each slot, at most 255. first: how far behind the lowest position of all its first row stands.
        torn: slots with a row that is not intact. nobodys: rows without a slot; foreign: those without an id of ours.
    """

    rows: Counts
    first: Offsets
    torn: Int64
    nobodys: int
    foreign: int


def _held(entries: Entries, truth: Truth) -> _Held:
    """Go through the rows once for the range of positions, once for everything else."""
    ranges = [(int(block.position.min()), int(block.position.max())) for block in blocks_of(truth) if len(block)]
    lowest = min((low for low, _ in ranges), default=0)
    reach = max((high for _, high in ranges), default=0) - lowest
    kind: Any = np.uint32 if reach < np.iinfo(np.uint32).max else np.uint64
    rows = np.zeros(len(entries), dtype=np.uint16)
    first = np.full(len(entries), np.iinfo(kind).max, dtype=kind)
    torn = [np.empty(0, np.int64)]
    nobodys = foreign = 0
    for block in blocks_of(truth):
        slots = entries.slots(block.writer, block.epoch, block.seq)
        known = slots >= 0
        if not known.all():
            nobodys += len(known) - int(np.count_nonzero(known))
            foreign += int(np.count_nonzero(block.writer < 0))
        torn.append(slots[known & ~block.intact])
        # Differences of 64-bit numbers are right modulo 2**64, whatever the sign of the positions.
        offset = (block.position[known].astype(np.uint64) - np.uint64(lowest % 2**64)).astype(kind)
        slots = slots[known]
        np.minimum.at(first, slots, offset)
        for begin in range(0, len(slots), _PART):
            part = slots[begin : begin + _PART]
            np.add.at(rows, part, np.uint16(1))
            if rows[part].max() > _FULL:
                rows[part] = np.minimum(rows[part], _FULL)
    return _Held(np.minimum(rows, 255).astype(np.uint8), first, np.concatenate(torn), nobodys, foreign)


def _marked(size: int, slots: Int64) -> Bool:
    marked = np.zeros(size, dtype=np.bool_)
    marked[slots] = True
    return marked


def _reads(entries: Entries, mark: Mark) -> Bool:
    return _marked(len(entries), entries.read_slot[entries.read_mark == mark])


def _disorder(entries: Entries, first: Offsets, chosen: Bool) -> Bool:
    """The chosen entries whose first row stands at or before one of an earlier entry of the same writer and epoch."""
    disorder = np.zeros(len(entries), dtype=np.bool_)
    for begin, end in pairwise(_stretches(entries.base)):
        members = np.flatnonzero(chosen[begin:end]) + begin
        if len(members) == 0:
            continue
        # Ranks are lifted by writer and epoch, so that one running maximum serves them all.
        rank: npt.NDArray[Any] = first[members] - first[members].min()
        if int(rank.max()) > _LIFTABLE:
            rank = np.unique(rank, return_inverse=True)[1].reshape(-1)
        run = np.searchsorted(entries.base, members, side="right") - 1
        run -= run[0]
        lifted = rank.astype(np.int64) + run * (int(rank.max()) + 1)
        before = np.maximum.accumulate(lifted)[:-1]
        disorder[members[1:][(run[1:] == run[:-1]) & (lifted[1:] <= before)]] = True
    return disorder


_LIFTABLE = 2**40
"""Ranks up to here can be lifted by each of the runs of one stretch without leaving 63 bits."""


def _stretches(base: Int64) -> list[int]:
    """Where to cut between runs so that pieces are of bounded length, unless one run is longer."""
    wanted = np.arange(0, int(base[-1]), _CHUNK)
    return sorted({int(base[place]) for place in np.searchsorted(base, wanted)} | {int(base[-1])})
