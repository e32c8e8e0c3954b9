"""The canary of an account: errors planted in copies of the very truth that is judged, each of which must be found.

A checker that finds nothing in good systems could be dead without anybody noticing (see `judge.canary`). Each plant
changes one row, or adds one, and must add exactly one to the count of its class.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from resilience.columns import Int64, Truth
from resilience.judge.effects.append import PLACES
from resilience.judge.effects.document import last_writes
from resilience.judge.effects.findings import Findings
from resilience.judge.effects.sent import Sent
from resilience.model import Account, Effect

FAR = 2**40
"""So much is no counter off by itself."""

Judge = Callable[[Sent, Truth, Account], Findings]
Plant = tuple[str, Truth]


def canary(judge: Judge, sent: Sent, truth: Truth, account: Account, found: Findings) -> str:
    """Let the checker judge tampered copies.

    Returns:
        What it got wrong, in one sentence; empty if it found every error that was planted.
    """
    if len(found.right) == 0:
        return "nothing was verified, so that no error could be planted"
    wrong, planted = [], 0
    for name, tampered in plants(sent, truth, account, found.right):
        planted += 1
        seen = judge(sent, tampered, account).counts[name]
        if seen != found.counts[name] + 1:
            wrong.append(f"{name}: {seen}, expected {found.counts[name] + 1}")
    return "; ".join(wrong) if planted else "no error could be planted"


def plants(sent: Sent, truth: Truth, account: Account, right: Int64) -> Iterator[Plant]:
    """One error of each class that can be made of a row that is right, and a row of nobody's."""
    row = _row_of(sent, truth, account, right)
    yield "phantom", _with_row(truth, -1, -1, -1, 0)
    if row is None:
        return
    if account.rows > 1:
        yield from _of_units(sent, truth, row)
        return
    yield from {
        Effect.COUNTER: _of_values,
        Effect.TRANSFER: _of_values,
        Effect.DOCUMENT: _of_documents,
        Effect.APPEND: _of_elements,
    }.get(account.effect, _of_messages)(sent, truth, row)


def _row_of(sent: Sent, truth: Truth, account: Account, right: Int64) -> int | None:
    """The row of something that is right."""
    if account.effect in {Effect.COUNTER, Effect.TRANSFER}:
        found = np.flatnonzero((truth.writer == sent.place) & (truth.epoch == 0) & np.isin(truth.seq, right))
    elif account.effect is Effect.DOCUMENT:
        certain = np.setdiff1d(right, np.flatnonzero(last_writes(sent, account).absent))
        found = np.flatnonzero(np.isin(truth.position, certain))
    else:
        found = np.flatnonzero(np.isin(sent.entries.slots(truth.writer, truth.epoch, truth.seq), right))
    return int(found[len(found) // 2]) if len(found) else None


def _of_values(_: Sent, truth: Truth, row: int) -> Iterator[Plant]:
    yield "under_applied", _changed(truth, row, position=int(truth.position[row]) - FAR)
    yield "over_applied", _changed(truth, row, position=int(truth.position[row]) + FAR)
    yield "duplicated", _doubled(truth, row)


def _of_documents(sent: Sent, truth: Truth, row: int) -> Iterator[Plant]:
    yield "lost", _without(truth, row)
    yield "duplicated", _doubled(truth, row)
    yield "corrupted", _changed(truth, row, intact=False)
    yield "misattributed", _changed(truth, row, position=sent.objects + 7)
    older = _older(sent, truth, row)
    if older is not None:
        writer, epoch, seq = sent.entries.name(older)
        yield "lost_updates", _changed(truth, row, writer=writer, epoch=epoch, seq=seq, intact=True)


def _older(sent: Sent, truth: Truth, row: int) -> int | None:
    """An acknowledged write to the same object that was settled before the one that is there began."""
    one = slice(row, row + 1)
    there = int(sent.entries.slots(truth.writer[one], truth.epoch[one], truth.seq[one])[0])
    older = sent.sure & (sent.object == sent.object[there]) & (sent.entries.settled_ns < sent.begun_ns[there])
    older &= (sent.value > 0) & (sent.value < sent.value[there])
    found = np.flatnonzero(older)
    return int(found[0]) if len(found) else None


def _of_messages(_: Sent, truth: Truth, row: int) -> Iterator[Plant]:
    yield "lost", _without(truth, row)
    yield "duplicated", _doubled(truth, row)
    yield "corrupted", _changed(truth, row, intact=False)


def _of_units(sent: Sent, truth: Truth, row: int) -> Iterator[Plant]:
    slots = sent.entries.slots(truth.writer, truth.epoch, truth.seq)
    yield "partial", _without(truth, row)
    yield "lost", _without(truth, np.flatnonzero(slots == slots[row]))
    yield "duplicated", _doubled(truth, row)
    yield "corrupted", _changed(truth, row, intact=False)


def _of_elements(sent: Sent, truth: Truth, row: int) -> Iterator[Plant]:
    yield from _of_messages(sent, truth, row)
    yield "misattributed", _changed(truth, row, position=int(truth.position[row]) + sent.objects * PLACES)


def _changed(truth: Truth, row: int, **values: int) -> Truth:
    columns: dict[str, Any] = {}
    for name, value in values.items():
        columns[name] = getattr(truth, name).astype(np.int64 if name != "intact" else np.bool_)
        columns[name][row] = value
    return replace(truth, **columns)


_COLUMNS = ("writer", "epoch", "seq", "intact", "position")


def _each(truth: Truth, change: Callable[[str, Any], Any]) -> Truth:
    columns: dict[str, Any] = {name: change(name, getattr(truth, name)) for name in _COLUMNS}
    return replace(truth, **columns)


def _without(truth: Truth, row: int | Int64) -> Truth:
    return _each(truth, lambda _, column: np.delete(column, row))


def _doubled(truth: Truth, row: int) -> Truth:
    return _each(truth, lambda _, column: np.append(column, column[row]))


def _with_row(truth: Truth, writer: int, epoch: int, seq: int, position: int) -> Truth:
    values = dict(zip(_COLUMNS, (writer, epoch, seq, True, position), strict=True))
    return _each(truth, lambda name, column: np.append(column, np.asarray(values[name], column.dtype)))
