"""Who writes what: identities of writers, and which acknowledged entries are read back.

A slot of the load process is a writer. It sends one entry at a time. After an outcome that is not certain it never acts
again under the same (writer, epoch): the entry may still take effect at any later time, and an order among entries of
one epoch would then mean nothing.
"""

import random
from collections import deque
from typing import NamedTuple, Protocol, TypeAlias

from resilience.columns import Mark
from resilience.entry import format_id
from resilience.load.classify import Replaced

Change: TypeAlias = tuple[int, int, int]
"""What a write of an account is to do: value, object, other, as in `columns.EffectLines`."""

NOTHING: Change = (0, 0, 0)
RECENT = 20
REMEMBERED = 10_000


class Ledger(Protocol):
    """Where marks are written down: `record.ledger.LedgerWriter`."""

    def note(self, mark: Mark, writer: int, epoch: int, seq: int, at_ns: int, status: int = 0) -> None:
        """Write one line down before returning."""


class Entry(NamedTuple):
    """One write: who sends it, its id, in an account what it is to do, and on whose behalf (−1: nobody's)."""

    writer: int
    epoch: int
    seq: int
    id: str
    change: Change = NOTHING
    tenant: int = -1


class Writers:
    """The writers of one process.

    Args:
        run: the run's name, in every id.
        seed: of the choice of entries to read back.
        count: how many writers.
        ledger: where everything is noted. What it raises is passed on: then nothing may be sent any more.
        first: the number of the first writer in the ledger; those of other accounts and processes are others.

    Attributes:
        attempted, acknowledged: so far.
        unsettled: in flight or indeterminate so far.
    """

    def __init__(self, run: str, seed: int, count: int, ledger: Ledger, *, first: int = 0) -> None:
        self._run = run
        self._ledger = ledger
        self._random = random.Random(f"read-back {seed}")  # noqa: S311 - a reproducible choice, not a secret
        self._first = first
        self._next = [(0, 0)] * count
        self._recent: deque[Entry] = deque(maxlen=RECENT)
        self._remembered: list[Entry] = []
        self.attempted = 0
        self.acknowledged = 0
        self.unsettled = 0

    def begin(self, writer: int, at_ns: int, change: Change = NOTHING) -> Entry:
        """The writer's next entry, noted as attempted before this returns; `writer` counts from 0 here."""
        epoch, seq = self._next[writer]
        writer += self._first
        self._ledger.note(Mark.ATTEMPTED, writer, epoch, seq, at_ns)
        self._next[writer - self._first] = (epoch, seq + 1)
        self.attempted += 1
        self.unsettled += 1
        return Entry(writer, epoch, seq, format_id(self._run, writer, epoch, seq), change)

    def settle(self, entry: Entry, mark: Mark, at_ns: int, status: int) -> None:
        """Note what became of a write: acknowledged, rejected or indeterminate."""
        self._ledger.note(mark, entry.writer, entry.epoch, entry.seq, at_ns, status)
        if mark is Mark.INDETERMINATE:
            self._next[entry.writer - self._first] = (entry.epoch + 1, 0)
            return
        self.unsettled -= 1
        if mark is Mark.ACKNOWLEDGED:
            if len(self._remembered) < REMEMBERED:
                self._remembered.append(entry)
            else:
                self._remembered[self.acknowledged % REMEMBERED] = entry
            self._recent.append(entry)
            self.acknowledged += 1

    def pick(self) -> Entry | None:
        """An acknowledged entry to read: half of the time one of the last 20, else one of the last 10 000."""
        if not self._recent:
            return None
        return self._random.choice(self._recent if self._random.random() < 0.5 else self._remembered)  # noqa: PLR2004

    def replaced(self, _: Entry) -> Replaced | None:
        """What is known of the object that a write was about; None, since each stores something of its own."""
        return None

    def read(self, entry: Entry, mark: Mark, began_ns: int, status: int) -> None:
        """Note what a read-back begun at that time found: seen, missed or wrong."""
        self._ledger.note(mark, entry.writer, entry.epoch, entry.seq, began_ns, status)
