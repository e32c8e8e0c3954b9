"""The write ledger as flat arrays: one slot for each entry, found by arithmetic instead of hashing.

Entries are named (writer, epoch, seq) with dense `seq`, so the entries of one writer and epoch lie side by side and the
slot of an entry is the start of its run plus `seq`. Everything else is counting.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from resilience.columns import Bool, Int32, Int64, LedgerLines, Mark, Truth

_WIDTH = 2**31
"""Writers and epochs are 32-bit numbers: writer · 2³¹ + epoch is unique and fits in 64 bits."""

MAX_STRETCH = 64
"""A seq beyond this many times the number of lines cannot be dense; such a line is a problem, not a slot."""

SETTLED = (Mark.ACKNOWLEDGED, Mark.REJECTED, Mark.INDETERMINATE)
READS = (Mark.SEEN, Mark.MISSED, Mark.WRONG)

Counts = npt.NDArray[np.uint8]


_BITS = {Mark.ATTEMPTED: 1, Mark.ACKNOWLEDGED: 2, Mark.REJECTED: 4, Mark.INDETERMINATE: 8}
_SETTLED = _BITS[Mark.ACKNOWLEDGED] | _BITS[Mark.REJECTED] | _BITS[Mark.INDETERMINATE]
_OPEN = 16
_BLOCK = 1 << 17
"""So many lines or rows are looked at together; what is made of them stays small."""


@runtime_checkable
class Stored(Protocol):
    """Columns that are not in memory but can be gone through, as often as needed."""

    def blocks(self) -> Iterator[Any]:
        """All of them, in parts of the same kind."""


_Columns = TypeVar("_Columns", LedgerLines, Truth)


def blocks_of(columns: _Columns) -> Iterator[_Columns]:
    """The lines of a ledger or the rows of a truth in parts of a bounded size."""
    if isinstance(columns, Stored):
        yield from columns.blocks()
        return
    names = [field.name for field in fields(columns) if isinstance(getattr(columns, field.name), np.ndarray)]
    for begin in range(0, len(columns), _BLOCK):
        part: dict[str, Any] = {name: getattr(columns, name)[begin : begin + _BLOCK] for name in names}
        yield replace(columns, **part)


@dataclass(frozen=True, slots=True)
class Entries:
    """The ledger's entries, slot by slot, and what is wrong with the ledger itself.

    Attributes:
        code: writer and epoch of each run of slots, sorted.
        base: the first slot of each run; one more than `code`, the last being the number of slots.
        state: what was noted of each slot, as bits.
        repeated: how often, at most 255, for each mark that some slot has more than once.
        settled_ns: when; -1 if never.
        last_attempt_ns: when the last attempt began.
        read_slot, read_mark, read_ns: the reads through the service, in the order of the ledger.
        problems: why the ledger cannot be believed; any of it keeps the verdict from passing.
    """

    code: Int64
    base: Int64
    state: Counts
    repeated: Mapping[Mark, Counts]
    settled_ns: Int64
    last_attempt_ns: int
    read_slot: Int64
    read_mark: npt.NDArray[np.int8]
    read_ns: Int64
    problems: tuple[str, ...]

    @property
    def attempted(self) -> Counts:
        """How often each was, at most 255."""
        return self._count(Mark.ATTEMPTED)

    @property
    def acknowledged(self) -> Counts:
        """How often each was, at most 255."""
        return self._count(Mark.ACKNOWLEDGED)

    @property
    def rejected(self) -> Counts:
        """How often each was, at most 255."""
        return self._count(Mark.REJECTED)

    @property
    def indeterminate(self) -> Counts:
        """How often each was; an entry that was attempted and never settled counts as it, and as `open`."""
        return self._count(Mark.INDETERMINATE) + self.open

    @property
    def open(self) -> Bool:
        """Which were attempted and never settled."""
        return (self.state & _OPEN).astype(np.bool_)

    def noted(self, mark: Mark) -> Bool:
        """Which have the mark at all."""
        return (self.state & _BITS[mark]).astype(np.bool_)

    def _count(self, mark: Mark) -> Counts:
        if mark in self.repeated:
            return self.repeated[mark]
        return (self.state & _BITS[mark]).astype(np.bool_).view(np.uint8)

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
    """Lay the ledger out in slots and find everything about it that contradicts how a ledger is written.

    The ledger is gone through twice, block by block: for the layout, then to fill it.
    """
    problems = list(lines.problems)
    limit = MAX_STRETCH * (len(lines) + 1)
    code, base, insane = _layout(lines, limit)
    if insane:
        problems.append(f"{_number(insane, 'line has', 'lines have')} an impossible writer, epoch, seq or mark")
    filling = _Filling(code, base)
    for block in blocks_of(lines):
        filling.add(block, _sane(block, limit))
    entries = filling.entries()
    repeated = filling.repeated()
    if repeated:
        entries = replace(entries, repeated=_counted(lines, limit, entries, repeated))
    problems += _contradictions(entries, filling.turned)
    return replace(entries, problems=tuple(problems))


_KNOWN = np.zeros(256, np.bool_)
_KNOWN[[mark.value for mark in Mark]] = True


def _sane(block: LedgerLines, limit: int) -> Bool:
    """The lines that can belong to a slot."""
    sane: Bool = _KNOWN[block.mark.view(np.uint8)] & (block.writer >= 0) & (block.epoch >= 0) & (block.seq >= 0)
    sane &= block.seq < limit
    return sane


def _layout(lines: LedgerLines, limit: int) -> tuple[Int64, Int64, int]:
    """Code and base of the runs of slots, and how many lines belong to none."""
    last: dict[int, int] = {}
    insane = 0
    for block in blocks_of(lines):
        sane = _sane(block, limit)
        insane += len(sane) - int(np.count_nonzero(sane))
        code, run = _runs(block.writer[sane], block.epoch[sane])
        highest = np.full(len(code), -1, dtype=np.int64)
        np.maximum.at(highest, run, block.seq[sane])
        for key, seq in zip(code.tolist(), highest.tolist(), strict=True):
            last[key] = max(seq, last.get(key, -1))
    codes = np.array(sorted(last), dtype=np.int64)
    lengths = np.array([last[key] + 1 for key in codes.tolist()], dtype=np.int64)
    return codes, np.concatenate(([0], np.cumsum(lengths))).astype(np.int64), insane


class _Filling:
    """Fills the slots, block by block.

    An entry's attempt is noted before its outcome, but nothing here relies on it: whichever comes first leaves its
    instant in `settled_ns`, and the other is compared with it.
    """

    def __init__(self, code: Int64, base: Int64) -> None:
        size = int(base[-1])
        self._code, self._base = code, base
        self._state = np.zeros(size, dtype=np.uint8)
        self._when = np.full(size, -1, dtype=np.int64)
        self._lines = dict.fromkeys(_BITS, 0)
        self._reads: list[tuple[Int64, npt.NDArray[np.int8], Int64]] = []
        self._last_attempt_ns = -1
        self.turned = 0

    def add(self, block: LedgerLines, sane: Bool) -> None:
        """Take a block of the ledger."""
        mark, at_ns = block.mark[sane], block.at_ns[sane]
        slot = _slots(self._code, self._base, block, sane)
        state, when = self._state, self._when
        chosen = {one: mark == one for one in _BITS}
        begun = slot[chosen[Mark.ATTEMPTED]]
        begun_ns = at_ns[chosen[Mark.ATTEMPTED]]
        before = (state[begun] & _SETTLED) > 0
        self.turned += int(np.count_nonzero(before & (when[begun] < begun_ns)))
        when[begun[~before]] = begun_ns[~before]
        self._last_attempt_ns = max(self._last_attempt_ns, int(begun_ns.max(initial=-1)))
        state[begun] |= np.uint8(_BITS[Mark.ATTEMPTED])
        for one in SETTLED:
            settled, settled_ns = slot[chosen[one]], at_ns[chosen[one]]
            known = state[settled]
            first = (known & _BITS[Mark.ATTEMPTED] > 0) & (known & _SETTLED == 0)
            self.turned += int(np.count_nonzero(first & (settled_ns < when[settled])))
            when[settled] = settled_ns
            state[settled] |= np.uint8(_BITS[one])
        for one, which in chosen.items():
            self._lines[one] += int(np.count_nonzero(which))
        reading = np.isin(mark, READS)
        if reading.any():
            self._reads.append((slot[reading], mark[reading], at_ns[reading]))

    def repeated(self) -> list[Mark]:
        """The marks that some slot has more than once."""
        return [one for one, bit in _BITS.items() if np.count_nonzero(self._state & bit) != self._lines[one]]

    def entries(self) -> Entries:
        """Everything, still without what contradicts itself."""
        unsettled = self._state & (_BITS[Mark.ATTEMPTED] | _SETTLED) == _BITS[Mark.ATTEMPTED]
        self._state[unsettled] |= np.uint8(_OPEN)
        self._when[unsettled] = -1
        nothing = (np.empty(0, np.int64), np.empty(0, np.int8), np.empty(0, np.int64))
        slot, mark, at_ns = (np.concatenate(parts) for parts in zip(nothing, *self._reads, strict=True))
        return Entries(
            code=self._code,
            base=self._base,
            state=self._state,
            repeated={},
            settled_ns=self._when,
            last_attempt_ns=self._last_attempt_ns,
            read_slot=slot,
            read_mark=mark,
            read_ns=at_ns,
            problems=(),
        )


def _slots(code: Int64, base: Int64, block: LedgerLines, sane: Bool) -> Int64:
    there, run = _runs(block.writer[sane], block.epoch[sane])
    slots: Int64 = base[np.searchsorted(code, there)][run] + block.seq[sane]
    return slots


def _counted(lines: LedgerLines, limit: int, entries: Entries, marks: list[Mark]) -> dict[Mark, Counts]:
    """How often each slot has the marks."""
    counts = {mark: np.zeros(len(entries), dtype=np.uint32) for mark in marks}
    for block in blocks_of(lines):
        sane = _sane(block, limit)
        slot, mark = _slots(entries.code, entries.base, block, sane), block.mark[sane]
        for one, count in counts.items():
            np.add.at(count, slot[mark == one], np.uint32(1))
    return {mark: np.minimum(count, 255).astype(np.uint8) for mark, count in counts.items()}


def attempts(lines: LedgerLines, entries: Entries, slots: Int64) -> dict[int, int]:
    """When the entries in a few slots were attempted."""
    found: dict[int, int] = {}
    for block in blocks_of(lines):
        begun = entries.slots(block.writer, block.epoch, block.seq)
        here = np.flatnonzero(np.isin(begun, slots) & (block.mark == Mark.ATTEMPTED))
        found.update(zip(begun[here].tolist(), block.at_ns[here].tolist(), strict=True))
    return found


def _runs(writer: Int32, epoch: Int32) -> tuple[Int64, Int64]:
    """The different pairs of writer and epoch as sorted codes, and for each line the number of its pair.

    Counted rather than sorted where a table of all pairs that could be is no larger than the ledger itself.
    """
    writer, epoch = writer.astype(np.int64), epoch.astype(np.int64)
    epochs = int(epoch.max(initial=0)) + 1
    size = (int(writer.max(initial=0)) + 1) * epochs
    if size > len(writer):
        return np.unique(writer * _WIDTH + epoch, return_inverse=True)
    place = writer * epochs + epoch
    there = np.flatnonzero(np.bincount(place, minlength=size))
    number = np.zeros(size, dtype=np.int64)
    number[there] = np.arange(len(there))
    return (there // epochs * _WIDTH + there % epochs).astype(np.int64), number[place]


def _contradictions(entries: Entries, turned: int) -> list[str]:
    """What no honest ledger says."""
    attempted = entries.noted(Mark.ATTEMPTED)
    settled = (entries.state & _SETTLED) > 0
    final = np.zeros(len(entries), dtype=np.bool_)
    final[entries.base[1:] - 1] = True
    unsure = (entries.state & (_BITS[Mark.INDETERMINATE] | _OPEN)).astype(np.bool_) & attempted
    found = (
        (settled & ~attempted, "settled but never attempted"),
        (~attempted & ~settled, "missing between others (a gap in seq)"),
        (_more_than_once(entries, Mark.ATTEMPTED), "attempted more than once"),
        (_more_than_once(entries, *SETTLED), "settled more than once"),
        (np.ones(turned, np.bool_), "settled before attempted: a clock went back"),
        (unsure & ~final, "indeterminate or open, yet the writer went on in the same epoch"),
        (~attempted[entries.read_slot], "read but never attempted"),
    )
    return [
        f"{_number(int(np.count_nonzero(wrong)), 'entry is', 'entries are')} {what}"
        for wrong, what in found
        if wrong.any()
    ]


def _more_than_once(entries: Entries, *marks: Mark) -> Bool:
    """Which have the marks together more than once."""
    bits = sum(_BITS[mark] for mark in marks)
    seen = entries.state & bits
    more: Bool = (seen & (seen - 1) > 0) & (seen > 0)
    for mark in marks:
        if mark in entries.repeated:
            more |= entries.repeated[mark] > 1
    return more
