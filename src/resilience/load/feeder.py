"""Rows of a file, by number, in bounded memory: CSV with a header (RFC 4180), or JSON lines.

When it is opened the file is gone through once, and the place of every 64th row is kept: a million rows are 125 kB. A
row is then read from the nearest place before it, with its neighbours; the last 64 such stretches are kept.
"""

import csv
import io
import json
from array import array
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from resilience.errors import LoadError
from resilience.load.fields import text_at
from resilience.model import Feeder, Problem

EVERY = 64
"""Rows between two places that are kept."""
BLOCKS = 64
"""So many stretches between two places are kept as they were read."""
_QUOTE = b'"'


class Rows:
    """The rows of a file.

    Args:
        feeder: which file, and which columns.
        home: the folder that its name is relative to.

    Raises:
        LoadError: it cannot be read, has no rows, or not the columns.
    """

    def __init__(self, feeder: Feeder, home: str) -> None:
        self._path = Path(home) / feeder.file
        self._columns = feeder.columns
        self._csv = feeder.file.endswith(".csv")
        self._places = array("Q")
        self.count = 0
        self._block = lru_cache(maxsize=BLOCKS)(self._read)
        try:
            with self._path.open("rb") as file:
                at, self._names = self._header(file) if self._csv else (0, feeder.columns)
                for record in self._records(file):
                    if record.strip():
                        if self.count % EVERY == 0:
                            self._places.append(at)
                        self.count += 1
                    at += len(record)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise self._problem(f"cannot be read: {error}", "check the path, relative to the experiment") from error
        if missing := [name for name in feeder.columns if name not in self._names]:
            raise self._problem(f"has no column {missing[0]!r}; it has {', '.join(self._names)}", "name its columns")
        if not self.count:
            raise self._problem("has no rows", "write one row for each record")
        self.row(0)

    def row(self, number: int) -> Mapping[str, str]:
        """A row, modulo the number of rows: text by column.

        Raises:
            LoadError: it cannot be read any more, or not be understood.
        """
        block, offset = divmod(number % self.count, EVERY)
        return self._block(block)[offset]

    def _read(self, block: int) -> list[Mapping[str, str]]:
        first, found = block * EVERY, list[Mapping[str, str]]()
        wanted = min(EVERY, self.count - first)
        try:
            with self._path.open("rb") as file:
                file.seek(self._places[block])
                for record in self._records(file):
                    if record.strip():
                        found.append(self._parse(record, first + len(found)))
                        if len(found) == wanted:
                            return found
        except OSError as error:
            raise self._problem(f"cannot be read any more: {error}", "leave it alone while a run lasts") from error
        raise self._problem("is shorter than it was", "leave it alone while a run lasts")

    def _parse(self, record: bytes, number: int) -> Mapping[str, str]:
        try:
            text = record.decode("utf-8-sig")
            if self._csv:
                (cells,) = csv.reader(io.StringIO(text, newline=""), strict=True)
                row: Mapping[str, str | None] = dict(zip(self._names, cells, strict=True))
            else:
                document = json.loads(text)
                row = {name: text_at(document, name) for name in self._columns}
        except (ValueError, csv.Error) as error:
            raise self._problem(f"row {number + 1} cannot be understood: {error}", "mend it") from error
        kept = {name: row[name] for name in self._columns}
        if missing := [name for name, value in kept.items() if value is None]:
            raise self._problem(f"row {number + 1} has no {missing[0]!r}", "give every row every column")
        return {name: str(value) for name, value in kept.items()}

    def _header(self, file: BinaryIO) -> tuple[int, tuple[str, ...]]:
        """(its length in bytes, names) of the first row."""
        record = next(self._records(file), b"")
        cells = next(csv.reader(io.StringIO(record.decode("utf-8-sig"), newline=""), strict=True), [])
        return len(record), tuple(cells)

    def _records(self, file: BinaryIO) -> Iterator[bytes]:
        """Rows from where the file stands; in CSV a line that ends inside quotes goes on with the next."""
        begun = b""
        while line := file.readline():
            begun += line
            if not self._csv or begun.count(_QUOTE) % 2 == 0:
                yield begun
                begun = b""
        if begun:
            yield begun

    def _problem(self, message: str, hint: str) -> LoadError:
        return LoadError(Problem(f"feeder {self._path}", message, hint))
