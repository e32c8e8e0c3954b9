"""Samples on disk: Parquet files that pandas, Polars and DuckDB read as one folder (`samples/*.parquet`).

Every flush writes one file under a name that `*.parquet` does not match and renames it, so a reader never meets half
a file and a crash costs what came after the last flush. When all is written, `<prefix>.sealed.json` says how many rows
are in which part.
"""

import json
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from resilience.errors import RecordError
from resilience.host.files import write_json
from resilience.model import OUTCOMES
from resilience.record.folder import SAMPLES
from resilience.record.redact import Redactor

FORMAT = 1
OPERATIONS_KEY = b"resilience.operations"
FORMAT_KEY = b"resilience.format"
SEAL_SUFFIX = ".sealed.json"
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
    ]
)
_Row: TypeAlias = tuple[int, int, int, int, int, int, bool, str]


class SampleWriter:
    """Writes the samples of one process.

    `add` may be called while another native thread is in `flush`; it takes no lock. `flush` and `close` are called by
    one thread at a time.

    Args:
        folder: the run folder.
        prefix: names this writer's files; no two writers of a run have the same.
        operations: names, in the order in which `add` numbers them.
        redactor: takes secrets out of details.
    """

    def __init__(self, folder: Path, prefix: str, operations: Sequence[str], redactor: Redactor | None = None) -> None:
        self._folder = folder / SAMPLES
        self._folder.mkdir(parents=True, exist_ok=True)
        self._prefix = prefix
        self._operations = tuple(operations)
        self._redactor = redactor or Redactor()
        # A deque appends and pops atomically. Swapping a list instead would lose a row whose `add` had fetched the old
        # list just before the swap.
        self._rows: deque[_Row] = deque()
        self._append = self._rows.append
        self._parts: dict[str, int] = {}
        operations_json = json.dumps(self._operations)
        self._schema = SCHEMA.with_metadata({FORMAT_KEY: str(FORMAT), OPERATIONS_KEY: operations_json})

    def add(  # noqa: PLR0913, PLR0917 - called once per operation: building a struct would cost more than all else
        self,
        arrival_ns: int,
        start_ns: int,
        end_ns: int,
        operation: int,
        outcome: int,
        status: int = 0,
        degraded: bool = False,
        detail: str = "",
    ) -> None:
        """Take one sample; it is on disk after the next flush. Indices are those of `columns.Samples`."""
        self._append((arrival_ns, start_ns, end_ns, operation, outcome, status, degraded, detail))

    def flush(self) -> int:
        """Write what was added since the last flush as one more file; return how many rows that was.

        Raises:
            RecordError: they cannot be written (disk full, an index out of range); they are kept for another try.
        """
        rows = [self._rows.popleft() for _ in range(len(self._rows))]
        if not rows:
            return 0
        name = f"{self._prefix}-{len(self._parts):05d}.parquet"
        beside = self._folder / f"{name}.part"
        try:
            pq.write_table(self._table(rows), beside, compression="zstd", write_page_checksum=True)
            beside.rename(self._folder / name)
        except (OSError, pa.ArrowException, OverflowError) as error:
            self._rows.extendleft(reversed(rows))
            beside.unlink(missing_ok=True)
            msg = f"{len(rows)} samples cannot be written to {self._folder / name}: {error}"
            raise RecordError(msg) from error
        self._parts[name] = len(rows)
        return len(rows)

    def close(self) -> None:
        """Flush, then seal: what is missing later will be noticed.

        Raises:
            RecordError: as `flush`; then nothing is sealed.
        """
        self.flush()
        seal = {"format": FORMAT, "rows": sum(self._parts.values()), "parts": self._parts}
        try:
            write_json(self._folder / f"{self._prefix}{SEAL_SUFFIX}", seal)
        except OSError as error:
            msg = f"samples in {self._folder} cannot be sealed: {error}"
            raise RecordError(msg) from error

    def _table(self, rows: list[_Row]) -> pa.Table:
        arrival, start, end, operation, outcome, status, degraded, detail = zip(*rows, strict=True)
        details = pa.array(detail, pa.string()).dictionary_encode()
        texts = [self._redactor.text(text) for text in details.dictionary.to_pylist()]
        columns = [
            pa.array(arrival, pa.int64()),
            pa.array(start, pa.int64()),
            pa.array(end, pa.int64()),
            pa.DictionaryArray.from_arrays(pa.array(operation, pa.int32()), pa.array(self._operations, pa.string())),
            pa.DictionaryArray.from_arrays(pa.array(outcome, pa.int32()), pa.array([o.value for o in OUTCOMES])),
            pa.array(status, pa.int16()),
            pa.array(degraded, pa.bool_()),
            pa.DictionaryArray.from_arrays(details.indices, pa.array(texts, pa.string())),
        ]
        return pa.Table.from_arrays(columns, schema=self._schema)
