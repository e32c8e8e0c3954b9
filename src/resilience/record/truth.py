"""The truth about writes in a run folder: `writes/truth.parquet`, and what was read about the store in `truth.json`."""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from resilience.columns import Truth
from resilience.errors import RecordError
from resilience.host.files import write_durably
from resilience.model import Json
from resilience.record.documents import load_document, save_document
from resilience.record.folder import WRITES
from resilience.record.redact import Redactor

FORMAT = 1
ROWS = "truth.parquet"
FACTS = "truth.json"
_SCHEMA = pa.schema(
    [
        ("writer", pa.int32()),
        ("epoch", pa.int32()),
        ("seq", pa.int64()),
        ("intact", pa.bool_()),
        ("position", pa.int64()),
    ]
)


def save(folder: Path, truth: Truth, redactor: Redactor | None = None) -> None:
    """Write the truth into the run folder, rows first: `truth.json` says how many there are and their digest.

    Raises:
        RecordError: it cannot be written.
    """
    table = pa.Table.from_arrays([pa.array(getattr(truth, name)) for name in _SCHEMA.names], schema=_SCHEMA)
    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd")
    content = stream.getvalue()
    try:
        (folder / WRITES).mkdir(exist_ok=True)
        write_durably(folder / WRITES / ROWS, content)
    except OSError as error:
        msg = f"the truth about writes cannot be written to {folder / WRITES}: {error}"
        raise RecordError(msg) from error
    document: dict[str, Json] = {
        "format": FORMAT,
        "rows": len(truth),
        "sha256": hashlib.sha256(content).hexdigest(),
        "read_ns": truth.read_ns,
        "facts": dict(truth.facts),
        "foreign": truth.foreign,
    }
    save_document(folder / WRITES / FACTS, document, redactor or Redactor())


def load(folder: Path) -> Truth:
    """Read the truth back.

    Raises:
        RecordError: it is missing, damaged, or not what its `truth.json` says.
    """
    document: Any = load_document(folder / WRITES / FACTS)
    try:
        return _parse(document, (folder / WRITES / ROWS).read_bytes())
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"the truth about writes in {folder / WRITES} cannot be read: {error}"
        raise RecordError(msg) from error


def _parse(document: Any, content: bytes) -> Truth:  # noqa: ANN401 - any JSON document
    if document["format"] != FORMAT:
        raise ValueError(f"format {document['format']!r}, {FORMAT} was expected")
    if hashlib.sha256(content).hexdigest() != document["sha256"]:
        raise ValueError(f"{ROWS} is not the file that {FACTS} was written for")
    table = pq.read_table(io.BytesIO(content), schema=_SCHEMA)
    if len(table) != document["rows"]:
        raise ValueError(f"{len(table)} rows, {document['rows']} were expected")
    arrays: dict[str, Any] = {name: np.array(table[name].to_numpy()) for name in _SCHEMA.names}
    for array in arrays.values():
        array.setflags(write=False)
    return Truth(
        **arrays,
        foreign=tuple(str(text) for text in document["foreign"]),
        facts={str(key): str(value) for key, value in document["facts"].items()},
        read_ns=int(document["read_ns"]),
    )
