"""Rows of ledger entries as a store holds them, turned into columns: many at once where they look alike, exactly.

A line of a matrix is one row of `COPY (SELECT id, body, position …) TO STDOUT (FORMAT binary)`: the frame of its
message, the number of fields, and each field behind its length.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from resilience.columns import Bool, Int64, Truth
from resilience.entry import EPOCH_DIGITS, SEQ_DIGITS, TAIL, WRITER_DIGITS, body_of, parse_id, prefix_of, tails_of
from resilience.observe.copying import FRAME, Bytes

MAX_FOREIGN = 32
"""Ids that are not ours but have our prefix: this many are named."""

_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = FRAME.size + 2
_COUNT = struct.Struct(">h")
_LENGTH = struct.Struct(">i")
_FIELDS = 3
_NULL = -1
_MOST = (9, 9, 18)
"""Digits of writer, epoch and seq that certainly fit; rows with more are looked at one by one."""

Row = tuple[str | None, str | None, int | None]


class Columns:
    """Takes rows and gives them back as a `Truth`, in order of position.

    Rows mostly come nearly in that order, so only those that are behind an earlier one are moved, at the end. Columns
    are as narrow as their values allow: ten million rows are mostly a hundred and twenty megabytes.

    Args:
        run: whose ids are ours.
        expected: how many rows there will be.
    """

    def __init__(self, run: str, expected: int = 1024) -> None:
        self._run = run
        self._size = 0
        self._columns: dict[str, npt.NDArray[np.generic]] = {
            "writer": np.empty(expected, np.int16),
            "epoch": np.empty(expected, np.int8),
            "seq": np.empty(expected, np.int32),
            "intact": np.empty(expected, np.bool_),
            "position": np.empty(expected, np.int32),
        }
        self._late: list[dict[str, npt.NDArray[np.generic]]] = []
        self._last = np.iinfo(np.int64).min
        self._foreign: list[str] = []

    def __len__(self) -> int:
        """The number of rows."""
        return self._size + sum(len(late["seq"]) for late in self._late)

    def add(self, entry_id: str, body: str, position: int) -> None:
        """Take one row."""
        self.add_all([(entry_id, body, position)])

    def add_all(self, rows: Sequence[tuple[str, str, int]]) -> None:
        """Take rows one by one."""
        names, intact = [], []
        for entry_id, body, _ in rows:
            parsed = parse_id(entry_id, self._run)
            if parsed is None and len(self._foreign) < MAX_FOREIGN:
                self._foreign.append(entry_id)
            names.append(parsed or (-1, -1, -1))
            intact.append(parsed is not None and body == body_of(entry_id))
        table: Int64 = np.array(names, np.int64).reshape(-1, 3)
        self._append(
            writer=table[:, 0],
            epoch=table[:, 1],
            seq=table[:, 2],
            intact=np.array(intact, np.bool_),
            position=np.array([position for _, _, position in rows], np.int64),
        )

    def add_copied(self, matrix: Bytes) -> None:
        """Take rows of equal length as they were copied.

        Raises:
            ValueError: a row has no id or no position; both are shown.
        """
        slow = self._alike(matrix) if matrix.shape[1] > _TRAILER else np.ones(len(matrix), np.bool_)
        for line in matrix[slow]:
            for entry_id, body, position in _fields(line.tobytes()):
                if entry_id is None or position is None:
                    raise ValueError(f"id {entry_id!r:.60}, body {body!r:.60}, position {position!r:.60}")
                self.add(entry_id, body or "", position)

    def _alike(self, matrix: Bytes) -> Bool:
        """Take the rows that are built as the first one is; tell which are not."""
        layout = _Layout.of(matrix[0].tobytes(), self._run)
        if layout is None:
            return np.ones(len(matrix), np.bool_)
        good = np.ones(len(matrix), np.bool_)
        for place, width in layout.same:
            part = matrix[:, place : place + width].view(f"u{width}")[:, 0]
            good &= part == part[0]
        writer, epoch, seq = (_number(matrix, *digits, good) for digits in layout.numbers)
        tail, end = layout.position - _LENGTH.size - TAIL, layout.position - _LENGTH.size
        same_id = matrix[:, layout.body : tail] == matrix[:, layout.id : layout.body - _LENGTH.size]
        same_tail = matrix[:, tail:end] == tails_of(self._run, writer, epoch, seq)
        intact = np.ones(len(matrix), np.bool_)
        if not (same_id.all() and same_tail.all()):
            intact = same_id.all(axis=1) & same_tail.all(axis=1)
        position = np.ascontiguousarray(matrix[:, layout.position :]).view(">i8")[:, 0].astype(np.int64)
        block = {"writer": writer, "epoch": epoch, "seq": seq, "intact": intact, "position": position}
        self._append(**(block if good.all() else {name: values[good] for name, values in block.items()}))
        return ~good

    def _append(self, **block: npt.NDArray[np.generic]) -> None:
        position: Int64 = block["position"].astype(np.int64, copy=False)
        if len(position) == 0:
            return
        if position[0] < self._last or (position[1:] < position[:-1]).any():
            highest = np.maximum.accumulate(np.concatenate(([self._last], position)))
            behind = position < highest[1:]
            self._late.append({name: values[behind] for name, values in block.items()})
            block = {name: values[~behind] for name, values in block.items()}
            self._last = int(highest[-1])
        else:
            self._last = int(position[-1])
        end = self._size + len(block["position"])
        for name, values in block.items():
            self._columns[name] = column = _fitting(self._columns[name], values, end)
            column[self._size : end] = values
        self._size = end

    def truth(self, facts: dict[str, str], read_ns: int) -> Truth:
        """All rows in order of position; to be asked for once."""
        late = {name: np.concatenate([part[name] for part in self._late]) for name in self._columns if self._late}
        self._late.clear()
        if late:
            order = np.argsort(late["position"], kind="stable")
            total = self._size + len(order)
            grown = {name: _fitting(column, late[name], total) for name, column in self._columns.items()}
            position = grown["position"][: self._size]
            # Of the same type, else all positions were converted first.
            wanted = late["position"][order].astype(position.dtype)
            places = np.searchsorted(position, wanted, side="right").astype(np.int64)
            for name, column in grown.items():
                self._columns[name] = _inserted(column, self._size, late[name][order], places)
            self._size += len(order)
        for name, column in self._columns.items():
            self._columns[name] = column[: self._size]
            self._columns[name].setflags(write=False)
        return Truth(**self._columns, foreign=tuple(sorted(self._foreign)), facts=facts, read_ns=read_ns)  # type: ignore[arg-type]


class _Layout(NamedTuple):
    """Where everything is in a row of ours whose body is as long as it should be.

    Attributes:
        id, body, position: where each begins.
        same: what is alike in all rows of that layout: where each part begins, and how long it is.
        numbers: writer, epoch and seq: where each begins, with how many digits, and with how many at least.
    """

    id: int
    body: int
    position: int
    same: tuple[tuple[int, int], ...]
    numbers: tuple[tuple[int, int, int], ...]

    @classmethod
    def of(cls, row: bytes, run: str) -> "_Layout | None":
        """The layout of a row; None if it has another one."""
        at = FRAME.size + _COUNT.size + _LENGTH.size
        (length,) = _LENGTH.unpack_from(row, at - _LENGTH.size)
        entry_id = row[at : at + max(0, length)]
        body = at + length + _LENGTH.size
        position = body + length + TAIL + _LENGTH.size
        digits = [len(part) for part in entry_id.split(b"-")[-3:]]
        if parse_id(entry_id.decode(errors="replace"), run) is None or len(row) != position + 8:
            return None
        told = (_LENGTH.unpack_from(row, body - _LENGTH.size)[0], _LENGTH.unpack_from(row, position - _LENGTH.size)[0])
        if told != (length + TAIL, 8) or _COUNT.unpack_from(row, FRAME.size)[0] != _FIELDS:
            return None
        if any(count > most for count, most in zip(digits, _MOST, strict=True)):
            return None
        numbers, place = [], at + len(prefix_of(run))
        same = [*_parts(FRAME.size, place)]
        for count, least in zip(digits, (WRITER_DIGITS, EPOCH_DIGITS, SEQ_DIGITS), strict=True):
            numbers.append((place, count, least))
            place += count
            same.append((place, 1))  # a hyphen, or what is behind the id
            place += 1
        same += [*_parts(at + length, body), *_parts(position - _LENGTH.size, position)]
        return cls(at, body, position, tuple(same), tuple(numbers))


def _parts(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut into parts of lengths that a number in memory may have: each is compared at once."""
    for width in (8, 4, 2, 1):
        while end - begin >= width:
            yield begin, width
            begin += width


