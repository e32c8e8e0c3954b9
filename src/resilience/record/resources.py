"""What collectors read, on disk: `resources/series/*.parquet`, a row for each reading, and `resources/gaps.jsonl`.

Rows hold what was read, so counters as they stood; rates and shares are made when the record is read. The longer a run
lasts, the longer the pieces: a 60th of its age, between five seconds and a minute, is what a crash may cost, and 24
hours are some 1,500 files. In between, rows are held in memory, no more than `MOST_ROWS`. Who reads never waits for the
disk: `flush` is for a thread of its own.
"""

import io
import json
import math
import threading
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from resilience.errors import RecordError
from resilience.model import Json
from resilience.model.resources import NOTHING, SHARES, Gap, Reading, Resources, Series, Unit
from resilience.record.folder import RESOURCES
from resilience.record.parts import Parts, read_part, read_seals
from resilience.record.profiles import PROFILES, read_profiles
from resilience.record.redact import Redactor

SERIES, GAPS = "series", "gaps.jsonl"
MOST_ROWS = 50_000
_LEAST_NS, _MOST_NS, _SHARE = 5 * 10**9, 60 * 10**9, 60
_NAME = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("at_ns", pa.int64()),
        ("collector", _NAME),
        ("name", _NAME),
        ("of", _NAME),
        ("unit", _NAME),
        ("value", pa.float64()),
        ("limit", pa.float64()),
        ("counter", pa.bool_()),
        ("anew", pa.bool_()),
    ],
    metadata={"resilience.format": "1"},
)
_TEXTS = ("collector", "name", "of", "unit")
_Row: TypeAlias = tuple[int, str, Reading]


