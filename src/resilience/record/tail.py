"""The samples of a run that goes on, read a file at a time as they come: none is read twice.

Whoever decides what to try next by what was seen looks every few hundred milliseconds; reading the whole record each
time would take more and more of the machine that is being measured.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from resilience.columns import Samples
from resilience.errors import RecordError
from resilience.model import OUTCOMES
from resilience.record.folder import SAMPLES
from resilience.record.parts import read_part
from resilience.record.samples import completed

_NUMBERS = ("arrival_ns", "start_ns", "end_ns", "status", "degraded", "shed")
_TEXTS = ("operation", "outcome", "detail")


class SampleTail:
    """What was written of a run's samples, from an instant on.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: Path) -> None:
        """Nothing is read yet."""
        self._folder = folder / SAMPLES
        self._known: set[str] = set()
        self._tables: list[pa.Table] = []

    def look(self) -> None:
        """Read the files that have come.

        Raises:
            RecordError: one cannot be read.
        """
        for path in sorted(self._folder.glob("*.parquet")):
            if path.name in self._known:
                continue
            try:
                table = completed(read_part(path, None)).select([*_NUMBERS, *_TEXTS])
            except (OSError, pa.ArrowException, ValueError, KeyError) as error:
                raise RecordError(f"{path} cannot be read: {error}") from error
            self._known.add(path.name)
            self._tables.append(table)

    def forget(self, before_s: float) -> None:
        """Drop files all of whose operations ended before an instant, seconds since the run began."""
        limit = int(before_s * 1e9)
        self._tables = [one for one in self._tables if one.num_rows and int(one["end_ns"].to_numpy().max()) >= limit]

    def samples(self) -> Samples:
        """What was read and not forgotten, without tenants, regions and times of jobs."""
        if not self._tables:
            return _samples({}, (), (), 0)
        table = pa.concat_tables([one.replace_schema_metadata(None) for one in self._tables]).combine_chunks()
        columns: dict[str, npt.NDArray[Any]] = {name: table[name].to_numpy() for name in _NUMBERS}
        texts: dict[str, tuple[str, ...]] = {}
        for name in _TEXTS:
            coded = table[name].cast(pa.string()).combine_chunks().dictionary_encode()
            texts[name] = tuple(coded.dictionary.to_pylist())
            columns[name] = coded.indices.to_numpy()
        order = {outcome.value: index for index, outcome in enumerate(OUTCOMES)}
        numbers = np.asarray([order[text] for text in texts["outcome"]], dtype=np.int8)
        columns["outcome"] = numbers[columns["outcome"]]
        return _samples(columns, texts["operation"], texts["detail"], table.num_rows)


def _samples(
    columns: dict[str, npt.NDArray[Any]], operations: tuple[str, ...], details: tuple[str, ...], count: int
) -> Samples:
    empty = np.zeros(count, dtype=np.int64)

    def column(name: str, kind: type) -> npt.NDArray[Any]:
        return columns.get(name, empty).astype(kind)

    return Samples(
        operations=operations,
        details=details,
        arrival_ns=column("arrival_ns", np.int64),
        start_ns=column("start_ns", np.int64),
        end_ns=column("end_ns", np.int64),
        operation=column("operation", np.int16),
        outcome=column("outcome", np.int8),
        status=column("status", np.int16),
        degraded=column("degraded", np.bool_),
        detail=column("detail", np.int32),
        shed=column("shed", np.bool_),
    )