_SHORT = 9
"""So many digits fit in 32 bits."""


def _number(matrix: Bytes, begin: int, count: int, least: int, good: Bool) -> npt.NDArray[np.signedinteger[Any]]:
    """A number in each row; `good` loses those that are not written as they should be."""
    number: npt.NDArray[np.signedinteger[Any]] = np.zeros(len(matrix), np.int32 if count <= _SHORT else np.int64)
    highest = np.zeros(len(matrix), np.uint8)
    for place in range(begin, begin + count):
        digit = matrix[:, place] - np.uint8(ord("0"))
        np.maximum(highest, digit, out=highest)
        number *= 10
        number += digit
    good &= highest < 10  # noqa: PLR2004 - what is below "0" is far above
    if count > least:
        good &= matrix[:, begin] != ord("0")
    return number


_MOVED = 1 << 20


def _inserted(
    column: npt.NDArray[np.generic], size: int, values: npt.NDArray[np.generic], places: Int64
) -> npt.NDArray[np.generic]:
    """The first `size` values of a column with others before the places, ascending; in place while they are few."""
    if len(values) > size // 1000 + 1000:
        return np.insert(column[:size], places, values)
    end = size
    for number in range(len(values) - 1, -1, -1):
        begin = int(places[number])
        for last in range(end, begin, -_MOVED):  # piece by piece: NumPy copies what overlaps
            first = max(begin, last - _MOVED)
            column[first + number + 1 : last + number + 1] = column[first:last]
        column[begin + number] = values[number]
        end = begin
    return column


