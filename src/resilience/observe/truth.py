"""What the primary store itself says was written: not through the service, not through a cache or proxy.

The truth is believed once two whole looks, some time apart, agree in every row and in what the server says of itself:
an answer that still changes is none. How a store is looked at is a module of its own for each kind of store.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from resilience.columns import Int64, Truth
from resilience.entry import format_id, prefix_of
from resilience.errors import RecordError
from resilience.model import Problem
from resilience.observe.rows import MAX_FOREIGN, Columns
from resilience.ports import TruthReader

MAX_READS = 10
"""Looks after which a store that still changes is given up."""

BATCH = 4096
"""So many rows are taken at once, of a store that is read row by row."""

_MASK = 2**128 - 1


class Look(NamedTuple):
    """What all rows and the server looked like at one moment; equal looks are of equal rows on the same server.

    Attributes:
        rows: how many there were.
        digest: of all of them, or of what by itself decides which rows are seen.
        facts: what the server said of itself.
    """

    rows: int
    digest: str
    facts: dict[str, str]


@runtime_checkable
class Source(Protocol):
    """A primary store that holds the entries of a run."""

    def facts(self) -> dict[str, str]:
        """What the store says of itself; reads no rows."""

    def look(self, run: str) -> Look:
        """Look at all rows of the run."""

    def read(self, run: str, before: Look, read_ns: int) -> tuple[Look, Truth | None]:
        """Look again and, if that equals what was seen before, read the very rows that were looked at."""


class SettledReader(TruthReader, Protocol):
    """A reader, row by row, that also knows the store."""

    def facts(self) -> dict[str, str]:
        """What the store says of itself: at the last read, or now if there was none."""


def read_settled(
    reader: Source | SettledReader,
    run: str,
    settle_s: float,
    now_ns: Callable[[], int],
    *,
    again_s: float = 0.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Truth:
    """Look until two looks in a row, at least `settle_s` apart, are equal; then the rows are the truth.

    With `again_s`, the store is looked at once more, that much later. If it has changed, a write came late: it is read
    once more until it has settled, and the truth says what came.

    Args:
        reader: of the primary store.
        run: whose entries.
        settle_s: between the end of one look and the beginning of the next.
        now_ns: tells the nanoseconds since the run began.
        again_s: from the truth to the later look; 0 takes none.
        sleep: waits for that many seconds.

    Raises:
        RecordError: the store cannot be read, or still changes after ten looks.
    """
    source = reader if isinstance(reader, Source) else ByRows(reader)
    believed, truth = _settled(source, run, source.look(run), (settle_s, now_ns, sleep))
    if not again_s:
        return truth
    sleep(again_s)
    again_ns = now_ns()
    seen = source.look(run)
    if seen == believed:
        return replace(truth, again_ns=again_ns)
    _, later = _settled(source, run, seen, (settle_s, now_ns, sleep))
    came = _came(truth, later)
    named = tuple(format_id(run, *name) for name in came[:MAX_FOREIGN])
    return replace(later, again_ns=again_ns, late=len(came), late_named=named)


def _settled(
    source: Source, run: str, before: Look, how: tuple[float, Callable[[], int], Callable[[float], None]]
) -> tuple[Look, Truth]:
    settle_s, now_ns, sleep = how
    for _ in range(MAX_READS - 1):
        sleep(settle_s)
        before, truth = source.read(run, before, now_ns())
        if truth is not None:
            return before, truth
    raise RecordError(
        Problem(
            where="the truth about writes",
            message=f"still changing: {MAX_READS} reads {settle_s:g} s apart, no two in a row equal; the last had "
            f"{before.rows} rows",
            hint="rows of this run are still written, or the server restarts: look for other clients, raise settle",
        )
    )


def _came(before: Truth, after: Truth) -> list[tuple[int, int, int]]:
    """The entries that are there more often than before: the names of ours, in the order of their names."""

    def counted(truth: Truth) -> tuple[Int64, Int64]:
        names = np.stack([truth.writer, truth.epoch, truth.seq]).astype(np.int64).T
        found, times = np.unique(names[names[:, 0] >= 0], axis=0, return_counts=True)
        return found, times.astype(np.int64)

    (old, old_times), (new, new_times) = counted(before), counted(after)
    names, place = np.unique(np.concatenate([old, new]), axis=0, return_inverse=True)
    more: Int64 = np.zeros(len(names), np.int64)
    place = place.reshape(-1)
    more[place[len(old) :]] = new_times
    more[place[: len(old)]] -= old_times
    return [(writer, epoch, seq) for writer, epoch, seq in names[more > 0].tolist()]


class ByRows:
    """A store that can only be read row by row: it is looked at by reading all of it."""

    def __init__(self, reader: SettledReader) -> None:
        self._reader = reader

    def facts(self) -> dict[str, str]:
        """What the store says of itself."""
        return self._reader.facts()

    def look(self, run: str) -> Look:
        """Read everything, keep the digest."""
        return self._collect(run, None)

    def read(self, run: str, before: Look, read_ns: int) -> tuple[Look, Truth | None]:
        """Read everything again, and keep it if nothing has changed."""
        found = Columns(run, before.rows)
        seen = self._collect(run, found)
        return seen, found.truth(seen.facts, read_ns) if seen == before else None

    def _collect(self, run: str, found: Columns | None) -> Look:
        count, digest = 0, 0
        rows = iter(self._reader.read(prefix_of(run)))
        while batch := list(islice(rows, BATCH)):
            count += len(batch)
            for entry_id, body, position in batch:
                # Lengths keep apart what would look alike when joined; a sum, unlike XOR, sees a row that came twice.
                content = f"{len(entry_id)}:{entry_id}{len(body)}:{body}{position}".encode(errors="surrogatepass")
                row = int.from_bytes(hashlib.blake2b(content, digest_size=16).digest(), "little")
                digest = (digest + row) & _MASK
            if found is not None:
                found.add_all(batch)
        return Look(count, f"{digest:032x}", self._reader.facts())
