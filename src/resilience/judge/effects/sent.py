"""What the writes of an account were to do, entry by entry, and which of them must, may or must not have had an effect.

An entry is *sure* if it was acknowledged before the truth was read; *unsure* if it may or may not have had its effect
(indeterminate, never settled, or acknowledged only after the truth was read); and otherwise it was rejected and must
have had none.
"""

from dataclasses import dataclass

import numpy as np

from resilience.columns import Bool, EffectLines, Int64, LedgerLines, Mark
from resilience.judge.entries import Entries, index
from resilience.judge.places import blocks_of


@dataclass(frozen=True, slots=True)
class Sent:
    """Every entry of an account, slot by slot.

    Attributes:
        entries: the ledger as flat arrays.
        sure, unsure: which must, and which may, have had their effect; every other entry must have had none.
        begun_ns: when each was attempted; -1 if that is not known.
        object, other, value: what each was to do, as in `columns.EffectLines`.
        place: of the account in the experiment; with the number of an object it is the object's name.
        objects: how many objects the account has.
        problems: why the ledger cannot be believed.
    """

    entries: Entries
    sure: Bool
    unsure: Bool
    begun_ns: Int64
    object: Int64
    other: Int64
    value: Int64
    place: int
    objects: int
    problems: tuple[str, ...]

    @property
    def late(self) -> int:
        """How many were acknowledged only after the truth was read: nothing that was read can show them."""
        return int(np.count_nonzero(self.unsure & self.entries.noted(Mark.ACKNOWLEDGED)))


def sent(lines: LedgerLines, read_ns: int, *, place: int = 0, objects: int = 1) -> Sent:
    """Lay out the ledger of an account. Lines without effects (`LedgerLines`) are of writes that need none."""
    entries = index(lines)
    size = len(entries)
    begun_ns = np.full(size, -1, dtype=np.int64)
    told = {name: np.zeros(size, dtype=np.int64) for name in ("object", "other", "value")}
    torn = 0
    for block in blocks_of(lines):
        slots = entries.slots(block.writer, block.epoch, block.seq)
        begun = (block.mark == Mark.ATTEMPTED) & (slots >= 0)
        begun_ns[slots[begun]] = block.at_ns[begun]
        if isinstance(block, EffectLines):
            for name, column in told.items():
                column[slots[begun]] = getattr(block, name)[begun]
    if isinstance(lines, EffectLines):
        torn = sum(_differing(block, entries, told) for block in blocks_of(lines) if isinstance(block, EffectLines))
    problems = list(entries.problems)
    if torn:
        problems.append(f"{torn:,} lines say something else of what was to be done than the attempt did")
    outside = (told["object"] < 0) | (told["object"] >= objects) | (told["other"] < 0) | (told["other"] >= objects)
    if outside.any():
        problems.append(f"{np.count_nonzero(outside):,} entries are about objects that the account does not have")
    acknowledged = entries.noted(Mark.ACKNOWLEDGED)
    in_time = entries.settled_ns <= read_ns
    unsure = (entries.indeterminate > 0) & ~acknowledged & ~entries.noted(Mark.REJECTED)
    return Sent(
        entries=entries,
        sure=acknowledged & in_time,
        unsure=unsure | (acknowledged & ~in_time),
        begun_ns=begun_ns,
        object=told["object"],
        other=told["other"],
        value=told["value"],
        place=place,
        objects=objects,
        problems=tuple(problems),
    )


def _differing(block: EffectLines, entries: Entries, told: dict[str, Int64]) -> int:
    slots = entries.slots(block.writer, block.epoch, block.seq)
    known = slots >= 0
    wrong = np.zeros(int(np.count_nonzero(known)), dtype=np.bool_)
    for name, column in told.items():
        wrong |= column[slots[known]] != getattr(block, name)[known]
    return int(np.count_nonzero(wrong))


def per_object(sent_: Sent, chosen: Bool, amounts: Int64, *, other: bool = False) -> Int64:
    """The sum of amounts for each object, over the chosen entries."""
    where = (sent_.other if other else sent_.object)[chosen]
    totals = np.zeros(sent_.objects, dtype=np.int64)
    np.add.at(totals, where, amounts[chosen])
    return totals
