"""Samples on disk: Parquet files that pandas, Polars and DuckDB read as one folder (`samples/*.parquet`).

Every flush writes one file, so a crash costs what came after the last flush; see `parts`.
"""

import io
import json
from array import array
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from resilience.columns import Samples
from resilience.errors import RecordError
from resilience.model import OUTCOMES
from resilience.record.folder import SAMPLES
from resilience.record.gathered import Gathered
from resilience.record.parts import FORMAT, SEAL_SUFFIX, Parts, read_part, read_seals
from resilience.record.redact import Redactor

__all__ = ["SEAL_SUFFIX", "SampleWriter", "completed", "read_samples", "warm_up"]

OPERATIONS_KEY = b"resilience.operations"
TENANTS_KEY = b"resilience.tenants"
REGIONS_KEY = b"resilience.regions"
FORMAT_KEY = b"resilience.format"
_NAME = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("arrival_ns", pa.int64()),
        ("start_ns", pa.int64()),
        ("end_ns", pa.int64()),
        ("operation", _NAME),
        ("outcome", _NAME),
        ("status", pa.int16()),
        ("degraded", pa.bool_()),
        ("detail", _NAME),
        ("shed", pa.bool_()),
    ]
)
_LATER = {"shed": False}
"""Columns that older records do not have, and what their rows then hold."""
_GROUPS = {"tenant": TENANTS_KEY, "region": REGIONS_KEY}
"""Columns that only loads with tenants or regions have, after all others; and where the names of all of them stand."""
_TIMED = {"first_ns": pa.int64(), "queue_ns": pa.int64(), "processing_ns": pa.int64(), "tokens": pa.int32()}
"""Columns that only loads with jobs or streamed answers have, after those; −1 where it is not known."""
_SAID = ("served", "trace")
"""Columns that only loads have which ask what copy answered, or send traces; after those, empty where nothing was."""
_UNTIMED, UNSAID = (-1, -1, -1, -1), ("", "")
_Row: TypeAlias = tuple[
    int, int, int, int, int, int, bool, str, bool, int, int, tuple[int, int, int, int], tuple[str, str]
]


def _packed(table: pa.Table) -> bytes:
    stream = io.BytesIO()
    # Instants come nearly in order, so what is stored is by how much they differ.
    coded = [name for name in table.schema.names if not name.endswith("_ns")]
    encoding = dict.fromkeys(SCHEMA.names[:3], "DELTA_BINARY_PACKED")
    pq.write_table(
        table, stream, compression="zstd", write_page_checksum=True, use_dictionary=coded, column_encoding=encoding
    )
    return stream.getvalue()


def warm_up() -> None:
    """Do in memory what is slow the first time only, so that no flush of a run holds up what is timed."""
    row: _Row = (0, 0, 0, 0, 0, 0, False, "", False, -1, -1, _UNTIMED, UNSAID)
    _packed(_table([row], ("",), Redactor(), SCHEMA))


