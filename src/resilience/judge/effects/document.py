"""Documents: each object holds the last of what was written to it, or is gone if that was to remove it.

A row says of an object which write it holds (its id and body) and the object's number. Which write is the last:

* with versions (`ordered`): V is the highest version of the sure writes to the object (see `sent`). A write may be
  there if it is that one, or is unsure and of a higher version.
* without: B is the latest begin of the sure writes to the object. A write may be there if it is unsure, or was settled
  at B or later: writes that were under way together may have happened in either order. It is what a register that is
  linearizable allows to be read at rest.

No row may be there (the object may be absent) if a removal may be the last, or if no write to the object is sure.

| class | definition |
|---|---|
| lost | objects that are absent and may not be |
| lost_updates | rows that hold an earlier write than may be there, where a later write is acknowledged |
| resurrected | likewise, where the last acknowledged one is a removal |
| corrupted | rows that hold the right write with another body |
| misattributed | rows that hold a write to another object |
| rejected_present | rows that hold a rejected write |
| phantom | rows that hold no write of the account |
| duplicated | objects with several rows |
| stale | sure writes of which a later read said something older, and the store has the object right |
| recovered | rows that hold an unsure write that may be there |
| verified | objects that hold, or are rightly without, an acknowledged last write |

A later read (*stale reads* are such) is one begun after the acknowledgement. It is held against a write only if no
further write to the object had been begun when it was answered: the object had to be what that write made of it.

A row is in the first class that fits, in the order phantom, misattributed, rejected_present, corrupted, resurrected or
lost_updates.
"""

from typing import NamedTuple

import numpy as np

from resilience.columns import Bool, Int64, Mark, Truth
from resilience.judge.effects.findings import Broken, Findings, numbers, said
from resilience.judge.effects.sent import Sent
from resilience.model import Account

CLASSES = (
    "lost",
    "lost_updates",
    "resurrected",
    "corrupted",
    "misattributed",
    "rejected_present",
    "phantom",
    "duplicated",
    "stale",
    "stale_reads",
    "recovered",
    "verified",
)


class Last(NamedTuple):
    """What may be the last write of each object.

    Attributes:
        allowed: entries that may be what is there.
        removed: objects whose last sure write is a removal. absent: objects that may be absent.
        written: objects with a sure write.
    """

    allowed: Bool
    removed: Bool
    absent: Bool
    written: Bool


def last_writes(sent: Sent, account: Account) -> Last:
    """Work out what may be there."""
    version, settled = np.abs(sent.value), sent.entries.settled_ns
    rank = version if account.ordered else sent.begun_ns
    highest = np.full(account.objects, -1, dtype=np.int64)
    np.maximum.at(highest, sent.object[sent.sure], rank[sent.sure])
    of = highest[sent.object]
    if account.ordered:
        allowed = (sent.sure & (version == of)) | (sent.unsure & (version > of))
    else:
        allowed = (sent.sure & (settled >= of)) | sent.unsure
    written = highest >= 0
    removal = sent.value < 0
    removed = _marked(account.objects, sent.object[sent.sure & (rank == of) & removal])
    absent = ~written | _marked(account.objects, sent.object[allowed & removal])
    return Last(allowed, removed, absent, written)


def _marked(size: int, numbers_: Int64) -> Bool:
    marked = np.zeros(size, dtype=np.bool_)
    marked[numbers_] = True
    return marked


def judge_document(sent: Sent, truth: Truth, account: Account) -> Findings:
    """Compare what every object holds with what it may."""
    last = last_writes(sent, account)
    slots = sent.entries.slots(truth.writer, truth.epoch, truth.seq)
    known = slots >= 0
    slot = np.where(known, slots, 0)
    rest = known & (sent.value[slot] > 0) if len(sent.entries) else known
    row: dict[str, Bool] = {"phantom": ~rest}
    for name, where in _rows(sent, truth, last, slot):
        row[name] = rest & where
        rest = rest & ~where
    row["recovered"] = rest & sent.unsure[slot] if len(sent.entries) else rest
    number = np.clip(truth.position, 0, account.objects - 1)
    inside = number == truth.position
    rows = np.zeros(account.objects, dtype=np.int64)
    np.add.at(rows, number[inside], 1)
    lost, twice = (rows == 0) & ~last.absent, rows > 1
    good = _marked(account.objects, number[inside & rest & ~row["recovered"]]) & (rows == 1)
    good |= (rows == 0) & last.absent & last.written
    counts = {"lost": int(np.count_nonzero(lost)), "duplicated": int(np.count_nonzero(twice))}
    counts |= {name: int(np.count_nonzero(where)) for name, where in row.items()}
    counts["phantom"] += max(0, len(truth.foreign) - int(np.count_nonzero(truth.writer < 0)))
    counts["verified"] = int(np.count_nonzero(good))
    counts |= _stale(sent, np.flatnonzero(good))
    evidence = [
        f"{name}: objects {numbers(where)}" for name, where in (("lost", lost), ("duplicated", twice)) if where.any()
    ]
    bad = (name for name in row if name != "recovered")
    evidence += [f"{name}: objects {numbers(np.sort(truth.position[row[name]]))}" for name in bad if row[name].any()]
    return Findings(
        {name: counts[name] for name in CLASSES}, _broken(counts, account), tuple(evidence), np.flatnonzero(good)
    )


def _rows(sent: Sent, truth: Truth, last: Last, slot: Int64) -> list[tuple[str, Bool]]:
    """What may be wrong with a row that holds a write of the account, the first that fits."""
    if len(sent.entries) == 0:
        nothing = np.zeros(len(slot), dtype=np.bool_)
        return [
            (name, nothing)
            for name in ("misattributed", "rejected_present", "corrupted", "resurrected", "lost_updates")
        ]
    object_ = sent.object[slot]
    return [
        ("misattributed", object_ != truth.position),
        ("rejected_present", ~sent.sure[slot] & ~sent.unsure[slot]),
        ("corrupted", ~truth.intact),
        ("resurrected", ~last.allowed[slot] & last.removed[object_]),
        ("lost_updates", ~last.allowed[slot]),
    ]


def _stale(sent: Sent, good: Int64) -> dict[str, int]:
    """Reads that showed something older; what the store itself has wrong is counted there, and not again as stale."""
    entries = sent.entries
    slot = entries.read_slot
    old = (entries.read_mark == Mark.MISSED) & sent.sure[slot] & (entries.read_ns > entries.settled_ns[slot])
    old &= np.isin(sent.object[slot], good)
    return {"stale": len(np.unique(slot[old])), "stale_reads": int(np.count_nonzero(old))}


def _broken(counts: dict[str, int], account: Account) -> tuple[Broken, ...]:
    return said(
        counts,
        (
            ("lost", True, "object is lost", "objects are lost"),
            (
                "lost_updates",
                True,
                "object is back at an earlier version: a lost update",
                "objects are back at earlier versions: lost updates",
            ),
            ("resurrected", True, "object is back after it was removed", "objects are back after they were removed"),
            ("corrupted", True, "object is corrupted", "objects are corrupted"),
            (
                "misattributed",
                True,
                "object holds what was written to another",
                "objects hold what was written to others",
            ),
            ("rejected_present", True, "object holds a rejected write", "objects hold rejected writes"),
            ("phantom", True, "object holds what nobody wrote", "objects hold what nobody wrote"),
            ("duplicated", True, "object is there more than once", "objects are there more than once"),
            (
                "stale",
                account.read_your_writes,
                "acknowledged write was missed by later reads",
                "acknowledged writes were missed by later reads",
            ),
        ),
    )
