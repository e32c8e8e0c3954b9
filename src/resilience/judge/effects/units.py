"""Units of work: writes that store several rows each, all of them or none.

With n the rows of a unit, and P(x) the rows that are there of entry x:

| class | definition |
|---|---|
| partial | P > 0 and no multiple of n: a unit was begun, and not undone |

Every other class is that of single rows (see `taxonomy`), with ⌈P / n⌉ in place of P: a unit stands where its first row
does, and is intact if all of its rows are. So a unit of which a row is missing is partial and not lost, whether it was
acknowledged or not: what is unsure may be there or not, but not by halves. Verified and recovered are whole units.

It is atomicity (the A of ACID; T. Härder, A. Reuter, 1983), seen at rest. Rows are counted and not told apart: one that
is missing beside one that is there twice is not seen.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from resilience.columns import Int64, Truth
from resilience.judge.effects.findings import SHOWN, Findings
from resilience.judge.effects.messages import findings, judge_messages
from resilience.judge.effects.sent import Sent
from resilience.judge.taxonomy import classify
from resilience.model import Account

_COLUMNS: Final = ("writer", "epoch", "seq", "intact", "position")


def judge_units(sent: Sent, truth: Truth, account: Account) -> Findings:
    """Compare every entry with its rows, `account.rows` for each."""
    if account.rows == 1:
        return judge_messages(sent, truth, account)
    held, units = _folded(sent, truth, account.rows)
    partial = np.flatnonzero(held % account.rows)
    classified = classify(sent.entries, units)
    whole = {name: np.setdiff1d(classified.members[name], partial) for name in ("verified", "recovered")}
    classified = replace(classified, members={**classified.members, **whole})
    found = findings(classified, account, {"partial": len(partial)})
    named = [_named(sent, slot, int(held[slot]), account.rows) for slot in partial[:SHOWN].tolist()]
    if len(partial) > SHOWN:
        named.append(f"partial: {len(partial) - SHOWN:,} more")
    return replace(found, evidence=(*named, *found.evidence))


def _named(sent: Sent, slot: int, held: int, rows: int) -> str:
    writer, epoch, seq = sent.entries.name(slot)
    return f"partial: w{writer}.{epoch}: {seq} has {held:,} rows, {rows:,} are a whole"


def _folded(sent: Sent, truth: Truth, rows: int) -> tuple[Int64, Truth]:
    """How many rows each entry has, and a truth with a row for each unit, whole or begun; rows of nobody's stay."""
    slots = sent.entries.slots(truth.writer, truth.epoch, truth.seq)
    known = slots >= 0
    ours = slots[known]
    held = np.bincount(ours, minlength=len(sent.entries)).astype(np.int64)
    torn = np.bincount(slots[known & ~truth.intact], minlength=len(sent.entries)) > 0
    order = np.argsort(ours, kind="stable")
    place = np.empty(len(ours), dtype=np.int64)  # of each row among those of its entry, in the order of position
    place[order] = np.arange(len(ours)) - np.searchsorted(ours[order], ours[order])
    kept, intact = ~known, truth.intact.copy()
    kept[known] = place < -(-held // rows)[ours]
    intact[known] = ~torn[ours]
    columns = {name: getattr(truth, name)[kept] for name in _COLUMNS}
    return held, replace(truth, **{**columns, "intact": intact[kept]})
