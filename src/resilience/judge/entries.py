"""The write ledger as flat arrays: one slot for each entry, found by arithmetic instead of hashing.

Entries are named (writer, epoch, seq) with dense `seq`, so the entries of one writer and epoch lie side by side and the
slot of an entry is the start of its run plus `seq`. Everything else is counting.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from resilience.columns import Bool, Int64, LedgerLines, Mark, Truth

_WIDTH = 2**31
"""Writers and epochs are 32-bit numbers: writer · 2³¹ + epoch is unique and fits in 64 bits."""

MAX_STRETCH = 64
"""A seq beyond this many times the number of lines cannot be dense; such a line is a problem, not a slot."""

SETTLED = (Mark.ACKNOWLEDGED, Mark.REJECTED, Mark.INDETERMINATE)
READS = (Mark.SEEN, Mark.MISSED, Mark.WRONG)

Counts = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Entries:
    """The ledger's entries, slot by slot, and what is wrong with the ledger itself.

    Attributes:
        code: writer and epoch of each run of slots, sorted.
        base: the first slot of each run; one more than `code`, the last being the number of slots.
        attempted, acknowledged, rejected, indeterminate: how often each was noted, at most 255. An entry that was
            attempted and never settled counts as `indeterminate`, and as `open`.
        attempted_ns, settled_ns: when; -1 if never.
        read_slot, read_mark, read_ns: the reads through the service, in the order of the ledger.
        problems: why the ledger cannot be believed; any of it keeps the verdict from passing.
    """

    code: Int64
    base: Int64
    attempted: Counts
    acknowledged: Counts
    rejected: Counts
    indeterminate: Counts
    open: Bool
    attempted_ns: Int64
    settled_ns: Int64
    read_slot: Int64
    read_mark: npt.NDArray[np.int8]
    read_ns: Int64
    problems: tuple[str, ...]

    def __len__(self) -> int:
        """The number of slots."""
        return int(self.base[-1])

    def name(self, slot: int) -> tuple[int, int, int]:
        """(writer, epoch, seq) of a slot."""
        run = int(np.searchsorted(self.base, slot, side="right")) - 1
        code = int(self.code[run])
        return code // _WIDTH, code % _WIDTH, slot - int(self.base[run])

    def slots(self, writer: npt.NDArray[np.int32], epoch: npt.NDArray[np.int32], seq: Int64) -> Int64:
        """The slots of entries by name; -1 where the ledger has no such entry."""
        if len(self.code) == 0:
            return np.full(len(seq), -1, dtype=np.int64)
        wanted = writer.astype(np.int64) * _WIDTH + epoch
        run = np.minimum(np.searchsorted(self.code, wanted), len(self.code) - 1)
        length = self.base[run + 1] - self.base[run]
        known = (self.code[run] == wanted) & (writer >= 0) & (epoch >= 0) & (seq >= 0) & (seq < length)
        return np.where(known, self.base[run] + seq, -1)


def _number(count: int, one: str, many: str) -> str:
    return f"1 {one}" if count == 1 else f"{count:,} {many}"


def index(lines: LedgerLines) -> Entries:
    """Lay the ledger out in slots and find everything about it that contradicts how a ledger is written."""
    problems = list(lines.problems)
    marks = np.asarray([mark.value for mark in Mark], dtype=np.int8)
    sane = np.isin(lines.mark, marks) & (lines.writer >= 0) & (lines.epoch >= 0) & (lines.seq >= 0)
    sane &= lines.seq < MAX_STRETCH * (len(lines) + 1)
    if not sane.all():
        problems.append(
            f"{_number(int((~sane).sum()), 'line has', 'lines have')} an impossible writer, epoch, seq or mark"
        )
    writer, epoch, seq = lines.writer[sane].astype(np.int64), lines.epoch[sane].astype(np.int64), lines.seq[sane]
    mark, at_ns = lines.mark[sane], lines.at_ns[sane]
    code, run = _runs(writer, epoch)
    last = np.full(len(code), -1, dtype=np.int64)
    np.maximum.at(last, run, seq)
    base = np.concatenate(([0], np.cumsum(last + 1))).astype(np.int64)
    size = int(base[-1])
    slot = base[run] + seq

    def count(*which: Mark) -> Counts:
        chosen = slot[np.isin(mark, which)]
        return np.minimum(np.bincount(chosen, minlength=size), 255).astype(np.uint8)

    def instant(*which: Mark) -> Int64:
        chosen = np.isin(mark, which)
        when = np.full(size, -1, dtype=np.int64)
        when[slot[chosen]] = at_ns[chosen]
        return when

    attempted, settled = count(Mark.ATTEMPTED), count(*SETTLED)
    reading = np.isin(mark, READS)
    unsettled: Bool = (attempted > 0) & (settled == 0)
    entries = Entries(
        code=code,
        base=base,
        attempted=attempted,
        acknowledged=count(Mark.ACKNOWLEDGED),
        rejected=count(Mark.REJECTED),
        indeterminate=count(Mark.INDETERMINATE) + unsettled.astype(np.uint8),
        open=unsettled,
        attempted_ns=instant(Mark.ATTEMPTED),
        settled_ns=instant(*SETTLED),
        read_slot=slot[reading],
        read_mark=mark[reading],
        read_ns=at_ns[reading],
        problems=(),
    )
    problems += _contradictions(entries, settled)
    return replace(entries, problems=tuple(problems))


def _runs(writer: Int64, epoch: Int64) -> tuple[Int64, Int64]:
    """The different pairs of writer and epoch as sorted codes, and for each line the number of its pair.

    Counted rather than sorted where a table of all pairs that could be is no larger than the ledger itself.
    """
    epochs = int(epoch.max(initial=0)) + 1
    size = (int(writer.max(initial=0)) + 1) * epochs
    if size > len(writer):
        return np.unique(writer * _WIDTH + epoch, return_inverse=True)
    place = writer * epochs + epoch
    there = np.flatnonzero(np.bincount(place, minlength=size))
    number = np.zeros(size, dtype=np.int64)
    number[there] = np.arange(len(there))
    return (there // epochs * _WIDTH + there % epochs).astype(np.int64), number[place]


def _contradictions(entries: Entries, settled: Counts) -> list[str]:
    """What no honest ledger says."""
    attempted = entries.attempted > 0
    final = np.zeros(len(entries), dtype=np.bool_)
    final[entries.base[1:] - 1] = True
    unsure = (entries.indeterminate > 0) & attempted
    both = attempted & (entries.settled_ns >= 0)
    read_unsent = ~attempted[entries.read_slot]
    found = (
        ((settled > 0) & ~attempted, "settled but never attempted"),
        (~attempted & (settled == 0), "missing between others (a gap in seq)"),
        (entries.attempted > 1, "attempted more than once"),
        (settled > 1, "settled more than once"),
        (both & (entries.settled_ns < entries.attempted_ns), "settled before attempted: a clock went back"),
        (unsure & ~final, "indeterminate or open, yet the writer went on in the same epoch"),
        (read_unsent, "read but never attempted"),
    )
    return [
        f"{_number(int(np.count_nonzero(wrong)), 'entry is', 'entries are')} {what}"
        for wrong, what in found
        if wrong.any()
    ]


def multiplicity(entries: Entries, truth: Truth) -> tuple[Int64, Counts]:
    """The slot of each row of the truth (-1 for none), and how many rows each slot has (at most 255)."""
    slots = entries.slots(truth.writer, truth.epoch, truth.seq)
    rows = np.bincount(slots[slots >= 0], minlength=len(entries))
    return slots, np.minimum(rows, 255).astype(np.uint8)
