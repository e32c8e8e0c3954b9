"""The canary: in every judgement the checker also gets a tampered copy, and must report exactly what was done to it.

A checker can be dead for years without anybody noticing, because good systems give it nothing to find. So one entry of
every class is planted in a copy of the very arrays that are being judged. Five are done to entries of the run: a row
removed, a row doubled, a body changed, a read that misses, a foreign row. The rest needs entries that a good run does
not have (rejected but present, out of order, indeterminate), so they are a writer of their own, behind all others.

What the canary shows is that no class is dead, which does not depend on how much there is to judge. So of a large
ledger the copy is of the beginning: it is judged as it is, tampered with, and judged again.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from resilience.columns import Int64, LedgerLines, Mark, Truth
from resilience.judge.entries import Entries, index
from resilience.judge.places import blocks_of
from resilience.judge.taxonomy import CLASSES, Classified, classify

LARGE = 1 << 20
"""Of a ledger with more entries, the copy is of its beginning."""

EXCERPT = 1 << 16
"""So many lines and rows, or more if too few writes are verified in them."""

VICTIMS = ("lost", "duplicated", "corrupted", "stale")
"""What is done to entries of the run, one each."""

_PLANTED = (
    # mark of its settlement, place in the store relative to the last row, the class it must be found in
    (Mark.ACKNOWLEDGED, 2, "verified"),
    (Mark.ACKNOWLEDGED, 1, "out_of_order"),
    (Mark.REJECTED, 3, "rejected_present"),
    (Mark.INDETERMINATE, 4, "recovered"),
)


@dataclass(frozen=True, slots=True)
class Shadow:
    """The tampered copy, and which slots each class must have in it."""

    lines: LedgerLines
    truth: Truth
    expected: dict[str, Int64]


_Columns = TypeVar("_Columns", LedgerLines, Truth)


def run_canary(lines: LedgerLines, entries: Entries, truth: Truth, classified: Classified) -> str:
    """Let the checker judge a tampered copy.

    Returns:
        What it got wrong, in one sentence; empty if it reported exactly what was planted.
    """
    clean = classified.members["verified"]
    if len(clean) < len(VICTIMS):
        return f"there are only {len(clean)} verified writes, too few to plant one error of each class among them"
    if len(entries) > LARGE:
        lines, entries, truth, classified = _small(lines, truth)
    shadow = tamper(lines, entries, truth, classified)
    seen = classify(index(shadow.lines), shadow.truth)
    wrong = [
        f"{name}: {len(np.setxor1d(seen.members[name], shadow.expected[name]))} entries amiss"
        for name in CLASSES
        if not np.array_equal(seen.members[name], shadow.expected[name])
    ]
    if seen.phantom != classified.phantom + 1:
        wrong.append(f"phantom: {seen.phantom}, expected {classified.phantom + 1}")
    return "; ".join(wrong)


def _small(lines: LedgerLines, truth: Truth) -> tuple[LedgerLines, Entries, Truth, Classified]:
    """An excerpt with enough verified writes, judged; at worst all there is."""
    size = EXCERPT
    while True:
        some_lines, some_truth = excerpt(lines, truth, size)
        entries = index(some_lines)
        classified = classify(entries, some_truth)
        if classified.count("verified") >= len(VICTIMS) or size >= max(len(lines), len(truth)):
            return some_lines, entries, some_truth, classified
        size *= 8


def excerpt(lines: LedgerLines, truth: Truth, size: int) -> tuple[LedgerLines, Truth]:
    """The first lines and the first rows, so many of each: a ledger and a store that were cut off."""
    return _joined(_first(lines, size)), _joined(_first(truth, size))


def _first(columns: _Columns, size: int) -> list[_Columns]:
    """Blocks from the beginning on."""
    blocks = []
    for block in blocks_of(columns):
        blocks.append(_part(block, slice(0, size)))
        size -= len(block)
        if size <= 0:
            break
    return blocks


def _arrays(columns: LedgerLines | Truth) -> dict[str, Any]:
    found = {field.name: getattr(columns, field.name) for field in fields(columns)}
    return {name: value for name, value in found.items() if isinstance(value, np.ndarray)}


def _part(block: _Columns, part: slice) -> _Columns:
    chosen: dict[str, Any] = {name: array[part] for name, array in _arrays(block).items()}
    return replace(block, **chosen)


def _joined(blocks: list[_Columns]) -> _Columns:
    arrays = [_arrays(block) for block in blocks]
    joined: dict[str, Any] = {name: np.concatenate([each[name] for each in arrays]) for name in arrays[0]}
    return replace(blocks[0], **joined)


def tamper(lines: LedgerLines, entries: Entries, truth: Truth, classified: Classified) -> Shadow:
    """Plant one error of each class."""
    clean = classified.members["verified"]
    alone = clean[_decides_nothing(entries, truth)[clean]]
    clean = alone if len(alone) >= len(VICTIMS) else clean
    chosen = clean[np.linspace(0, len(clean) - 1, len(VICTIMS)).astype(np.int64)]
    victims = dict(zip(VICTIMS, (int(slot) for slot in chosen), strict=True))
    names = {what: entries.name(slot) for what, slot in victims.items()}
    slots = entries.slots(truth.writer, truth.epoch, truth.seq)
    late_ns = max(int(truth.read_ns), int(entries.settled_ns.max()) + 1)
    writer = int(lines.writer.max()) + 1

    shadow_truth = _tampered_truth(truth, slots, victims, writer)
    stale = names["stale"]
    added = [(stale[0], stale[1], stale[2], Mark.MISSED, late_ns)]
    early_ns = min(int(truth.read_ns), entries.last_attempt_ns)
    for seq, (mark, _, _) in enumerate(_PLANTED):
        added += [(writer, 0, seq, Mark.ATTEMPTED, early_ns), (writer, 0, seq, mark, early_ns)]
    shadow_lines = _with_lines(lines, added)

    planted: dict[str, list[int]] = {name: [slot] for name, slot in victims.items()}
    planted["over_applied"] = [victims["duplicated"]]
    for seq, (_, _, name) in enumerate(_PLANTED):
        planted.setdefault(name, []).append(len(entries) + seq)
    expected = {
        # Sorting is cheap for what is nearly sorted, and no slot is planted twice.
        name: np.sort(np.concatenate((classified.members[name], np.asarray(planted.get(name, []), dtype=np.int64))))
        for name in CLASSES
    }
    expected["verified"] = expected["verified"][~np.isin(expected["verified"], chosen)]
    return Shadow(shadow_lines, shadow_truth, expected)


def _decides_nothing(entries: Entries, truth: Truth) -> npt.NDArray[np.bool_]:
    """Which entries make no later one of their writer out of order: nothing else changes where they are tampered with.

    Where no order is asked for, an entry may be stored behind later ones, which are out of order because of it alone.
    """
    none = np.iinfo(np.int64).max
    stored = np.full(len(entries), none, dtype=np.int64)
    slots = entries.slots(truth.writer, truth.epoch, truth.seq)
    np.minimum.at(stored, slots[slots >= 0], truth.position[slots >= 0])
    later = np.full(len(entries), none, dtype=np.int64)
    for begin, end in zip(entries.base[:-1], entries.base[1:], strict=True):
        later[begin : end - 1] = np.minimum.accumulate(stored[begin + 1 : end][::-1])[::-1]
    alone: npt.NDArray[np.bool_] = stored < later
    return alone


def _tampered_truth(truth: Truth, slots: Int64, victims: dict[str, int], writer: int) -> Truth:
    last = int(truth.position.max())
    doubled = np.flatnonzero(slots == victims["duplicated"])
    kept = slots != victims["lost"]
    intact = truth.intact & (slots != victims["corrupted"])
    # A copy of the doubled row, one row of nobody's, then the planted writer.
    extra = [(int(truth.writer[i]), int(truth.epoch[i]), int(truth.seq[i]), last + 9) for i in doubled]
    extra.append((-1, -1, -1, last + 10))
    extra += [(writer, 0, seq, last + place) for seq, (_, place, _) in enumerate(_PLANTED)]
    more = np.asarray(extra, dtype=np.int64)
    return replace(
        truth,
        writer=np.concatenate((truth.writer[kept], more[:, 0].astype(np.int32))),
        epoch=np.concatenate((truth.epoch[kept], more[:, 1].astype(np.int32))),
        seq=np.concatenate((truth.seq[kept], more[:, 2])),
        intact=np.concatenate((intact[kept], np.ones(len(more), dtype=np.bool_))),
        position=np.concatenate((truth.position[kept], more[:, 3])),
        foreign=(*truth.foreign, "canary"),
    )


def _with_lines(lines: LedgerLines, added: list[tuple[int, int, int, Mark, int]]) -> LedgerLines:
    more = np.asarray(added, dtype=np.int64)
    return LedgerLines(
        writer=np.concatenate((lines.writer, more[:, 0].astype(np.int32))),
        epoch=np.concatenate((lines.epoch, more[:, 1].astype(np.int32))),
        seq=np.concatenate((lines.seq, more[:, 2])),
        mark=np.concatenate((lines.mark, more[:, 3].astype(np.int8))),
        status=np.concatenate((lines.status, np.zeros(len(more), dtype=np.int16))),
        at_ns=np.concatenate((lines.at_ns, more[:, 4])),
    )
