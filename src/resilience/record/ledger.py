"""The write ledger on disk: one append-only binary file per process in `writes/`, and for each account in its folder.

A file is a header, lines of fixed size each with its CRC-32, and a seal. All numbers are little-endian.

* header (64 bytes): magic, version, size of a line, run, boot id, monotonic and wall clock in ns, CRC-32
* line (32 bytes): at_ns, seq, writer, epoch, status, mark, CRC-32
* line of an account (version 2, 48 bytes): the same, then value, object, other, before the CRC-32
* seal (64 bytes): magic, number of lines, BLAKE2b-256 over all lines, CRC-32

A line is in the kernel's page cache before `note` returns, so it survives SIGKILL of the process (not the loss of the
host, which a run does not survive either: its instants belong to one boot).
"""

import hashlib
import os
import struct
import time
import uuid
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from resilience.columns import EffectLines, LedgerLines, Mark
from resilience.errors import RecordError
from resilience.host.memory import keep_freed
from resilience.host.processes import boot_id
from resilience.judge.places import WIDTH
from resilience.record.folder import writes_of
from resilience.record.lines import CRC, EFFECT_LINE, EFFECTS, LINE, PLAIN, Form, intact, with_crc
from resilience.record.sealed import go_through

SUFFIX = ".ledger"
HEADER_MAGIC = b"RSLEDGER"
SEAL_MAGIC = b"RSLSEAL\0"
HEADER = struct.Struct("<8sHH16s16sqq")
SEAL = struct.Struct("<8sQ32s12x")
HEADER_SIZE = HEADER.size + CRC.size
SEAL_SIZE = SEAL.size + CRC.size
RUN_SIZE = 16
LARGE = 1 << 21
"""Ledgers of more lines are not held in memory."""
BLOCK = 1 << 15
"""So many lines are read at once: a megabyte, which stays in the processor's cache."""


class LedgerWriter:
    """Writes the ledger of one process. Called from one native thread; greenlets are fine, it never yields.

    Args:
        path: the file, `writes/<anything>.ledger`; must not exist.
        run: at most 16 ASCII characters.
        boot: the boot by whose clock instants are counted; empty for this machine's.

    Raises:
        RecordError: the file is there already, or cannot be made.
    """

    form: ClassVar[Form] = PLAIN

    def __init__(self, path: Path, run: str, *, boot: str = "") -> None:
        name = run.encode("ascii")
        if not 0 < len(name) <= RUN_SIZE:
            msg = f"{run!r} cannot name a run: 1 to {RUN_SIZE} ASCII characters were expected"
            raise RecordError(msg)
        self._path = path
        self._count = 0
        self._digest = hashlib.blake2b(digest_size=32)
        self._broken = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            msg = f"the ledger {path} cannot be made: {error}"
            raise RecordError(msg) from error
        which = uuid.UUID(boot or boot_id()).bytes
        clocks = (time.monotonic_ns(), time.time_ns())
        self._write(with_crc(HEADER.pack(HEADER_MAGIC, self.form.version, self.form.size, name, which, *clocks)))

    def note(self, mark: Mark, writer: int, epoch: int, seq: int, at_ns: int, status: int = 0) -> None:
        """Write one line down before returning.

        Raises:
            RecordError: it could not be written (disk full). Nothing may be sent any more.
        """
        content = LINE.pack(at_ns, seq, writer, epoch, status, mark)
        line = content + CRC.pack(zlib.crc32(content))
        self._write(line)
        self._digest.update(line)
        self._count += 1

    def close(self) -> None:
        """Seal and close the file. Idempotent. A ledger that could not be written to stays unsealed.

        Raises:
            RecordError: the seal could not be written.
        """
        if self._file < 0:
            return
        try:
            if not self._broken:
                self._write(with_crc(SEAL.pack(SEAL_MAGIC, self._count, self._digest.digest())))
                os.fsync(self._file)
        finally:
            os.close(self._file)
            self._file = -1

    def _write(self, content: bytes) -> None:
        if self._broken or self._file < 0:
            msg = f"the ledger {self._path} is {'broken' if self._broken else 'closed'}; nothing may be sent any more"
            raise RecordError(msg)
        try:
            written = os.write(self._file, content)
        except OSError as error:
            self._broken = True
            msg = f"the ledger {self._path} cannot be written: {error}; nothing may be sent any more"
            raise RecordError(msg) from error
        if written != len(content):
            self._broken = True
            msg = f"the ledger {self._path} is full: {written} of {len(content)} bytes were written"
            raise RecordError(msg)