class SampleWriter:
    """Writes the samples of one process.

    `add` may be called while another native thread is in `flush`; it takes no lock. `flush` and `close` are called by
    one thread at a time.

    Args:
        folder: the run folder.
        prefix: names this writer's files; no two writers of a run have the same.
        operations: names, in the order in which `add` numbers them.
        redactor: takes secrets out of details.
        tenants, regions: names, in the order in which `add` numbers them; their columns are written if there are any.
        timed: whether the columns for jobs and streamed answers are written.
        said: which of `served` and `trace` are written.
    """

    def __init__(
        self,
        folder: Path,
        prefix: str,
        operations: Sequence[str],
        redactor: Redactor | None = None,
        *,
        tenants: Sequence[str] = (),
        regions: Sequence[str] = (),
        timed: bool = False,
        said: Sequence[str] = (),
    ) -> None:
        self._parts = Parts(folder / SAMPLES, prefix)
        self._operations = tuple(operations)
        self._redactor = redactor or Redactor()
        # A deque appends and pops atomically. Swapping a list instead would lose a row whose `add` had fetched the old
        # list just before the swap.
        self._rows: deque[_Row] = deque()
        self._append = self._rows.append
        meta = {FORMAT_KEY: str(FORMAT), OPERATIONS_KEY: json.dumps(self._operations)}
        schema = SCHEMA
        for column, names in (("tenant", tenants), ("region", regions)):
            if names:
                schema = schema.append(pa.field(column, _NAME))
                meta[_GROUPS[column]] = json.dumps(list(names))
        for column, kind in _TIMED.items() if timed else ():
            schema = schema.append(pa.field(column, kind))
        for column in (each for each in _SAID if each in said):
            schema = schema.append(pa.field(column, _NAME))
        self._schema = schema.with_metadata(meta)

    def add(  # noqa: PLR0913, PLR0917 - one for each column, and called for every operation
        self,
        arrival_ns: int,
        start_ns: int,
        end_ns: int,
        operation: int,
        outcome: int,
        status: int = 0,
        degraded: bool = False,
        detail: str = "",
        shed: bool = False,
        tenant: int = -1,
        region: int = -1,
        timed: tuple[int, int, int, int] = _UNTIMED,
        said: tuple[str, str] = UNSAID,
    ) -> None:
        """Take one sample; it is on disk after the next flush. Indices are those of `columns.Samples`.

        `timed` is `first_ns`, `queue_ns`, `processing_ns` and `tokens`; `said` is which copy answered, and the trace.
        """
        self._append(
            (
                arrival_ns,
                start_ns,
                end_ns,
                operation,
                outcome,
                status,
                degraded,
                detail,
                shed,
                tenant,
                region,
                timed,
                said,
            )
        )

    def learn(self, operation: str) -> int:
        """The number of an operation that was not known from the beginning; for the thread that also flushes."""
        self._operations = (*self._operations, operation)
        self._schema = self._schema.with_metadata(
            {**self._schema.metadata, OPERATIONS_KEY: json.dumps(self._operations).encode()}
        )
        return len(self._operations) - 1

    def flush(self) -> int:
        """Write what was added since the last flush as one more file; return how many rows that was.

        Raises:
            RecordError: they cannot be written (disk full, an index out of range); they are kept for another try.
        """
        rows = [self._rows.popleft() for _ in range(len(self._rows))]
        if not rows:
            return 0
        try:
            self._parts.add(_packed(_table(rows, self._operations, self._redactor, self._schema)), len(rows))
        except (OSError, pa.ArrowException, OverflowError) as error:
            self._rows.extendleft(reversed(rows))
            msg = f"{len(rows)} samples cannot be written to {self._parts.following}: {error}"
            raise RecordError(msg) from error
        return len(rows)

    def close(self) -> None:
        """Flush, then seal: what is missing later will be noticed.

        Raises:
            RecordError: as `flush`; then nothing is sealed.
        """
        self.flush()
        self._parts.seal()


def _table(rows: list[_Row], operations: Sequence[str], redactor: Redactor, schema: pa.Schema) -> pa.Table:
    arrival, start, end, operation, outcome, status, degraded, detail, shed, tenant, region, timed, said = zip(
        *rows, strict=True
    )
    columns = [
        *(_numbers("q", values) for values in (arrival, start, end)),
        pa.DictionaryArray.from_arrays(_numbers("i", operation), pa.array(operations, pa.string())),
        pa.DictionaryArray.from_arrays(_numbers("i", outcome), pa.array([o.value for o in OUTCOMES])),
        _numbers("h", status),
        _numbers("?", degraded),
        _texts(detail, redactor),
        _numbers("?", shed),
    ]
    for name, numbers in (("tenant", tenant), ("region", region)):
        if name in schema.names:
            texts = json.loads(schema.metadata[_GROUPS[name]])
            columns.append(pa.DictionaryArray.from_arrays(_numbers("i", numbers), pa.array(texts, pa.string())))
    if "first_ns" in schema.names:
        columns += [_numbers(kind, values) for kind, values in zip("qqqi", zip(*timed, strict=True), strict=True)]
    if said_here := [name for name in _SAID if name in schema.names]:
        both = dict(zip(_SAID, zip(*said, strict=True), strict=True))
        columns += [_texts(both[name], redactor) for name in said_here]
    return pa.Table.from_arrays(columns, schema=schema)


def _texts(values: Sequence[str], redactor: Redactor) -> pa.DictionaryArray:
    """Texts, each written once, without secrets."""
    codes: dict[str, int] = {}
    numbers = [codes.setdefault(text, len(codes)) for text in values]
    return pa.DictionaryArray.from_arrays(
        _numbers("i", numbers), pa.array([redactor.text(text) for text in codes], pa.string())
    )


_ARROW = {"q": pa.int64(), "i": pa.int32(), "h": pa.int16(), "?": pa.bool_()}


def _numbers(kind: str, values: Sequence[int]) -> pa.Array:
    """Numbers as an Arrow array, in a tenth of the time that Arrow itself takes for Python's numbers."""
    if kind == "?":
        packed: object = np.packbits(np.frombuffer(bytes(values), np.uint8), bitorder="little")
    else:
        packed = array(kind, values)
    return pa.Array.from_buffers(_ARROW[kind], len(values), [None, pa.py_buffer(packed)])


