"""The write ledger as flat arrays: one slot for each entry, found by arithmetic instead of hashing.

Entries are named (writer, epoch, seq) with dense `seq`, so the entries of one writer and epoch lie side by side and the
slot of an entry is the start of its run plus `seq`. Everything else is counting.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from resilience.columns import Bool, Int64, LedgerLines, Mark
from resilience.judge.places import CHUNK, WIDTH, Measured, Places, blocks_of, runs

MAX_STRETCH = 64
"""A seq beyond this many times the number of lines cannot be dense; such a line is a problem, not a slot."""

SETTLED = (Mark.ACKNOWLEDGED, Mark.REJECTED, Mark.INDETERMINATE)
READS = (Mark.SEEN, Mark.MISSED, Mark.WRONG)

Counts = npt.NDArray[np.uint8]


_BITS = {Mark.ATTEMPTED: 1, Mark.ACKNOWLEDGED: 2, Mark.REJECTED: 4, Mark.INDETERMINATE: 8}
ACKNOWLEDGED = _BITS[Mark.ACKNOWLEDGED]
"""In `Entries.state`."""
_SETTLED = _BITS[Mark.ACKNOWLEDGED] | _BITS[Mark.REJECTED] | _BITS[Mark.INDETERMINATE]
_OPEN = 16


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
        return code // WIDTH, code % WIDTH, slot - int(self.base[run])

    def slots(self, writer: npt.NDArray[Any], epoch: npt.NDArray[Any], seq: npt.NDArray[Any]) -> Int64:
        """The slots of entries by name; -1 where the ledger has no such entry."""
        return Places(self.code, self.base).slots(writer, epoch, seq)

    def chunks(self) -> Iterator[tuple[int, "Entries"]]:
        """Slots that lie side by side, in parts of a bounded size: the first slot, and state and times of them."""
        for begin in range(0, len(self), CHUNK):
            part = slice(begin, begin + CHUNK)
            repeated = {mark: count[part] for mark, count in self.repeated.items()}
            yield begin, replace(self, state=self.state[part], settled_ns=self.settled_ns[part], repeated=repeated)


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
        filling.add(_sane(block, limit))
    entries = filling.entries()
    repeated = filling.repeated()
    if repeated:
        entries = replace(entries, repeated=_counted(lines, limit, entries, repeated))
    problems += _contradictions(entries, filling.turned)
    return replace(entries, problems=tuple(problems))


_LOWEST, _HIGHEST = min(Mark).value, max(Mark).value


def _sane(block: LedgerLines, limit: int) -> LedgerLines:
    """The lines that can belong to a slot; mostly all of them."""
    lows = ((block.mark, _LOWEST), (block.writer, 0), (block.epoch, 0), (block.seq, 0))
    highs = ((block.mark, _HIGHEST), (block.seq, limit - 1))
    if len(block) == 0 or (all(c.min() >= low for c, low in lows) and all(c.max() <= high for c, high in highs)):
        return block
    sane = np.ones(len(block), dtype=np.bool_)
    for column, low in lows:
        sane &= column >= low
    for column, high in highs:
        sane &= column <= high
    kept: dict[str, Any] = {
        field.name: value[sane]
        for field in fields(block)
        if isinstance(value := getattr(block, field.name), np.ndarray)
    }
    return replace(block, **kept)


def _layout(lines: LedgerLines, limit: int) -> tuple[Int64, Int64, int]:
    """Code and base of the runs of slots, and how many lines belong to none."""
    known = lines.highest() if isinstance(lines, Measured) else None
    if known and max(known.values()) < limit:
        return *_bases(known), 0
    last: dict[int, int] = {}
    insane = 0
    for whole in blocks_of(lines):
        block = _sane(whole, limit)
        insane += len(whole) - len(block)
        code, run = runs(block.writer, block.epoch)
        highest = np.full(len(code), -1, dtype=np.int64)
        np.maximum.at(highest, run, block.seq)
        for key, seq in zip(code.tolist(), highest.tolist(), strict=True):
            last[key] = max(seq, last.get(key, -1))
    return *_bases(last), insane


def _bases(last: Mapping[int, int]) -> tuple[Int64, Int64]:
    codes = np.array(sorted(last), dtype=np.int64)
    lengths = np.array([last[key] + 1 for key in codes.tolist()], dtype=np.int64)
    return codes, np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)


class _Filling:
    """Fills the slots, block by block.

    An entry's attempt is noted before its outcome, but nothing here relies on it: whichever comes first leaves its
    instant in `settled_ns`, and the other is compared with it.
    """

    def __init__(self, code: Int64, base: Int64) -> None:
        size = int(base[-1])
        self._code, self._base = code, base
        self._places = Places(code, base)
        self._state = np.zeros(size, dtype=np.uint8)
        self._when = np.full(size, -1, dtype=np.int64)
        self._lines = dict.fromkeys(_BITS, 0)
        self._reads: list[tuple[Int64, npt.NDArray[np.int8], Int64]] = []
        self._last_attempt_ns = -1
        self.turned = 0

    def add(self, block: LedgerLines) -> None:
        """Take a block of the ledger."""
        slot = self._places.slots(block.writer, block.epoch, block.seq)
        rest = len(block)
        for one in _BITS:
            # What a mask chooses is found much sooner by number.
            chosen = np.flatnonzero(block.mark == one)
            if len(chosen):
                self._lines[one] += len(chosen)
                add = self._begin if one is Mark.ATTEMPTED else self._settle
                add(one, slot.take(chosen), block.at_ns.take(chosen))
            rest -= len(chosen)
        if rest:
            chosen = np.flatnonzero(np.isin(block.mark, READS))
            self._reads.append((slot.take(chosen), block.mark.take(chosen), block.at_ns.take(chosen)))

    def _begin(self, mark: Mark, slot: Int64, at_ns: Int64) -> None:
        known = self._state.take(slot)
        before = (known & _SETTLED).astype(np.bool_)
        fresh = slot
        if before.any():
            self.turned += int(np.count_nonzero(before & (self._when.take(slot) < at_ns)))
            fresh = slot[~before]
        self._when[fresh] = at_ns if fresh is slot else at_ns[~before]
        self._last_attempt_ns = max(self._last_attempt_ns, int(at_ns.max()))
        # Gathered anew where an entry is in the block twice: the same bit is set in both, so either will do.
        self._state[slot] = known | np.uint8(_BITS[mark])

    def _settle(self, mark: Mark, slot: Int64, at_ns: Int64) -> None:
        known = self._state.take(slot)
        first = known & (_BITS[Mark.ATTEMPTED] | _SETTLED) == _BITS[Mark.ATTEMPTED]
        self.turned += int(np.count_nonzero(first & (at_ns < self._when.take(slot))))
        self._when[slot] = at_ns
        self._state[slot] = known | np.uint8(_BITS[mark])

    def repeated(self) -> list[Mark]:
        """The marks that some slot has more than once."""
        return [one for one, bit in _BITS.items() if np.count_nonzero(self._state & bit) != self._lines[one]]

    def entries(self) -> Entries:
        """Everything, still without what contradicts itself."""
        for begin in range(0, len(self._state), CHUNK):
            state = self._state[begin : begin + CHUNK]
            unsettled = np.flatnonzero(state & (_BITS[Mark.ATTEMPTED] | _SETTLED) == _BITS[Mark.ATTEMPTED])
            state[unsettled] |= np.uint8(_OPEN)
            self._when[unsettled + begin] = -1
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


def _counted(lines: LedgerLines, limit: int, entries: Entries, marks: list[Mark]) -> dict[Mark, Counts]:
    """How often each slot has the marks."""
    counts = {mark: np.zeros(len(entries), dtype=np.uint32) for mark in marks}
    places = Places(entries.code, entries.base)
    for whole in blocks_of(lines):
        block = _sane(whole, limit)
        slot = places.slots(block.writer, block.epoch, block.seq)
        for one, count in counts.items():
            np.add.at(count, slot[block.mark == one], np.uint32(1))
    return {mark: np.minimum(count, 255).astype(np.uint8) for mark, count in counts.items()}


def attempts(lines: LedgerLines, entries: Entries, slots: Int64) -> dict[int, int]:
    """When the entries in a few slots were attempted."""
    found: dict[int, int] = {}
    for block in blocks_of(lines):
        begun = entries.slots(block.writer, block.epoch, block.seq)
        here = np.flatnonzero(np.isin(begun, slots) & (block.mark == Mark.ATTEMPTED))
        found.update(zip(begun[here].tolist(), block.at_ns[here].tolist(), strict=True))
    return found


_UNSURE = _BITS[Mark.INDETERMINATE] | _OPEN


def _contradictions(entries: Entries, turned: int) -> list[str]:
    """What no honest ledger says."""
    final = np.sort(entries.base[1:] - 1)
    found = Counter[str]()
    for begin, part in entries.chunks():
        attempted = part.noted(Mark.ATTEMPTED)
        settled = (part.state & _SETTLED).astype(np.bool_)
        unsure = np.flatnonzero((part.state & _UNSURE).astype(np.bool_) & attempted) + begin
        found["settled but never attempted"] += int(np.count_nonzero(settled & ~attempted))
        found["missing between others (a gap in seq)"] += int(np.count_nonzero(~(attempted | settled)))
        found["attempted more than once"] += _more_than_once(part, Mark.ATTEMPTED)
        found["settled more than once"] += _more_than_once(part, *SETTLED)
        found["indeterminate or open, yet the writer went on in the same epoch"] += len(np.setdiff1d(unsure, final))
    found["settled before attempted: a clock went back"] = turned
    read = entries.state.take(entries.read_slot)
    found["read but never attempted"] = int(np.count_nonzero(read & _BITS[Mark.ATTEMPTED] == 0))
    return [f"{_number(found[what], 'entry is', 'entries are')} {what}" for what in _WRONG if found[what]]


_WRONG = (
    "settled but never attempted",
    "missing between others (a gap in seq)",
    "attempted more than once",
    "settled more than once",
    "settled before attempted: a clock went back",
    "indeterminate or open, yet the writer went on in the same epoch",
    "read but never attempted",
)


def _more_than_once(entries: Entries, *marks: Mark) -> int:
    """How many have the marks together more than once."""
    seen = entries.state & sum(_BITS[mark] for mark in marks)
    more = _SEVERAL.take(seen)
    for mark in marks:
        if mark in entries.repeated:
            more |= entries.repeated[mark] > 1
    return int(np.count_nonzero(more))


_SEVERAL = np.array([bits.bit_count() > 1 for bits in range(256)])
