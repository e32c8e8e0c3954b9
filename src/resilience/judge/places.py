"""Where the entries of a ledger are: names turned into slots by arithmetic, a block of lines or rows at a time."""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from resilience.columns import Bool, Int32, Int64, LedgerLines, Truth

WIDTH = 2**31
"""Writers and epochs are 32-bit numbers: writer · 2³¹ + epoch is unique and fits in 64 bits."""

_BLOCK = 1 << 15
"""So many lines or rows are looked at together; what is made of them stays in the processor's cache."""

CHUNK = 1 << 18
"""So many slots are looked at together."""

_TABLE = 1 << 16
"""So many pairs of writer and epoch are looked up in a table in any case."""


@runtime_checkable
class Stored(Protocol):
    """Columns that are not in memory but can be gone through, as often as needed."""

    def blocks(self) -> Iterator[Any]:
        """All of them, in parts of the same kind."""


@runtime_checkable
class Measured(Protocol):
    """A ledger that knows without being gone through how far its entries go."""

    def highest(self) -> dict[int, int] | None:
        """Code of writer and epoch → highest seq; None if it is not known, or some line can belong to no entry."""


@runtime_checkable
class Reaching(Protocol):
    """A truth that knows without being gone through where its positions lie."""

    def reach(self) -> tuple[int, int] | None:
        """The lowest and the highest; None if it does not know them either."""


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


class Places:
    """Where the entries of a ledger are, for those who ask about many blocks of lines or rows.

    Writer and epoch of a line are looked up in a table of all pairs that could be, unless that were much larger than
    the number of those that are.

    Args:
        code, base: as in `Entries`.
    """

    def __init__(self, code: Int64, base: Int64) -> None:
        self._code = code
        self._start = base  # one more than there are runs: the last is of those that are not known
        self._length = np.append(np.diff(base), 0)
        writers, epochs = (int(part.max(initial=0)) + 1 for part in (code // WIDTH, code % WIDTH))
        self._limits = writers, epochs
        self._table: Int64 | None = None
        if writers * epochs <= max(_TABLE, 4 * len(code)):
            self._table = np.full(writers * epochs, len(code), dtype=np.int64)
            self._table[code // WIDTH * epochs + code % WIDTH] = np.arange(len(code))

    def slots(self, writer: npt.NDArray[Any], epoch: npt.NDArray[Any], seq: npt.NDArray[Any]) -> Int64:
        """The slots of entries by name; -1 where the ledger has no such entry."""
        if len(seq) == 0:
            return np.empty(0, dtype=np.int64)
        run = self._run(writer, epoch)
        slots: Int64 = self._start.take(run)
        slots += seq
        unknown = seq >= self._length.take(run)
        if seq.min() < 0:
            unknown |= seq < 0
        if unknown.any():
            slots[unknown] = -1
        return slots

    def _run(self, writer: npt.NDArray[Any], epoch: npt.NDArray[Any]) -> Int64:
        """The number of the run of each; of those that are not known, how many runs there are."""
        writers, epochs = self._limits
        outside: Bool | None = None
        if writer.min() < 0 or epoch.min() < 0 or writer.max() >= writers or epoch.max() >= epochs:
            outside = (writer < 0) | (epoch < 0) | (writer >= writers) | (epoch >= epochs)
            writer, epoch = np.where(outside, 0, writer), np.where(outside, 0, epoch)
        if self._table is not None:
            run: Int64 = self._table.take(np.multiply(writer, epochs, dtype=np.int64) + epoch)
        else:
            wanted = np.multiply(writer, WIDTH, dtype=np.int64) + epoch
            run = np.minimum(np.searchsorted(self._code, wanted), len(self._code) - 1)
            run[self._code.take(run) != wanted] = len(self._code)
        if outside is not None:
            run[outside] = len(self._code)
        return run


def runs(writer: Int32, epoch: Int32) -> tuple[Int64, Int64]:
    """The different pairs of writer and epoch as sorted codes, and for each line the number of its pair.

    Counted rather than sorted where a table of all pairs that could be is no larger than the ledger itself.
    """
    writer, epoch = writer.astype(np.int64), epoch.astype(np.int64)
    epochs = int(epoch.max(initial=0)) + 1
    size = (int(writer.max(initial=0)) + 1) * epochs
    if size > len(writer):
        return np.unique(writer * WIDTH + epoch, return_inverse=True)
    place = writer * epochs + epoch
    there = np.flatnonzero(np.bincount(place, minlength=size))
    number = np.zeros(size, dtype=np.int64)
    number[there] = np.arange(len(there))
    return (there // epochs * WIDTH + there % epochs).astype(np.int64), number[place]