class AccountWriter(LedgerWriter):
    """Writes the ledger of one account: each line says what the write was to do, too."""

    form: ClassVar[Form] = EFFECTS

    def note(
        self,
        mark: Mark,
        writer: int,
        epoch: int,
        seq: int,
        at_ns: int,
        status: int = 0,
        effect: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        """Write one line down before returning; `effect` is value, object, other, as in `columns.EffectLines`."""
        content = EFFECT_LINE.pack(at_ns, seq, writer, epoch, status, mark, *effect)
        line = content + CRC.pack(zlib.crc32(content))
        self._write(line)
        self._digest.update(line)
        self._count += 1


def read_ledger(folder: Path, *, run: str | None = None, finished: bool = True, account: str = "") -> LedgerLines:
    """Read all ledger files of a run, however damaged; lines that cannot be trusted are left out and reported.

    Only the files are checked here. Whether the lines make sense (a settlement without its attempt, a gap in `seq`) is
    for `judge` to say.

    Args:
        folder: the run folder.
        run: what the files must say of themselves; None accepts any run, as long as it is the same in all.
        finished: False for a run in progress, which is not sealed yet and may end in half a line.
        account: whose ledger; empty for that of `ledger` itself. Of an account the lines are `EffectLines`.
    """
    keep_freed()
    paths = sorted(writes_of(folder, account).glob(f"*{SUFFIX}"))
    form = EFFECTS if account else PLAIN
    problems: list[str] = []
    if not paths:
        problems.append(f"there is no write ledger in {writes_of(folder, account)}")
    parts: list[_Part] = []
    whose: dict[int, str] = {}
    boots: set[bytes] = set()
    for path in paths:
        shown = path.relative_to(folder).as_posix()
        reader = _FileReader(path, shown, form, problems, finished=finished)
        header = reader.header()
        if header is None:
            continue
        run = run or header.run
        if header.run != run:
            problems.append(f"{shown} is of run {header.run!r}, {run!r} was expected")
            continue
        boots.add(header.boot)
        part = reader.lines()
        problems += [
            f"writer {writer} is in {other} and in {shown}"
            for writer in sorted(part.writers)
            if (other := whose.setdefault(writer, shown)) != shown
        ]
        parts.append(part)
    if len(boots) > 1:
        problems.append("ledger files are of different boots: their instants cannot be compared")
    kind = StoredEffectLines if account else StoredLines
    stored = kind(parts, tuple(problems))
    return stored if len(stored) > LARGE else stored.in_memory()


class _Part(NamedTuple):
    """The lines of one file: how many, which of them cannot be believed, and which writers wrote the others.

    Attributes:
        highest: as in `Sealed`; None if it is not known.
    """

    path: Path
    form: Form
    size: int
    bad: npt.NDArray[np.int64]
    writers: set[int]
    highest: dict[int, int] | None = None

    def blocks(self) -> Iterator[npt.NDArray[Any]]:
        """All lines that can be believed."""
        for begin, length in _pieces(self.size):
            lines = _read(self.path, self.form, begin, length)
            bad = self.bad[np.searchsorted(self.bad, begin) : np.searchsorted(self.bad, begin + BLOCK)] - begin
            yield np.delete(lines, bad) if len(bad) else lines


def _pieces(count: int) -> list[tuple[int, int]]:
    """Lines in blocks: where each begins, and how many it has."""
    return [(begin, min(BLOCK, count - begin)) for begin in range(0, count, BLOCK)]


def _read(path: Path, form: Form, begin: int, count: int) -> npt.NDArray[Any]:
    lines = np.fromfile(path, form.dtype, count, offset=HEADER_SIZE + begin * form.size)
    if len(lines) != count:
        msg = f"{path} became shorter while it was read"
        raise RecordError(msg)
    return lines


class StoredLines(LedgerLines):
    """A ledger too large to be held in memory: it is read from its files as often as it is gone through.

    A single column can be had all the same.
    """

    form: ClassVar[Form] = PLAIN

    def __init__(self, parts: Sequence[_Part], problems: tuple[str, ...]) -> None:
        object.__setattr__(self, "_parts", tuple(parts))
        object.__setattr__(self, "problems", problems)

    def __len__(self) -> int:
        """The number of lines."""
        return sum(part.size - len(part.bad) for part in self._of())

    def blocks(self) -> Iterator[LedgerLines]:
        """All lines in the order of the files, in parts of a bounded size."""
        for part in self._of():
            for lines in part.blocks():
                yield _columns(lines, self.form, ())

    def highest(self) -> dict[int, int] | None:
        """Code of writer and epoch → highest seq, without going through the lines; None if some line is doubtful."""
        together: dict[int, int] = {}
        for part in self._of():
            if part.highest is None:
                return None
            for key, seq in part.highest.items():
                together[key] = max(seq, together.get(key, 0))
        return together

    def in_memory(self) -> LedgerLines:
        """The same, held in memory."""
        read = [lines for part in self._of() for lines in part.blocks()]
        return _columns(np.concatenate([np.empty(0, self.form.dtype), *read]), self.form, self.problems)

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401 - as the attribute is
        """An attribute; a column is read from the files."""
        kinds = super().__getattribute__("form").kinds
        if name in kinds:
            column = np.empty(len(self), kinds[name])
            end = 0
            for block in self.blocks():
                column[end : end + len(block)] = getattr(block, name)
                end += len(block)
            column.setflags(write=False)
            return column
        return super().__getattribute__(name)

    def _of(self) -> tuple[_Part, ...]:
        parts: tuple[_Part, ...] = self.__dict__["_parts"]
        return parts


class StoredEffectLines(StoredLines, EffectLines):
    """The same of an account."""

    form: ClassVar[Form] = EFFECTS


def _columns(lines: npt.NDArray[Any], form: Form, problems: tuple[str, ...]) -> LedgerLines:
    arrays: dict[str, Any] = {name: lines[name].astype(kind) for name, kind in form.kinds.items()}
    for array in arrays.values():
        array.setflags(write=False)
    kind = EffectLines if form is EFFECTS else LedgerLines
    return kind(**arrays, problems=problems)


class _Header(NamedTuple):
    run: str
    boot: bytes


class _FileReader:
    """Reads one ledger file; what is wrong with it goes to `problems`."""

    def __init__(self, path: Path, name: str, form: Form, problems: list[str], *, finished: bool) -> None:
        self._name = name
        self._path = path
        self._form = form
        self._problems = problems
        self._finished = finished
        self._size = 0
        try:
            self._size = path.stat().st_size
            with path.open("rb") as file:
                self._head = file.read(HEADER_SIZE)
                file.seek(max(0, self._size - SEAL_SIZE))
                self._tail = file.read(SEAL_SIZE)
        except OSError as error:
            self._head = self._tail = b""
            self._problem(f"cannot be read: {error}")

    def header(self) -> _Header | None:
        """What the file says of itself; None if it cannot be believed."""
        content = self._head
        if len(content) != HEADER_SIZE or with_crc(content[: HEADER.size]) != content:
            self._problem("has no header that can be read; all of it is left out")
            return None
        magic, version, size, run, boot, _, _ = HEADER.unpack(content[: HEADER.size])
        expected = (HEADER_MAGIC, self._form.version, self._form.size)
        if (magic, version, size) != expected:
            told = " ".join(map(str, expected))
            self._problem(f"has format {magic!r} {version} {size}, {told} was expected")
            return None
        return _Header(run.rstrip(b"\0").decode("ascii", "replace"), boot)

    def lines(self) -> _Part:
        """Check all lines, block by block, and tell which can be believed."""
        size = self._size - HEADER_SIZE
        seal = self._seal()
        if seal is not None:
            size -= SEAL_SIZE
        elif self._finished:
            self._problem("is not sealed: its writer was cut short")
        count, rest = divmod(size, self._form.size)
        if rest and self._finished:
            self._problem(f"ends in {rest} bytes of a line")
        # What is as it was sealed is as it was written, line by line; only otherwise is each line looked at.
        whole = False
        if seal is not None:
            found = go_through(_read(self._path, self._form, *piece) for piece in _pieces(count))
            whole = seal == (count, found.digest)
            if whole and found.highest is not None:
                writers = {code // WIDTH for code in found.highest}
                return _Part(self._path, self._form, count, np.empty(0, np.int64), writers, found.highest)
        strange, writers = 0, set[int]()
        damaged, bad = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for begin, length in _pieces(count):
            lines = _read(self._path, self._form, begin, length)
            good = np.ones(len(lines), np.bool_) if whole else intact(lines.view(np.uint8), self._form)
            known = np.isin(lines["mark"], _MARKS)
            damaged.append(np.flatnonzero(~good) + begin)
            strange += int(np.count_nonzero(good & ~known))
            bad.append(np.flatnonzero(~(good & known)) + begin)
            writers |= _distinct(lines["writer"][good & known])
        if seal is not None and not whole:
            self._problem(
                f"is not what its seal says: {seal[0]} lines were sealed, {count} are there, or they were changed"
            )
        if len(torn := np.concatenate(damaged)):
            at_end = torn[0] == count - len(torn)
            self._problem(
                f"{'ends in' if at_end else 'has'} {len(torn)} damaged lines, the first is number {torn[0] + 1}"
            )
        if strange:
            self._problem(f"has {strange} lines with marks that are not known")
        return _Part(self._path, self._form, count, np.concatenate(bad), writers)

    def _seal(self) -> tuple[int, bytes] | None:
        content = self._tail
        if self._size < HEADER_SIZE + SEAL_SIZE or with_crc(content[: SEAL.size]) != content:
            return None
        magic, count, digest = SEAL.unpack(content[: SEAL.size])
        return (count, digest) if magic == SEAL_MAGIC else None

    def _problem(self, text: str) -> None:
        self._problems.append(f"{self._name} {text}")


def _distinct(numbers: npt.NDArray[np.uint32]) -> set[int]:
    """The different ones; counted rather than sorted where they are small."""
    if len(numbers) and numbers.max() <= BLOCK:
        return set(np.flatnonzero(np.bincount(numbers)).tolist())
    return set(np.unique(numbers).tolist())


_MARKS = np.array([mark.value for mark in Mark], np.uint8)
