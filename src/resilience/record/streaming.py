"""The samples of a run, one file after the other: for whoever must not hold all of them at once."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from resilience.record.folder import SAMPLES
from resilience.record.parts import read_part, read_seals
from resilience.record.samples import OPERATIONS_KEY, completed


def stream_samples(folder: Path, problems: list[str], *, finished: bool = True) -> Iterator[pa.Table]:
    """Tables of samples, with the columns of `samples.SCHEMA` and those that the load has besides.

    Memory is that of the largest file, which is what one flush wrote. Files come in order of their names, and their
    rows as they stand in them: nearly in order of when operations ended, by writer.

    Args:
        folder: the run folder.
        problems: what is wrong with the files is added here, as it is met; what cannot be read is left out.
        finished: False for a run in progress, which is not sealed yet.
    """
    where = folder / SAMPLES
    sealed = read_seals(where, problems)
    files = {path.name: path for path in where.glob("*.parquet")}
    if not files:
        problems.append(f"there are no samples in {where}")
    if finished:
        unsealed = sorted({name.rpartition("-")[0] for name in files if name not in sealed})
        problems += [f"samples of {who!r} are not sealed: their writer was cut short" for who in unsealed]
    for name in sorted(files.keys() | sealed.keys()):
        if name not in files:
            problems.append(f"samples/{name} is missing: it should have {sealed[name].rows} samples")
            continue
        try:
            table = completed(read_part(files[name], sealed.get(name)))
        except (OSError, pa.ArrowException, ValueError) as error:
            problems.append(f"samples/{name} cannot be read: {error}")
            continue
        yield table


def columns_and_operations(folder: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns that any file has, and the names of operations that any file knows; damaged files say nothing."""
    columns: dict[str, None] = {}
    operations: dict[str, None] = {}
    for path in sorted((folder / SAMPLES).glob("*.parquet")):
        try:
            schema = pq.read_schema(path)
            operations |= dict.fromkeys(json.loads((schema.metadata or {})[OPERATIONS_KEY]))
        except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
            continue  # told when it is read
        columns |= dict.fromkeys(schema.names)
    return tuple(columns), tuple(operations)
