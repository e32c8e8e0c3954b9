"""Samples as CSV, streamed: memory does not grow with the run.

A text that a spreadsheet would take for a formula (beginning with `=`, `+`, `-`, `@` or a tabulator) gets an apostrophe
before it; control characters are escaped as everywhere. Figures are figures, as exact as they were recorded.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from resilience.errors import RecordError, SpecError
from resilience.model import Outcome, Problem
from resilience.record.events import read_events
from resilience.record.folder import EVENTS
from resilience.record.streaming import columns_and_operations, stream_samples
from resilience.report.selection import Selection, Timeline
from resilience.text import printable

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_NS = 1e9
_THREADS = 2
_ROWS = 1 << 16
"""Rows that are formatted at once."""

_TYPES = {
    "arrival_s": pa.float64(),
    "start_s": pa.float64(),
    "end_s": pa.float64(),
    "response_ms": pa.float64(),
    "phase": pa.string(),
    "operation": pa.string(),
    "outcome": pa.string(),
    "status": pa.int16(),
    "degraded": pa.bool_(),
    "shed": pa.bool_(),
    "detail": pa.string(),
    "tenant": pa.string(),
    "region": pa.string(),
    "first_s": pa.float64(),
    "queue_ms": pa.float64(),
    "processing_ms": pa.float64(),
    "tokens": pa.int32(),
    "served": pa.string(),
    "trace": pa.string(),
}
_RECORDED = {"first_s": "first_ns", "queue_ms": "queue_ns", "processing_ms": "processing_ns"}
_SOMETIMES = {"tenant", "region", "first_s", "queue_ms", "processing_ms", "tokens", "served", "trace"}

COLUMNS = tuple(_TYPES)
"""All columns that an export can have, in their order; from `tenant` on only where the load has what they tell."""


def safe(text: str) -> str:
    """A text as it may stand in a cell: nothing hidden, and no formula."""
    shown = printable(text)
    return f"'{shown}" if text.startswith(_FORMULA) or shown.lstrip().startswith(_FORMULA) else shown


def write_csv(folders: Sequence[Path], path: Path, wanted: Selection, columns: Sequence[str] = ()) -> tuple[str, ...]:
    """Write the samples of runs to a file, which is there whole or not at all.

    Args:
        folders: run folders. With more than one there is a first column `run`, the folder's name.
        path: the file.
        wanted: which samples.
        columns: which columns, of `COLUMNS`; without any, all that the runs have.

    Returns:
        What is wrong with the records: what could not be read is not in the file.

    Raises:
        SpecError: an operation, phase or column that a run does not have.
        RecordError: the file cannot be written.
    """
    runs = [_Run(folder.resolve()) for folder in folders]
    _check(runs, wanted, columns)
    names = tuple(columns) or tuple(name for name in COLUMNS if any(run.has(name) for run in runs))
    shape = pa.schema([*([("run", pa.string())] if len(runs) > 1 else []), *((name, _TYPES[name]) for name in names)])
    beside = path.with_name(f".{path.name}.part")
    problems: list[str] = []
    try:
        with beside.open("wb") as file:
            file.write((",".join(shape.names) + "\n").encode())
            tables = (table for run in runs for table in run.tables(shape, wanted, problems))
            for content in _formatted(tables):
                file.write(content)
        os.replace(beside, path)  # noqa: PTH105 - over what was there
    except OSError as error:
        beside.unlink(missing_ok=True)
        msg = f"{path} cannot be written: {error}"
        raise RecordError(msg) from error
    return tuple(problems)


def _formatted(tables: Iterable[pa.Table]) -> Iterator[pa.Buffer]:
    """Tables as CSV, in their order; what takes the time is done for a few of them at once."""
    with ThreadPoolExecutor(_THREADS) as pool:
        waiting: deque[Future[pa.Buffer]] = deque()
        for table in tables:
            waiting += [pool.submit(_as_csv, table.slice(at, _ROWS)) for at in range(0, table.num_rows, _ROWS)]
            while len(waiting) > 2 * _THREADS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _as_csv(table: pa.Table) -> pa.Buffer:
    stream = pa.BufferOutputStream()
    csv.write_csv(table, stream, csv.WriteOptions(include_header=False))
    return stream.getvalue()


def _check(runs: Sequence["_Run"], wanted: Selection, columns: Sequence[str]) -> None:
    problems = [
        Problem("--columns", f"{name!r} is not one of {', '.join(COLUMNS)}") for name in columns if name not in COLUMNS
    ]
    operations = [name for run in runs for name in run.operations]
    problems += wanted.problems([run.timeline for run in runs], operations)
    if problems:
        raise SpecError(problems)


class _Run:
    """One record, as far as an export needs it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        events, _ = read_events(folder / EVENTS)
        self.timeline = Timeline.of(events)
        self._columns, self.operations = columns_and_operations(folder)

    def has(self, name: str) -> bool:
        """Whether this run has something to tell in a column."""
        return name not in _SOMETIMES or _RECORDED.get(name, name) in self._columns

    def tables(self, shape: pa.Schema, wanted: Selection, problems: list[str]) -> Iterator[pa.Table]:
        """What is wanted, a file of samples at a time."""
        labels = pa.array([*map(safe, self.timeline.labels), ""], pa.string())
        for table in stream_samples(self._folder, problems):
            arrival = table["arrival_ns"].to_numpy()
            phase = self.timeline.where(arrival)
            chosen = wanted.of(arrival, phase, self.timeline)
            if wanted.operations:
                chosen &= pc.is_in(table["operation"].cast(pa.string()), pa.array(wanted.operations)).to_numpy()
            if not chosen.all():
                kept, phase = table.filter(pa.array(chosen)), phase[chosen]
            else:
                kept = table
            columns = [self._column(name, kept, phase, labels) for name in shape.names]
            yield pa.Table.from_arrays(columns, schema=shape)

    def _column(self, name: str, table: pa.Table, phase: npt.NDArray[np.int32], labels: pa.Array) -> pa.ChunkedArray:
        if name == "run":
            return pa.array([safe(self._folder.name)] * table.num_rows, pa.string())
        if name == "phase":
            return labels.take(pa.array(np.where(phase < 0, len(labels) - 1, phase)))
        if name in _SOMETIMES and _RECORDED.get(name, name) not in table.column_names:
            return pa.nulls(table.num_rows, _TYPES[name])
        if name == "response_ms":
            return _response_ms(table)
        if name in {"arrival_s", "start_s", "end_s"}:
            return pc.divide(table[f"{name.removesuffix('_s')}_ns"].cast(pa.float64()), _NS)
        if name in _RECORDED:
            unit = _NS if name.endswith("_s") else _NS / 1e3
            known = table[_RECORDED[name]]
            return pc.if_else(pc.less(known, 0), None, pc.divide(known.cast(pa.float64()), unit))
        if name == "tokens":
            return pc.if_else(pc.less(table[name], 0), None, table[name])
        return _texts(table[name]) if _TYPES[name] == pa.string() else table[name]


def _response_ms(table: pa.Table) -> pa.ChunkedArray:
    """From the intended start to the end; nothing of what was never sent."""
    took = pc.divide(pc.subtract(table["end_ns"], table["arrival_ns"]).cast(pa.float64()), _NS / 1e3)
    return pc.if_else(pc.equal(table["outcome"].cast(pa.string()), Outcome.DROPPED.value), None, took)


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts as they may stand in cells; each one that differs is looked at once."""
    chunks = []
    for chunk in column.chunks:
        shown = pa.array([safe(text) for text in chunk.dictionary.to_pylist()], pa.string())
        chunks.append(shown.take(chunk.indices))
    return pa.chunked_array(chunks, pa.string())