class ResourcesWriter:
    """Writes what all collectors of a run read; any thread may call it.

    Args:
        folder: the run folder.
        redactor: takes secrets out of texts.

    Raises:
        RecordError: the folder cannot be made.
    """

    def __init__(self, folder: Path, redactor: Redactor) -> None:
        self._folder = folder / RESOURCES
        self._redactor = redactor
        self._lock = threading.Lock()
        self._rows: list[_Row] = []
        self._flushed_ns = self._last_ns = 0
        try:
            self._parts = Parts(self._folder / SERIES, "series")
        except OSError as error:
            raise RecordError(f"resources cannot be written to {self._folder}: {error}") from error

    def add(self, collector: str, at_ns: int, readings: Iterable[Reading]) -> None:
        """Take what was read at one instant; a value that is no number is left out. Waits for no disk."""
        found = [(at_ns, collector, reading) for reading in readings if math.isfinite(reading.value)]
        with self._lock:
            if len(self._rows) + len(found) <= MOST_ROWS:  # else nobody writes: a disk must not fill the memory
                self._rows += found
            self._last_ns = max(self._last_ns, at_ns)

    def flush(self, *, due: bool = True) -> None:
        """Write what was added; with `due` only if that is long enough ago, or much. For one thread at a time.

        Raises:
            RecordError: it cannot be written; it is let go.
        """
        with self._lock:
            age_ns = self._last_ns - self._flushed_ns
            wait_ns = min(max(self._last_ns // _SHARE, _LEAST_NS), _MOST_NS)
            if not self._rows or (due and age_ns < wait_ns and len(self._rows) < MOST_ROWS // 2):
                return
            rows, self._rows = self._rows, []
            self._flushed_ns = self._last_ns
        try:
            self._parts.add(_packed(rows, self._redactor), len(rows))
        except (OSError, pa.ArrowException) as error:
            raise RecordError(f"resources cannot be written to {self._parts.following}: {error}") from error

    def begin_gap(self, collector: str, of: str, at_ns: int, why: str) -> None:
        """From here on nothing can be read. Raises RecordError if that cannot be written."""
        self._note({"collector": collector, "of": of, "start_ns": at_ns, "why": self._redactor.text(why)})

    def end_gap(self, collector: str, of: str, at_ns: int) -> None:
        """It can be read again. Raises RecordError if that cannot be written."""
        self._note({"collector": collector, "of": of, "end_ns": at_ns})

    def close(self) -> None:
        """Write what is left, and say that this is all. Raises RecordError if that cannot be done."""
        self.flush(due=False)
        self._parts.seal()

    def _note(self, line: dict[str, Any]) -> None:
        try:
            with self._lock, (self._folder / GAPS).open("ab", buffering=0) as file:
                file.write(json.dumps(line).encode() + b"\n")
        except OSError as error:
            raise RecordError(f"gaps cannot be written to {self._folder}: {error}") from error


def _packed(rows: Sequence[_Row], redactor: Redactor) -> bytes:
    readings = [reading for _, _, reading in rows]
    columns: dict[str, pa.Array] = {
        "at_ns": _numbers("q", [at_ns for at_ns, _, _ in rows]),
        "collector": _texts([collector for _, collector, _ in rows], redactor),
        "name": _texts([reading.name for reading in readings], redactor),
        "of": _texts([reading.of for reading in readings], redactor),
        "unit": _texts([reading.unit.value for reading in readings], redactor),
        "value": _numbers("d", [reading.value for reading in readings]),
        "limit": _numbers("d", [math.nan if reading.limit is None else reading.limit for reading in readings]),
        "counter": _flags([reading.counter for reading in readings]),
        "anew": _flags([reading.anew for reading in readings]),
    }
    stream = io.BytesIO()
    table = pa.Table.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)
    coded = [name for name in SCHEMA.names if name != "at_ns"]
    pq.write_table(
        table,
        stream,
        compression="zstd",
        write_page_checksum=True,
        use_dictionary=coded,
        column_encoding={"at_ns": "DELTA_BINARY_PACKED"},
    )
    return stream.getvalue()


# Made from buffers: for Python's lists Arrow imports pandas, where that is installed, which takes a second.
_ARROW = {"q": pa.int64(), "d": pa.float64(), "i": pa.int32()}


def _numbers(kind: str, values: Sequence[float]) -> pa.Array:
    return pa.Array.from_buffers(_ARROW[kind], len(values), [None, pa.py_buffer(array(kind, values))])


def _flags(values: Sequence[bool]) -> pa.Array:
    packed = np.packbits(np.array(values, np.uint8), bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, pa.py_buffer(packed)])


def _texts(texts: Sequence[str], redactor: Redactor) -> pa.DictionaryArray:
    codes: dict[str, int] = {}
    indices = _numbers("i", [codes.setdefault(text, len(codes)) for text in texts])
    content = [redactor.text(text).encode() for text in codes]
    offsets = array("i", [0, *accumulate(map(len, content))])
    words = pa.StringArray.from_buffers(len(content), pa.py_buffer(offsets), pa.py_buffer(b"".join(content)))
    return pa.DictionaryArray.from_arrays(indices, words)


@dataclass(slots=True)
class _Raw:
    """Readings of one series as they stand in the files, a piece at a time."""

    collector: str
    unit: Unit
    counter: bool
    limits: list[npt.NDArray[np.float64]] = field(default_factory=list)
    at_ns: list[npt.NDArray[np.int64]] = field(default_factory=list)
    value: list[npt.NDArray[np.float64]] = field(default_factory=list)
    anew: list[npt.NDArray[np.bool_]] = field(default_factory=list)


_Found: TypeAlias = dict[tuple[str, str], _Raw]


def read_resources(folder: Path, finished: bool = True) -> Resources:
    """What collectors read in a run, however damaged.

    Args:
        folder: the run folder.
        finished: False for a run in progress, which is not sealed yet.

    Returns:
        Nothing at all for a record of a time before there were collectors, or a run that had none.
    """
    inside = folder / RESOURCES / SERIES
    if not inside.is_dir():
        return NOTHING
    problems: list[str] = []
    sealed = read_seals(inside, problems)
    files = {path.name: path for path in inside.glob("*.parquet")}
    if finished and not sealed and not problems and (files or not list(inside.glob("_*"))):
        problems.append("resources are not sealed: their writer was cut short")
    found: _Found = {}
    for name in sorted(files.keys() | sealed.keys()):
        if name not in files:
            problems.append(f"{SERIES}/{name} is missing: it should have {sealed[name].rows} readings")
            continue
        try:
            _gather(read_part(files[name], sealed.get(name)), found)
        except (OSError, pa.ArrowException, ValueError, KeyError, TypeError) as error:
            problems.append(f"{SERIES}/{name} cannot be read: {error}")
    series = list(_series(found))
    series += _shares(series)
    last_s = max((float(one.at_s[-1]) for one in series if len(one)), default=0.0)
    gaps = _gaps(folder / RESOURCES / GAPS, last_s, problems, finished=finished)
    profiles = read_profiles(folder / RESOURCES / PROFILES)
    ordered = tuple(sorted(series, key=lambda one: (one.name, one.of)))
    kept = _kept(folder / RESOURCES, problems)
    return Resources(ordered, gaps, tuple(problems), profiles, kept)


def _kept(folder: Path, problems: list[str]) -> dict[str, dict[str, Json]]:
    """What collectors kept besides their readings."""
    found: dict[str, dict[str, Json]] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            document = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            problems.append(f"{path.name} cannot be read: {error}")
            continue
        if isinstance(document, dict):
            found[path.stem] = document
    return found


def _gather(table: pa.Table, found: _Found) -> None:
    """Add the rows of a file to what was found."""
    if not table.schema.equals(SCHEMA) or table.schema.metadata.get(b"resilience.format") != b"1":
        raise ValueError(f"columns {table.schema.names} were found, {SCHEMA.names} expected")
    texts: dict[str, list[str]] = {}
    codes: dict[str, npt.NDArray[np.int64]] = {}
    for name in _TEXTS:
        column = table[name].combine_chunks()
        texts[name] = column.dictionary.to_pylist()
        codes[name] = column.indices.to_numpy().astype(np.int64)
    at_ns, value = table["at_ns"].to_numpy(), table["value"].to_numpy()
    limit, counter, anew = (table[name].to_numpy() for name in ("limit", "counter", "anew"))
    key = codes["name"] * len(texts["of"]) + codes["of"]
    order = np.lexsort((at_ns, key))
    for rows in np.split(order, np.flatnonzero(np.diff(key[order])) + 1):
        if len(rows):
            last = rows[-1]
            told = {name: texts[name][codes[name][last]] for name in _TEXTS}
            raw = found.setdefault(
                (told["name"], told["of"]), _Raw(told["collector"], Unit(told["unit"]), bool(counter[last]))
            )
            raw.limits.append(limit[rows])
            raw.at_ns.append(at_ns[rows])
            raw.value.append(value[rows])
            raw.anew.append(anew[rows])


def _series(found: _Found) -> Iterator[Series]:
    """Series as they are meant: in order, counters as rates; instants that are the same are held once."""
    shared: dict[bytes, npt.NDArray[np.float64]] = {}
    for (name, of), raw in found.items():
        at_ns, value, anew = np.concatenate(raw.at_ns), np.concatenate(raw.value), np.concatenate(raw.anew)
        order = np.argsort(at_ns, kind="stable")
        at_s, value, anew = at_ns[order] / 1e9, value[order], anew[order]
        limits = np.concatenate(raw.limits)[order]
        limit = None if math.isnan(limits[-1]) else float(limits[-1])
        if raw.counter:
            good, value = _rates(at_s, value, anew)
            at_s, limits = at_s[1:][good], limits[1:][good]
        at_s = shared.setdefault(at_s.tobytes(), at_s)
        varied = len(limits) > 0 and not np.array_equal(limits, np.full_like(limits, limits[0]), equal_nan=True)
        limits.setflags(write=False)
        yield _frozen(Series(name, of, raw.unit, at_s, value, limit, raw.collector, limits if varied else None))


_LONG = 3.0
"""A rate over more than so many ordinary periods says too little of the instant at which it ends."""


def _rates(
    at_s: npt.NDArray[np.float64], value: npt.NDArray[np.float64], anew: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """From what a counter stood at to how quickly it grew: at which readings but the first, and how quickly.

    Nothing where it went back, began anew or was not read.
    """
    took_s, grew = np.diff(at_s), np.diff(value)
    if not len(took_s):
        return np.zeros(0, dtype=np.bool_), value[:0]
    good = (took_s > 0) & (grew >= 0) & ~anew[1:] & (took_s <= _LONG * np.median(took_s))
    return good, grew[good] / took_s[good]


def _shares(series: Sequence[Series]) -> Iterator[Series]:
    """The shares of `SHARES` of which both rates were read."""
    by_key = {(one.name, one.of): one for one in series}
    for name, (of_these, of_those) in SHARES.items():
        for one in series:
            other = by_key.get((of_those, one.of))
            if one.name != of_these or other is None:
                continue
            at_s, here, there = np.intersect1d(one.at_s, other.at_s, return_indices=True)
            total = one.value[here] + other.value[there]
            some = total > 0
            share = one.value[here][some] / total[some]
            yield _frozen(Series(name, one.of, Unit.RATIO, at_s[some], share, 1.0, one.collector))


def _frozen(series: Series) -> Series:
    series.at_s.setflags(write=False)
    series.value.setflags(write=False)
    return series


def _gaps(path: Path, last_s: float, problems: list[str], *, finished: bool) -> tuple[Gap, ...]:
    """The gaps; one without an end lasts until the last reading of all."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return ()
    open_gaps: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    gaps: list[Gap] = []
    for number, text in enumerate(lines):
        try:
            line = json.loads(text)
            collector, of = str(line["collector"]), str(line["of"])
            if "end_ns" in line:
                start_s, why = open_gaps[collector, of].pop()
                gaps.append(Gap(collector, of, start_s, line["end_ns"] / 1e9, why))
            else:
                open_gaps[collector, of].append((line["start_ns"] / 1e9, str(line["why"])))
        except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            if finished or number < len(lines) - 1:  # the last line of a run in progress may be half written
                problems.append(f"line {number + 1} of {path.name} is damaged: {error}")
    gaps += [
        Gap(collector, of, start_s, max(last_s, start_s), why)
        for (collector, of), left in open_gaps.items()
        for start_s, why in left
    ]
    return tuple(sorted(gaps, key=lambda gap: (gap.start_s, gap.collector, gap.of)))
