"""Rows of a file, by number, in bounded memory: CSV with a header (RFC 4180), or JSON lines.

When it is opened the file is gone through once, and the place of every 64th row is kept: a million rows are 125 kB. A
row is then read from the nearest place before it; rows asked for in turn are not read twice.
"""

import csv
import io
import json
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from resilience.errors import LoadError
from resilience.load.classify import text_at
from resilience.model import Feeder, Problem

EVERY = 64
"""Rows between two places that are kept."""
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
        self._buffered: tuple[int, list[Mapping[str, str]]] = (-1, [])
        try:
            self._file: BinaryIO = self._path.open("rb")
            self._names = self._header() if self._csv else feeder.columns
            at = self._file.tell()
            for record in self._records():
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
            LoadError: it cannot be understood.
        """
        block, offset = divmod(number % self.count, EVERY)
        if self._buffered[0] != block:
            self._buffered = (block, self._read(block))
        return self._buffered[1][offset]

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._file.close()

    def _read(self, block: int) -> list[Mapping[str, str]]:
        self._file.seek(self._places[block])
        first, found = block * EVERY, list[Mapping[str, str]]()
        for record in self._records():
            if record.strip():
                found.append(self._parse(record, first + len(found)))
                if len(found) == EVERY:
                    break
        return found

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

    def _header(self) -> tuple[str, ...]:
        for record in self._records():
            (cells,) = csv.reader(io.StringIO(record.decode("utf-8-sig"), newline=""), strict=True)
            self._file.seek(len(record))
            return tuple(cells)
        return ()

    def _records(self) -> Iterator[bytes]:
        """Rows from where the file stands; in CSV a line that ends inside quotes goes on with the next."""
        begun = b""
        while line := self._file.readline():
            begun += line
            if not self._csv or begun.count(_QUOTE) % 2 == 0:
                yield begun
                begun = b""
        if begun:
            yield begun

    def _problem(self, message: str, hint: str) -> LoadError:
        return LoadError(Problem(f"feeder {self._path}", message, hint))
