"""Lists: every appended element is in its own list once, and elements of one writer stand in the order they were sent.

A row is an element: its id, its body, and `list × 1 000 000 + place in the list`.

| class | definition |
|---|---|
| misattributed | elements that stand in another list than the one they were appended to |
| out_of_order | acknowledged, and not behind every element that the same writer had acknowledged in that list earlier |
| others | as of every write with an effect of its own, see `judge.taxonomy` |

Membership is Jepsen's `set`, exact where that is lenient; order is what an append-only list owes each of its writers.
"""

from dataclasses import replace

import numpy as np

from resilience.columns import Bool, Int64, Truth
from resilience.judge.effects.findings import Findings
from resilience.judge.effects.messages import findings
from resilience.judge.effects.sent import Sent
from resilience.judge.taxonomy import classify
from resilience.model import Account

PLACES = 1_000_000
"""Places that a list can have: position = list × PLACES + place."""


def judge_append(sent: Sent, truth: Truth, account: Account) -> Findings:
    """Compare every element with its list and its place."""
    size = len(sent.entries)
    slots = sent.entries.slots(truth.writer, truth.epoch, truth.seq)
    known = slots >= 0
    strays = np.zeros(size, dtype=np.bool_)
    strays[slots[known][truth.position[known] // PLACES != sent.object[slots[known]]]] = True
    disorder = _disorder(sent, slots[known], truth.position[known])
    classified = classify(sent.entries, truth)
    members = dict(classified.members)
    members["out_of_order"] = np.flatnonzero(disorder)
    bad = strays | disorder
    for name in ("corrupted", "stale", "unchecked"):
        bad[members[name]] = True
    good = np.zeros(size, dtype=np.bool_)
    rows = np.bincount(slots[known], minlength=size)
    good[:] = sent.sure & (rows == 1) & ~bad
    members["verified"] = np.flatnonzero(good)
    more = {"misattributed": int(np.count_nonzero(strays))}
    return findings(replace(classified, members=members), account, more)


def _disorder(sent: Sent, slots: Int64, position: Int64) -> Bool:
    """Acknowledged elements whose first place is not behind all earlier ones of their writer and epoch in the list."""
    entries = sent.entries
    first = np.full(len(entries), np.iinfo(np.int64).max, dtype=np.int64)
    np.minimum.at(first, slots, position)
    disorder = np.zeros(len(entries), dtype=np.bool_)
    there = np.flatnonzero(sent.sure & (first < np.iinfo(np.int64).max))
    # An element in a foreign list has no place in its own.
    there = there[first[there] // PLACES == sent.object[there]]
    if len(there) == 0:
        return disorder
    run = np.searchsorted(entries.base, there, side="right") - 1
    order = np.lexsort((there, sent.object[there], run))
    there, run = there[order], run[order]
    lists, places = sent.object[there], first[there] % PLACES
    group = np.cumsum(np.concatenate(([0], (np.diff(run) != 0) | (np.diff(lists) != 0))))
    lifted = group * PLACES + places
    behind = np.maximum.accumulate(lifted)[:-1]
    same = group[1:] == group[:-1]
    disorder[there[1:][same & (lifted[1:] <= behind)]] = True
    return disorder
