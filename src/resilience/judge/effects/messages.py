"""Inserts, queue messages and streams: every write has an effect of its own, which is a row (see `judge.taxonomy`).

| effect | a row is | what is promised |
|---|---|---|
| insert | what was stored | once, in the order of each writer if `ordered` |
| queue | an effect that the message had | by `duplicates`, see below |
| stream | a receipt | as of a queue; one that comes after a later one is late, one that never comes is a gap |

`exactly-once`: neither lost nor doubled; `at-least-once`: doubled ones are counted; `at-most-once`: lost ones are.

Of a stream three figures more: `gaps`, the number of runs of lost messages without one between that arrived; `unseen`,
the lost messages behind the last one of their writer that arrived: the end of the stream, not a hole in it; `late`, the
messages that arrived after a later one of their writer: a gap that was closed.
"""

import numpy as np

from resilience.columns import Int64, Truth
from resilience.judge.effects.findings import Findings, said
from resilience.judge.effects.sent import Sent
from resilience.judge.taxonomy import CLASSES as OF_ENTRIES
from resilience.judge.taxonomy import Classified, classify
from resilience.model import Account, Effect

CLASSES = (*OF_ENTRIES, "phantom")


def judge_messages(sent: Sent, truth: Truth, account: Account) -> Findings:
    """Compare every entry with its rows."""
    classified = classify(sent.entries, truth)
    more = None
    if account.effect is Effect.STREAM:
        more = gaps(sent, classified.members["lost"]) | {"late": late(sent, truth)}
    return findings(classified, account, more)


def findings(classified: Classified, account: Account, more: dict[str, int] | None = None) -> Findings:
    """What the classes of the entries mean for the account; `more` are classes found besides."""
    counts = {name: classified.count(name) for name in CLASSES}
    counts |= {"lost_after_seen": len(classified.lost_after_seen), "stale_reads": classified.stale_reads} | (more or {})
    broken = said(
        counts,
        (
            (
                "lost",
                account.duplicates != "at-most-once",
                "acknowledged write is lost",
                "acknowledged writes are lost",
            ),
            ("partial", True, "write is stored in part", "writes are stored in part"),
            ("corrupted", True, "write is corrupted", "writes are corrupted"),
            (
                "misattributed",
                True,
                "write is in another list than its own",
                "writes are in other lists than their own",
            ),
            (
                "rejected_present",
                True,
                "rejected write is present all the same",
                "rejected writes are present all the same",
            ),
            ("phantom", True, "row is there that nobody sent", "rows are there that nobody sent"),
            ("duplicated", account.duplicates != "at-least-once", "write is duplicated", "writes are duplicated"),
            ("out_of_order", account.ordered, "write is out of order", "writes are out of order"),
            (
                "stale",
                account.read_your_writes,
                "acknowledged write was missed by later reads",
                "acknowledged writes were missed by later reads",
            ),
        ),
    )
    return Findings(counts, broken, (), classified.members["verified"])


def gaps(sent: Sent, lost: Int64) -> dict[str, int]:
    """Runs of lost messages, and those behind the last one that arrived."""
    entries = sent.entries
    if len(lost) == 0:
        return {"gaps": 0, "unseen": 0}
    run = np.searchsorted(entries.base, lost, side="right") - 1
    wanted = np.flatnonzero(sent.sure)
    place = np.searchsorted(wanted, lost)  # among those that had to arrive: rejected ones between do not part a gap
    begins = np.concatenate(([True], (np.diff(place) > 1) | (np.diff(run) > 0)))
    arrived = np.setdiff1d(wanted, lost, assume_unique=True)
    last = np.full(len(entries.code), -1, dtype=np.int64)
    np.maximum.at(last, np.searchsorted(entries.base, arrived, side="right") - 1, arrived)
    return {"gaps": int(np.count_nonzero(begins)), "unseen": int(np.count_nonzero(lost > last[run]))}


def late(sent: Sent, truth: Truth) -> int:
    """How many messages arrived for the first time after a later one of the same writer and epoch."""
    entries = sent.entries
    slots = entries.slots(truth.writer, truth.epoch, truth.seq)
    first = np.full(len(entries), np.iinfo(np.int64).max, dtype=np.int64)
    np.minimum.at(first, slots[slots >= 0], truth.position[slots >= 0])
    there = np.flatnonzero(sent.sure & (first < np.iinfo(np.int64).max))
    if len(there) == 0:
        return 0
    run = np.searchsorted(entries.base, there, side="right") - 1
    rank = np.unique(first[there], return_inverse=True)[1].reshape(-1)
    # Lifted by writer and epoch, the earliest of all that come later in a run is one running minimum from behind.
    lifted = rank + run * (int(rank.max()) + 1)
    earliest = np.minimum.accumulate(lifted[::-1])[::-1]
    return int(np.count_nonzero(lifted[:-1] > earliest[1:]))