def read_samples(
    folder: Path, finished: bool = True, *, ordered: bool = False, of: str = ""
) -> tuple[Samples, tuple[str, ...]]:
    """Read the samples of a run, however damaged.

    Args:
        folder: the run folder.
        finished: False for a run in progress, which is not sealed yet.
        ordered: whether they are wanted in order of arrival, rather than as they stand in the files.
        of: the prefix of one writer, if only its samples are wanted.

    Returns:
        The samples that can be read, and what is wrong with the files.
    """
    problems: list[str] = []
    sealed = read_seals(folder / SAMPLES, problems, of or "*")
    files = {path.name: path for path in (folder / SAMPLES).glob(f"{of}-*.parquet" if of else "*.parquet")}
    if not files:
        problems.append(f"there are no samples in {folder / SAMPLES}")
    if finished:
        unsealed = sorted({name.rpartition("-")[0] for name in files if name not in sealed})
        problems += [f"samples of {who!r} are not sealed: their writer was cut short" for who in unsealed]
    names = _Names()
    gathered = Gathered(sum(part.rows for name, part in sealed.items() if name in files))
    for name in sorted(files.keys() | sealed.keys()):
        if name not in files:
            problems.append(f"samples/{name} is missing: it should have {sealed[name].rows} samples")
            continue
        try:
            columns = names.columns(read_part(files[name], sealed.get(name)))
        except (OSError, pa.ArrowException, ValueError, KeyError, TypeError) as error:
            problems.append(f"samples/{name} cannot be read: {error}")
            continue
        gathered.add(columns)
        count = len(columns["arrival_ns"])
        if name in sealed and sealed[name].rows != count:
            problems.append(f"samples/{name} should have {sealed[name].rows} samples, it has {count}")
    if ordered:
        gathered.put_in_order()
    return names.samples(gathered.columns()), tuple(problems)


class _Names:
    """Numbers texts alike over files: each file has its own dictionaries."""

    def __init__(self) -> None:
        self.operations: dict[str, int] = {}
        self.outcomes = {outcome.value: index for index, outcome in enumerate(OUTCOMES)}
        self.details = {"": 0}
        self.groups: dict[str, dict[str, int]] = {name: {} for name in _GROUPS}
        self.said: dict[str, dict[str, int]] = {name: {"": 0} for name in _SAID}

    def columns(self, table: pa.Table) -> dict[str, npt.NDArray[Any]]:
        """The columns of one file, among them those of `_GROUPS` that it has."""
        metadata = table.schema.metadata or {}
        table = completed(table)
        grouped = [name for name in _GROUPS if name in table.schema.names]
        timed = _TIMED if "first_ns" in table.schema.names else {}
        said = [name for name in _SAID if name in table.schema.names]
        groups, texts = ([pa.field(name, _NAME) for name in names] for names in (grouped, said))
        wanted = pa.schema([*SCHEMA, *groups, *timed.items(), *texts])
        if not table.schema.equals(wanted) or metadata.get(FORMAT_KEY) != str(FORMAT).encode():
            raise ValueError(f"format {metadata.get(FORMAT_KEY)!r} with columns {table.schema.names} was found")
        empty = [name for name in table.column_names if table[name].null_count]
        if empty:
            raise ValueError(f"no values in some rows of {', '.join(empty)}")
        for operation in json.loads(metadata[OPERATIONS_KEY]):
            self.operations.setdefault(operation, len(self.operations))
        for name in grouped:
            for each in json.loads(metadata[_GROUPS[name]]):
                self.groups[name].setdefault(each, len(self.groups[name]))
        known = {
            "operation": self.operations,
            "outcome": self.outcomes,
            "detail": self.details,
            **self.groups,
            **self.said,
        }
        fixed = {"outcome", *_GROUPS}
        return {
            name: _codes(table[name], known[name], fixed=name in fixed) if name in known else table[name].to_numpy()
            for name in wanted.names
        }

    def samples(self, columns: dict[str, npt.NDArray[Any]]) -> Samples:
        """All files together."""
        for column in columns.values():
            column.setflags(write=False)
        return Samples(
            operations=tuple(self.operations),
            details=tuple(self.details),
            tenants=tuple(self.groups["tenant"]),
            regions=tuple(self.groups["region"]),
            copies=tuple(self.said["served"]) if "served" in columns else (),
            traces=tuple(self.said["trace"]) if "trace" in columns else (),
            **columns,
        )


def completed(table: pa.Table) -> pa.Table:
    """A table as it is written today: columns that older files lack are added, with what they meant by leaving out."""
    for name, value in _LATER.items():
        if name not in table.column_names:
            kind = SCHEMA.field(name).type
            table = table.append_column(name, pa.array([value] * table.num_rows, kind))
    return table


def _codes(column: pa.ChunkedArray, names: dict[str, int], *, fixed: bool) -> npt.NDArray[np.int32]:
    """A column of texts as numbers; a new text gets the next one unless the names are fixed (then it is a KeyError)."""
    parts = [np.empty(0, np.int32)]
    for chunk in column.chunks:
        texts = chunk.dictionary.to_pylist()
        numbers = [names[text] if fixed else names.setdefault(text, len(names)) for text in texts]
        parts.append(np.array(numbers, np.int32)[chunk.indices.to_numpy()])
    return np.concatenate(parts)
