"""Cache against store: after settling, every copy of an entry that a cache still holds must equal what the store holds.

A copy is right if it is intact and its entry is in the store, intact. A copy that is not is `divergent`: it has another
body than the entry, or an entry that the store does not have, or the body that the store has lost. Where neither is
intact nobody can tell, and it counts as not compared. An entry without a copy is fine: a cache may forget.
"""

import numpy as np

from resilience.columns import Bool, Int64, Truth
from resilience.entry import format_id
from resilience.judge.case import Case
from resilience.judge.places import blocks_of
from resilience.model import Answer, Json, Part

NAME = "cache"
SHOWN = 32


def check_cache(case: Case) -> Part:
    """Compare the copies with the truth."""
    record = case.record
    declared = record.experiment.ledger.cache if record.experiment.ledger is not None else None
    if declared is None:
        return Part(NAME, Answer.PASS, "the experiment declares no cache")
    truth, copies = record.truth, record.cached
    if truth is None or copies is None:
        missing = "the copies in the cache" if truth is not None else "the truth to compare copies with"
        return Part(NAME, Answer.UNKNOWN, f"{missing} could not be read", (), {"cache": None})
    ours = copies.writer >= 0
    stored, intact = _found(copies, truth)
    same = ours & stored & intact & copies.intact
    untold = ours & stored & ~intact & ~copies.intact
    divergent = ~same & ~untold
    counts: dict[str, Json] = {
        "copies": len(copies),
        "compared": int(np.count_nonzero(~untold)),
        "equal": int(np.count_nonzero(same)),
        "divergent": int(np.count_nonzero(divergent)),
        "not_in_store": int(np.count_nonzero(divergent & ~(ours & stored))),
        "not_compared": int(np.count_nonzero(untold)),
    }
    data: dict[str, Json] = {"cache": counts}
    named = _named(copies, divergent, record.plan.run)
    compared = int(np.count_nonzero(~untold))
    if count := int(np.count_nonzero(divergent)):
        verb = "copy in the cache differs" if count == 1 else "copies in the cache differ"
        because = f"{count:,} {verb} from the store (of {compared:,} compared)"
        return Part(NAME, Answer.FAIL, because, (because, *named), data)
    if compared < declared.min_compared:
        because = (
            f"only {compared:,} copies were in the cache to compare, at least {declared.min_compared:,} are needed"
        )
        return Part(NAME, Answer.UNKNOWN, because, (), data)
    return Part(NAME, Answer.PASS, f"all {compared:,} copies in the cache equal the store", (), data)


def _found(copies: Truth, truth: Truth) -> tuple[Bool, Bool]:
    """For each copy: whether the store has its entry, and whether it has it intact (every row of it)."""
    wanted = np.stack([copies.writer, copies.epoch, copies.seq]).astype(np.int64).T
    names, place = np.unique(wanted, axis=0, return_inverse=True)
    place = place.reshape(-1)
    stored, torn = np.zeros(len(names), np.bool_), np.zeros(len(names), np.bool_)
    if len(names):
        keys = [tuple(name) for name in names.tolist()]
        at = {key: number for number, key in enumerate(keys)}
        for block in blocks_of(truth):
            for number, intact in _rows_of(block, names, at):
                stored[number] = True
                torn[number] |= not intact
    return stored[place], (stored & ~torn)[place]


def _rows_of(block: Truth, names: Int64, at: dict[tuple[int, ...], int]) -> list[tuple[int, bool]]:
    """The rows of a block whose entries are among the names (their number), and whether each is intact."""
    near = np.isin(block.seq, names[:, 2]) & np.isin(block.writer, names[:, 0])
    rows = np.stack([block.writer[near], block.epoch[near], block.seq[near]]).astype(np.int64).T.tolist()
    found = zip(rows, block.intact[near].tolist(), strict=True)
    return [(at[tuple(row)], intact) for row, intact in found if tuple(row) in at]


def _named(copies: Truth, divergent: Bool, run: str) -> list[Json]:
    """The ids of copies that differ, at most `SHOWN`; keys that are no ids of ours as they are."""
    rows = np.flatnonzero(divergent & (copies.writer >= 0))
    names = [
        format_id(run, int(copies.writer[row]), int(copies.epoch[row]), int(copies.seq[row])) for row in rows[:SHOWN]
    ]
    foreign = [f"{name} (no id of an entry)" for name in copies.foreign]
    return list[Json](f"cache-divergent: {name}" for name in (*names, *foreign)[:SHOWN])
