"""Readings of dependencies on disk: a file of JSON lines for each, `resources/calls-<dependency>.jsonl`.

The first line says what it is, the last how many lines came before it; one write per line, so that a crash costs at
most the line being written.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from resilience.columns import Readings
from resilience.errors import RecordError
from resilience.model import Json
from resilience.record.folder import RESOURCES
from resilience.record.redact import Redactor

FORMAT = 1


def path_of(folder: Path, name: str) -> Path:
    """Where the readings of a dependency are."""
    return folder / RESOURCES / f"calls-{name}.jsonl"


class ReadingsWriter:
    """Writes the readings of one dependency; used by one thread.

    Args:
        folder: the run folder.
        name: of the dependency.
        counts: what is counted.
        redactor: takes secrets out of what was not read, and why.

    Raises:
        RecordError: the file cannot be made.
    """

    def __init__(self, folder: Path, name: str, counts: str, redactor: Redactor) -> None:
        self._path = path_of(folder, name)
        self._redactor = redactor
        self._lines = 0
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch(exist_ok=False)
        except OSError as error:
            msg = f"readings cannot be written to {self._path}: {error}"
            raise RecordError(msg) from error
        self._write({"format": FORMAT, "dependency": name, "counts": counts})

    def add(self, at_ns: int, count: float, epoch: str) -> None:
        """A reading. Raises RecordError if it cannot be written."""
        self._write({"at_ns": at_ns, "count": count, "epoch": epoch})

    def missed(self, at_ns: int, why: str) -> None:
        """It could not be read. Raises RecordError if that cannot be written."""
        self._write({"at_ns": at_ns, "missed": self._redactor.text(why)})

    def close(self) -> None:
        """Say that this is all. Raises RecordError if that cannot be written."""
        self._write({"end": self._lines})

    def _write(self, line: dict[str, Json]) -> None:
        try:
            with self._path.open("ab", buffering=0) as file:  # so seldom that nothing need stay open in between
                file.write(json.dumps(line, allow_nan=False).encode() + b"\n")
        except (OSError, ValueError) as error:
            msg = f"readings cannot be written to {self._path}: {error}"
            raise RecordError(msg) from error
        self._lines += 1


def read_readings(folder: Path, name: str, *, finished: bool = True) -> Readings:
    """The readings of a dependency, however damaged: what is wrong stands in `problems`.

    Args:
        folder: the run folder.
        name: of the dependency.
        finished: False for a run in progress, whose file has no end yet.
    """
    problems: list[str] = []
    at_ns: list[int] = []
    counts: list[float] = []
    epochs: list[int] = []
    known: dict[str, int] = {}
    missed, ended = 0, False
    for number, line in enumerate(_lines(folder, name, problems)):
        if "end" in line:
            ended = True
            if line["end"] != number:
                problems.append(f"{name}: {line['end']!r} lines were written, {number} are there")
        elif "missed" in line:
            missed += 1
        elif number:
            at_ns.append(line["at_ns"])
            counts.append(line["count"])
            epochs.append(known.setdefault(line["epoch"], len(known)))
    if finished and not ended and not problems:
        problems.append(f"{name}: the readings were cut short")
    order = np.argsort(np.asarray(at_ns, np.int64), kind="stable")
    return Readings(
        name=name,
        at_ns=np.asarray(at_ns, np.int64)[order],
        count=np.asarray(counts, np.float64)[order],
        epoch=np.asarray(epochs, np.int32)[order],
        missed=missed,
        problems=tuple(problems),
    )


def _lines(folder: Path, name: str, problems: list[str]) -> list[dict[str, Any]]:
    """The lines up to the first that is damaged."""
    path = path_of(folder, name)
    try:
        content = path.read_bytes()
    except OSError as error:
        problems.append(f"{name}: there are no readings in {path}: {error.strerror}")
        return []
    found: list[dict[str, Any]] = []
    for number, text in enumerate(content.splitlines(keepends=True)):
        try:
            line = json.loads(text)
            _check(line, number, text)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            problems.append(f"{name}: line {number + 1} of the readings is damaged: {error}")
            break
        found.append(line)
    return found


def _check(line: Any, number: int, text: bytes) -> None:  # noqa: ANN401 - any JSON
    if not text.endswith(b"\n") or not isinstance(line, dict):
        raise ValueError("it is no whole line")
    if number == 0:
        if line["format"] != FORMAT:
            raise ValueError(f"format {line['format']!r} was found")
    elif "missed" not in line and "end" not in line and not _is_reading(line):
        raise ValueError(f"it is no reading: {line}")


def _is_reading(line: dict[str, Any]) -> bool:
    at_ns, count = line["at_ns"], line["count"]
    return type(at_ns) is int and abs(at_ns) < 2**62 and math.isfinite(count) and isinstance(line["epoch"], str)
