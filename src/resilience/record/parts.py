"""A table on disk as Parquet files, written a piece at a time, and sealed once all is written.

Every piece is written under a name that `*.parquet` does not match and renamed, so a reader never meets half a file and
a crash costs what came after the last one. `_<prefix>.sealed.json` says how many rows are in which part, and its
digest: Parquet has checksums for its pages, none for its own description of them. Readers of whole folders pass over
names that begin with `_` or a dot.
"""

import contextlib
import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from resilience.errors import RecordError
from resilience.host.files import write_json

FORMAT = 1
SEAL_SUFFIX = ".sealed.json"
"""A seal's name begins with `_`, which readers of whole Parquet folders pass over."""


class Part(NamedTuple):
    """What a seal says of one file."""

    rows: int
    blake2b: str


class Parts:
    """The files of one writer; used by one thread at a time.

    Args:
        folder: where they are; made if it is not there.
        prefix: names them; no two writers of a folder have the same.
    """

    def __init__(self, folder: Path, prefix: str) -> None:
        self._folder, self._prefix = folder, prefix
        folder.mkdir(parents=True, exist_ok=True)
        self._parts: dict[str, Part] = {}

    @property
    def following(self) -> Path:
        """The next file."""
        return self._folder / f"{self._prefix}-{len(self._parts):05d}.parquet"

    def add(self, content: bytes, rows: int) -> None:
        """Write the next file. Raises OSError if that cannot be done; then nothing is there."""
        path = self.following
        beside = path.with_name(f".{path.name}.part")
        try:
            beside.write_bytes(content)
            beside.rename(path)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            raise
        self._parts[path.name] = Part(rows, _digest(content))

    def seal(self) -> None:
        """Say that this is all: what is missing later will be noticed.

        Raises:
            RecordError: it cannot be written.
        """
        seal = {
            "format": FORMAT,
            "rows": sum(part.rows for part in self._parts.values()),
            "parts": {name: part._asdict() for name, part in self._parts.items()},
        }
        try:
            write_json(self._folder / f"_{self._prefix}{SEAL_SUFFIX}", seal)
        except OSError as error:
            msg = f"{self._folder.name} in {self._folder} cannot be sealed: {error}"
            raise RecordError(msg) from error


def read_part(path: Path, sealed: Part | None) -> pa.Table:
    """One file.

    Raises:
        OSError, ValueError, pa.ArrowException: it cannot be read, or is not the one that was sealed.
    """
    content = path.read_bytes()
    if sealed is not None and sealed.blake2b != _digest(content):
        raise ValueError("it is not the file that was sealed")
    return pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True).read()


def read_seals(folder: Path, problems: list[str], of: str = "*") -> dict[str, Part]:
    """Parts of sealed writers by file name; what is wrong with a seal is added to the problems."""
    parts: dict[str, Part] = {}
    for path in sorted(folder.glob(f"_{of}{SEAL_SUFFIX}")):
        try:
            parts |= _parse_seal(path.read_bytes())
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            problems.append(f"the seal {folder.name}/{path.name} is damaged: {error}")
    return parts


def _parse_seal(content: bytes) -> dict[str, Part]:
    seal = json.loads(content)
    parts = {str(name): Part(int(part["rows"]), str(part["blake2b"])) for name, part in seal["parts"].items()}
    if seal["format"] != FORMAT or seal["rows"] != sum(part.rows for part in parts.values()):
        raise ValueError(f"format {seal['format']!r} with {seal['rows']!r} rows in {parts}")
    return parts


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
