"""The truth about writes in a run folder: `writes/truth.parquet`, and what was read about the store in `truth.json`."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from resilience.columns import Truth
from resilience.errors import RecordError
from resilience.host.files import write_durably
from resilience.model import Json
from resilience.record.documents import load_document, save_document
from resilience.record.folder import writes_of
from resilience.record.redact import Redactor

FORMAT = 1
TRUTH = "truth"
CACHE = "cache"
"""What the rows are: of the store, or copies in a cache. Files are called by it."""

ROWS = f"{TRUTH}.parquet"
FACTS = f"{TRUTH}.json"

_SCHEMA = pa.schema(
    [
        ("writer", pa.int32()),
        ("epoch", pa.int32()),
        ("seq", pa.int64()),
        ("intact", pa.bool_()),
        ("position", pa.int64()),
    ]
)


_ENCODING = {
    "writer": "RLE_DICTIONARY",
    "epoch": "RLE_DICTIONARY",
    "seq": "DELTA_BINARY_PACKED",
    "position": "DELTA_BINARY_PACKED",
}
"""Of one row to the next little changes."""

BLOCK = 1 << 17
"""So many rows are packed, or read, at once."""

LARGE = 1 << 20
"""Truths of more rows are not held in memory when they are read back."""


def save(folder: Path, truth: Truth, redactor: Redactor | None = None, *, account: str = "", what: str = TRUTH) -> None:
    """Write the truth about an account into the run folder, rows first: `truth.json` says how many, and their digest.

    Raises:
        RecordError: it cannot be written.
    """
    content, folder = _packed(truth), writes_of(folder, account)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_durably(folder / f"{what}.parquet", content)
        digest = hashlib.sha256(content).hexdigest()
    except OSError as error:
        msg = f"the truth about writes cannot be written to {folder}: {error}"
        raise RecordError(msg) from error
    del content
    pa.default_memory_pool().release_unused()
    document: dict[str, Json] = {
        "format": FORMAT,
        "rows": len(truth),
        "sha256": digest,
        "read_ns": truth.read_ns,
        "facts": dict(truth.facts),
        "foreign": truth.foreign,
        "before": dict(truth.before),
        "again_ns": truth.again_ns,
        "late": truth.late,
        "late_named": truth.late_named,
    }
    save_document(folder / f"{what}.json", document, redactor or Redactor())


def _packed(truth: Truth) -> memoryview:
    stream = pa.BufferOutputStream()
    plain = {name: kind for name, kind in _ENCODING.items() if not kind.endswith("DICTIONARY")}
    coded = [name for name in _ENCODING if name not in plain]
    with pq.ParquetWriter(stream, _SCHEMA, compression="zstd", use_dictionary=coded, column_encoding=plain) as writer:
        for begin in range(0, max(1, len(truth)), BLOCK):
            columns = [_array(getattr(truth, field.name)[begin : begin + BLOCK], field.type) for field in _SCHEMA]
            writer.write_table(pa.Table.from_arrays(columns, schema=_SCHEMA))
    return memoryview(stream.getvalue())


def _array(values: npt.NDArray[Any], kind: pa.DataType) -> pa.Array:
    """Values as an Arrow array. `pa.array` would import pandas, where there is one, and a hundred megabytes with it."""
    if pa.types.is_boolean(kind):
        packed = np.packbits(values, bitorder="little")
    else:
        packed = np.ascontiguousarray(values, kind.to_pandas_dtype())
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(packed)])


def _values(array: pa.Array) -> npt.NDArray[Any]:
    """The values of an Arrow array; see `_array`."""
    content, kind = array.buffers()[1], array.type.to_pandas_dtype()
    if pa.types.is_boolean(array.type):
        bits = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")
        return bits[array.offset : array.offset + len(array)].astype(np.bool_)
    size = np.dtype(kind).itemsize
    return np.frombuffer(content, kind, len(array), array.offset * size) if len(array) else np.empty(0, kind)


def load(folder: Path, *, account: str = "", what: str = TRUTH) -> Truth:
    """Read the truth about an account back.

    Raises:
        RecordError: it is missing, damaged, or not what its `truth.json` says.
    """
    folder = writes_of(folder, account)
    document: Any = load_document(folder / f"{what}.json")
    try:
        return _parse(document, folder / f"{what}.parquet")
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"the truth about writes in {folder} cannot be read: {error}"
        raise RecordError(msg) from error


def _parse(document: Any, path: Path) -> Truth:  # noqa: ANN401 - any JSON document
    if document["format"] != FORMAT:
        raise ValueError(f"format {document['format']!r}, {FORMAT} was expected")
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != document["sha256"]:
            raise ValueError(f"{path.name} is not the file that {path.stem}.json was written for")
    with pq.ParquetFile(path) as file:
        if file.metadata.num_rows != document["rows"]:
            raise ValueError(f"{file.metadata.num_rows} rows, {document['rows']} were expected")
        if not file.schema_arrow.equals(_SCHEMA):
            raise ValueError(f"columns {file.schema_arrow.names} were found, {_SCHEMA.names} were expected")
    told = {
        "foreign": tuple(str(text) for text in document["foreign"]),
        "facts": {str(key): str(value) for key, value in document["facts"].items()},
        "read_ns": int(document["read_ns"]),
        # What follows is not in old records.
        "before": {str(key): str(value) for key, value in document.get("before", {}).items()},
        "again_ns": int(document.get("again_ns", 0)),
        "late": int(document.get("late", 0)),
        "late_named": tuple(str(text) for text in document.get("late_named", ())),
    }
    stored = StoredTruth(path, document["rows"], told)
    return stored if len(stored) > LARGE else stored.in_memory()


class StoredTruth(Truth):
    """A truth too large to be held in memory: it is read from its file as often as it is gone through.

    A single column can be had all the same.
    """

    def __init__(self, path: Path, rows: int, told: dict[str, Any]) -> None:
        for name, value in {"_path": path, "_rows": rows, "_told": told, **told}.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        """The number of rows."""
        return int(self.__dict__["_rows"])

    def blocks(self) -> Iterator[Truth]:
        """All rows in order of position, in parts of a bounded size."""
        with pq.ParquetFile(self.__dict__["_path"]) as file:
            # One thread: several would each keep memory of their own.
            for batch in file.iter_batches(BLOCK, use_threads=False):
                yield self._of({name: _values(batch[name]) for name in _SCHEMA.names})
        pa.default_memory_pool().release_unused()

    def reach(self) -> tuple[int, int] | None:
        """The lowest and the highest position, as the file says of its parts."""
        with pq.ParquetFile(self.__dict__["_path"]) as file:
            told = file.metadata
            parts = [
                told.row_group(part).column(_SCHEMA.get_field_index("position")) for part in range(told.num_row_groups)
            ]
            if not all(part.is_stats_set and part.statistics.has_min_max for part in parts):
                return None
            return min(part.statistics.min for part in parts), max(part.statistics.max for part in parts)

    def in_memory(self) -> Truth:
        """The same, held in memory."""
        return self._of({name: np.array(getattr(self, name)) for name in _SCHEMA.names})

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401 - as the attribute is
        """An attribute; a column is read from the file."""
        if name in _SCHEMA.names:
            path = object.__getattribute__(self, "_path")
            with pq.ParquetFile(path) as file:
                column = _values(pa.concat_arrays(file.read([name])[name].chunks))
            column.setflags(write=False)
            return column
        return super().__getattribute__(name)

    def _of(self, arrays: dict[str, Any]) -> Truth:
        for array in arrays.values():
            array.setflags(write=False)
        return Truth(**arrays, **self.__dict__["_told"])