def _fitting(column: npt.NDArray[np.generic], values: npt.NDArray[np.generic], size: int) -> npt.NDArray[np.generic]:
    """The column itself, or a copy that is long enough and wide enough."""
    kind = column.dtype
    if kind.kind == "i" and len(values):
        lowest, highest = int(values.min()), int(values.max())
        while lowest < -(1 << 8 * kind.itemsize - 1) or highest >= 1 << 8 * kind.itemsize - 1:
            kind = np.dtype(f"i{2 * kind.itemsize}")
    if kind == column.dtype and size <= len(column):
        return column
    copy = np.empty(max(size, len(column) if size <= len(column) else size * 5 // 4), kind)
    copy[: len(column)] = column
    return copy


def _fields(message: bytes) -> Iterator[Row]:
    """The row in a message, unless it is the trailer."""
    at = FRAME.size + (len(_SIGNATURE) if message.startswith(_SIGNATURE, FRAME.size) else 0)
    (count,) = _COUNT.unpack_from(message, at)
    if count != _FIELDS:
        return
    at += _COUNT.size
    fields: list[bytes | None] = []
    for _ in range(count):
        (length,) = _LENGTH.unpack_from(message, at)
        at += _LENGTH.size
        fields.append(None if length == _NULL else message[at : at + length])
        at += max(0, length)
    entry_id, body, position = fields
    yield (
        None if entry_id is None else entry_id.decode(errors="replace"),
        None if body is None else body.decode(errors="replace"),
        None if position is None else int.from_bytes(position, "big", signed=True),
    )
