"""Debts: what must be put back, on disk before anything is done, readable by whoever is left to settle it.

A book is a file of JSON lines in `<state>/debts/`, one book per run, mode 0600. Each line carries a CRC-32. Lines are
only ever added, by the runner and by the reaper at the same time: each is written in one go, after a newline of its
own, so a line torn by a crash never spoils the next. An `owed` line is on disk before `owe` returns, hence before the
side effect; a torn one means that the side effect never happened. A book with nothing owed is removed when closed.
"""

import json
import os
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from resilience.errors import DebtsOutstanding
from resilience.host import files, processes
from resilience.model import Identity, Json, Problem, Undo

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """One thing that is owed to the target.

    Attributes:
        id: unique in the book.
        fault: the fault's name in the experiment, or what else made the debt (`stack`).
        undo: how it is put back, by kind.
        deadline_ns: end of the lease on the monotonic clock of the boot `boot`; None lasts as long as its owner.
    """

    id: str
    fault: str
    undo: Undo
    deadline_ns: int | None
    boot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A book as read: all of it, in the order written.

    Attributes:
        owner: the runner; None if the header cannot be read.
        debts: everything ever owed.
        settled: debt id → who settled it (`runner`, `reaper`, `reap`).
        failures: debt id → what the last attempt to settle it said.
        problems: lines that cannot be read, other than a torn last one. They may hide a debt.
    """

    path: Path
    run: str
    owner: Identity | None
    debts: tuple[Debt, ...]
    settled: Mapping[str, str]
    failures: Mapping[str, str]
    problems: tuple[Problem, ...]

    @property
    def owed(self) -> tuple[Debt, ...]:
        """What is still owed, in the order in which it was taken on."""
        return tuple(debt for debt in self.debts if debt.id not in self.settled)

    @property
    def owner_alive(self) -> bool:
        """Whether the runner that wrote the book still runs."""
        return self.owner is not None and processes.alive(self.owner)


class DebtBook:
    """A book, open for adding lines.

    Args:
        path: the file; it exists (see `create`).
    """

    def __init__(self, path: Path) -> None:
        """Open an existing book."""
        self.path = path
        self.abandoned: set[str] = set()
        self._count = 0
        self._handle: int | None = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    @classmethod
    def create(cls, state_folder: Path, run: str) -> "DebtBook":
        """Make the book of a run, durably.

        Raises:
            FileExistsError: the run has a book already.
        """
        folder = books_folder(state_folder)
        path = folder / f"{run}.jsonl"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        book = cls(path)
        owner = processes.identify(os.getpid())
        book._add({"state": "book", "format": FORMAT, "run": run, "owner": asdict(owner) if owner else None})
        files.sync_folder(folder)
        return book

    def new_id(self, fault: str) -> str:
        """A debt id that this book has not given out."""
        self._count += 1
        return f"{os.getpid()}-{self._count}-{fault}"

    def owe(self, fault: str, undo: Undo, *, deadline_ns: int | None = None, debt_id: str = "") -> str:
        """Write down a debt; it is on disk when this returns. Returns its id.

        Args:
            fault: name of the fault, or what else makes the debt.
            undo: how it is put back.
            deadline_ns: when it is put back whatever happens, on the monotonic clock.
            debt_id: from `new_id`; made here if empty.
        """
        debt_id = debt_id or self.new_id(fault)
        self._add(
            {
                "state": "owed",
                "id": debt_id,
                "fault": fault,
                "undo": {"kind": undo.kind, "data": undo.data},
                "deadline_ns": deadline_ns,
                "boot": processes.boot_id(),
            }
        )
        return debt_id

    def settle(self, debt_id: str, *, by: str = "runner") -> None:
        """Write down that a debt is settled; on disk when this returns. Twice is harmless."""
        self._add({"state": "settled", "id": debt_id, "by": by, "at_ns": time.monotonic_ns()})
        self.abandoned.discard(debt_id)

    def failed(self, debt_id: str, message: str) -> None:
        """Write down that an attempt to settle a debt failed. It stays owed."""
        self._add({"state": "failed", "id": debt_id, "message": message})

    def read(self) -> Page:
        """The book as it is on disk now; an empty one if it has been closed and removed."""
        try:
            return read_book(self.path)
        except FileNotFoundError:
            return Page(path=self.path, run=self.path.stem, owner=None, debts=(), settled={}, failures={}, problems=())

    def owed(self) -> tuple[Debt, ...]:
        """What is still owed, in the order in which it was taken on."""
        return self.read().owed

    def close(self) -> None:
        """Remove the book if nothing is owed; else leave it. Idempotent.

        Raises:
            DebtsOutstanding: with everything that is owed.
        """
        if self._handle is None:
            return
        os.close(self._handle)
        self._handle = None
        page = self.read()
        if page.owed or page.problems:
            raise DebtsOutstanding(problems_of(page))
        self.path.unlink(missing_ok=True)
        files.sync_folder(self.path.parent)

    def __enter__(self) -> Self:
        """For use with `with`: closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close, see `close`."""
        self.close()

    def _add(self, entry: Mapping[str, Json]) -> None:
        if self._handle is None:
            msg = f"the debt book {self.path} is closed"
            raise ValueError(msg)
        if os.fstat(self._handle).st_nlink == 0:
            msg = f"the debt book {self.path} has been removed: nothing can be written down, so nothing may be done"
            raise FileNotFoundError(msg)
        line = f'\n{{"crc": "{_crc(entry)}", "entry": {_canonical(entry)}}}\n'.encode()
        written = os.write(self._handle, line)
        if written != len(line):
            msg = f"the debt book {self.path} took {written} of {len(line)} bytes: is the disk full?"
            raise OSError(msg)
        os.fsync(self._handle)


def books_folder(state_folder: Path) -> Path:
    """The folder of the books, made if missing."""
    folder = state_folder / "debts"
    if not folder.is_dir():
        folder.mkdir(mode=0o700, exist_ok=True)
        files.sync_folder(state_folder)
    return folder


def outstanding(state_folder: Path) -> tuple[Page, ...]:
    """All books in which something is owed or that cannot be read in full, oldest first. Changes nothing."""
    pages = []
    for path in sorted((state_folder / "debts").glob("*.jsonl"), key=_modified_ns):
        with suppress(FileNotFoundError):  # closed meanwhile: nothing is owed
            page = read_book(path)
            if page.owed or page.problems:
                pages.append(page)
    return tuple(pages)


def problems_of(page: Page) -> tuple[Problem, ...]:
    """What is owed by a book, as problems to show."""
    hint = "the run still goes on" if page.owner_alive else "settle it with `resilience reap`"
    owed = (
        Problem(
            debt.fault,
            f"{debt.undo.kind} is still owed to the target by run {page.run}"
            + (f"; the last attempt said: {page.failures[debt.id]}" if debt.id in page.failures else ""),
            hint,
        )
        for debt in page.owed
    )
    return (*owed, *page.problems)


def read_book(path: Path) -> Page:
    """Read a book, also while its owner writes to it.

    Raises:
        FileNotFoundError: there is no such book.
    """
    lines = [(number, line) for number, line in enumerate(path.read_bytes().split(b"\n"), 1) if line]
    entries = [(number, _entry(line)) for number, line in lines]
    if entries and entries[-1][1] is None:
        entries.pop()  # torn: whoever wrote it never came to act on it
    header: Mapping[str, Any] = next((entry for _, entry in entries if entry and entry["state"] == "book"), {})
    good = [entry for _, entry in entries if entry is not None]
    return Page(
        path=path,
        run=str(header.get("run", path.stem)),
        owner=Identity(**header["owner"]) if header.get("owner") else None,
        debts=tuple(_debts(good)),
        settled={entry["id"]: entry["by"] for entry in good if entry["state"] == "settled"},
        failures={entry["id"]: entry["message"] for entry in good if entry["state"] == "failed"},
        problems=tuple(
            Problem(f"{path}:{number}", "this line of the debt book is damaged and may hide a debt", "check the target")
            for number, entry in entries
            if entry is None
        ),
    )


def _debts(entries: Iterable[Mapping[str, Any]]) -> Iterator[Debt]:
    for entry in entries:
        if entry["state"] == "owed":
            undo = Undo(kind=entry["undo"]["kind"], data=entry["undo"]["data"])
            yield Debt(
                id=entry["id"], fault=entry["fault"], undo=undo, deadline_ns=entry["deadline_ns"], boot=entry["boot"]
            )


def _entry(line: bytes) -> Mapping[str, Any] | None:
    """The entry of a line; None if the line is damaged."""
    try:
        document = json.loads(line)
        entry: Mapping[str, Any] = document["entry"]
        return entry if document["crc"] == _crc(entry) else None
    except (ValueError, KeyError, TypeError):
        return None


def _canonical(entry: Mapping[str, Json]) -> str:
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _crc(entry: Mapping[str, Json]) -> str:
    return f"{zlib.crc32(_canonical(entry).encode()):08x}"


def _modified_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
