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

import numpy as np

from resilience.columns import Int64, Mark, Truth
from resilience.judge.entries import Entries, multiplicity

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
    slots, rows = multiplicity(entries, truth)
    known = slots >= 0
    size = len(entries)
    acknowledged = entries.acknowledged > 0
    rejected = entries.rejected > 0
    unsure = (entries.indeterminate > 0) & ~acknowledged & ~rejected
    absent, present = rows == 0, rows > 0
    corrupted = _marked(size, slots[known & ~truth.intact]) | _reads(entries, Mark.WRONG)
    missed = (entries.read_mark == Mark.MISSED) & acknowledged[entries.read_slot]
    missed &= (entries.read_ns > entries.settled_ns[entries.read_slot]) & present[entries.read_slot]
    stale = _marked(size, entries.read_slot[missed])
    disorder = _disorder(entries, truth, slots, acknowledged & present)
    late = acknowledged & (entries.settled_ns > truth.read_ns)
    lost = acknowledged & absent & ~late
    bad = corrupted | stale | disorder | late
    found = {
        "lost": lost,
        "duplicated": rows > 1,
        "over_applied": present & (rows > entries.attempted),
        "rejected_present": rejected & present,
        "corrupted": corrupted,
        "stale": stale,
        "out_of_order": disorder,
        "recovered": unsure & (rows == 1),
        "vanished": unsure & absent,
        "unchecked": late,
        "verified": acknowledged & (rows == 1) & ~bad,
    }
    foreign = int(np.count_nonzero(truth.writer < 0))
    return Classified(
        members={name: np.flatnonzero(found[name]).astype(np.int64) for name in CLASSES},
        phantom=int(np.count_nonzero(~known)) + max(0, len(truth.foreign) - foreign),
        lost_after_seen=np.flatnonzero(lost & _reads(entries, Mark.SEEN)).astype(np.int64),
        stale_reads=int(np.count_nonzero(missed)),
    )


def _marked(size: int, slots: Int64) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    marked = np.zeros(size, dtype=np.bool_)
    marked[slots] = True
    return marked


def _reads(entries: Entries, mark: Mark) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    return _marked(len(entries), entries.read_slot[entries.read_mark == mark])


def _ranks(position: Int64) -> Int64:
    """Numbers in the order of positions, small enough to be lifted by writer; equal for equal positions."""
    if int(position.max()) - int(position.min()) <= 8 * len(position):
        near: Int64 = position - position.min()
        return near
    return np.unique(position, return_inverse=True)[1].astype(np.int64)


def _disorder(
    entries: Entries, truth: Truth, slots: Int64, chosen: "np.ndarray[tuple[int], np.dtype[np.bool_]]"
) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """The chosen entries whose first row stands at or before one of an earlier entry of the same writer and epoch."""
    disorder = np.zeros(len(entries), dtype=np.bool_)
    rows = np.flatnonzero(slots >= 0)
    if len(rows) == 0:
        return disorder
    rank = _ranks(truth.position[rows])
    # Written from the last position to the first, so that the first row of an entry is what stays.
    order = np.argsort(-rank, kind="stable")
    first = np.zeros(len(entries), dtype=np.int64)
    first[slots[rows][order]] = rank[order]
    members = np.flatnonzero(chosen)
    run = np.searchsorted(entries.base, members, side="right") - 1
    # Ranks are lifted by writer and epoch, so that one running maximum serves them all.
    lifted = first[members] + run * (int(rank.max()) + 1)
    before = np.maximum.accumulate(lifted)[:-1]
    same = run[1:] == run[:-1]
    disorder[members[1:][same & (lifted[1:] <= before)]] = True
    return disorder
