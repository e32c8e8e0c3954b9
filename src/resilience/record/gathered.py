"""Samples of many files put together in memory: ten million of them are 350 megabytes, and no more while they come."""

from typing import Any

import numpy as np
import numpy.typing as npt

KINDS: dict[str, Any] = {
    "arrival_ns": np.int64,
    "start_ns": np.int64,
    "end_ns": np.int64,
    "operation": np.int16,
    "outcome": np.int8,
    "status": np.int16,
    "degraded": np.bool_,
    "detail": np.int32,
    "shed": np.bool_,
    "tenant": np.int16,
    "region": np.int16,
    "first_ns": np.int64,
    "queue_ns": np.int64,
    "processing_ns": np.int64,
    "tokens": np.int32,
    "served": np.int16,
    "trace": np.int32,
}
"""As narrow as may be."""
GROUPS = ("tenant", "region", "first_ns", "queue_ns", "processing_ns", "tokens", "served", "trace")
"""Columns that not every file has."""
_NONE = -1


class Gathered:
    """The columns of all files, each in one array as narrow as it may be: nothing is held twice.

    Args:
        expected: how many rows there will be, as far as is known.
    """

    def __init__(self, expected: int) -> None:
        self._size = 0
        # Pages that nothing is written to take no memory, so there may be more room than rows.
        self._columns = {name: np.empty(expected, kind) for name, kind in KINDS.items() if name not in GROUPS}

    def add(self, columns: dict[str, npt.NDArray[Any]]) -> None:
        """Take the rows of one more file; a column that no file before had is −1 in all of their rows."""
        room = len(self._columns["arrival_ns"])
        end = self._size + len(columns["arrival_ns"])
        for name in columns.keys() - self._columns.keys():
            self._columns[name] = np.full(room, _NONE, KINDS[name])
        for name, column in self._columns.items():
            grown = column if end <= room else np.concatenate((column[: self._size], np.empty(end, column.dtype)))
            grown[self._size : end] = columns.get(name, _NONE)
            self._columns[name] = grown
        self._size = end

    def put_in_order(self) -> None:
        """Sort by arrival; what arrived at the same time stays as it was. One column at a time is held twice."""
        arrival = self._columns["arrival_ns"][: self._size]
        if bool(np.all(arrival[1:] >= arrival[:-1])):
            return
        order = np.argsort(arrival, kind="stable")
        for column in self._columns.values():
            column[: self._size] = column[: self._size][order]

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """All rows."""
        return {name: column[: self._size] for name, column in self._columns.items()}
