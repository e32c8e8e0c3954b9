"""Transfers: the total is what it was at first, and every object holds what its own transfers allow.

With S the sure entries and U the unsure ones (see `sent`), in(o) and out(o) the amounts given to and taken from o:

    low(o)  = initial + Σ in over S − Σ out over S − Σ out over U
    high(o) = initial + Σ in over S − Σ out over S + Σ in over U
    total   = initial × number of objects

An object without a row holds what it had at first. The total is exact even where entries are unsure: a transfer that
happened took as much as it gave.

| class | definition |
|---|---|
| under_applied | balance < low |
| over_applied | balance > high |
| lost | objects of acknowledged transfers that have no row |
| duplicated | objects with several rows |
| phantom | rows of no object of the account |
| verified | objects of transfers, in none of these |
| total_off | total found − total at first: not 0 means that money was made or destroyed |

It is the bank test of Jepsen (the sum of all accounts, read at rest), with bounds for every account besides.
"""

import numpy as np

from resilience.columns import Truth
from resilience.judge.effects.findings import Broken, Findings, numbers, off, said, values_of
from resilience.judge.effects.sent import Sent, per_object
from resilience.model import Account

CLASSES = ("under_applied", "over_applied", "lost", "duplicated", "phantom", "verified")


def judge_transfer(sent: Sent, truth: Truth, account: Account) -> Findings:
    """Compare every balance with its bounds, and their sum with what there was."""
    given = per_object(sent, sent.sure, sent.value, other=True) - per_object(sent, sent.sure, sent.value)
    low = account.initial + given - per_object(sent, sent.unsure, sent.value)
    high = account.initial + given + per_object(sent, sent.unsure, sent.value, other=True)
    ones = np.ones_like(sent.value)
    must = (per_object(sent, sent.sure, ones) + per_object(sent, sent.sure, ones, other=True)) > 0
    may = (per_object(sent, sent.unsure, ones) + per_object(sent, sent.unsure, ones, other=True)) > 0
    held = values_of(truth, sent.place, account.objects, account.initial)
    under, over, twice, lost = held.value < low, held.value > high, held.rows > 1, must & ~held.there
    right = (must | may) & ~under & ~over & ~twice & ~lost
    total = int(held.value.sum()) - account.initial * account.objects
    counts = {
        "under_applied": int(np.count_nonzero(under)),
        "over_applied": int(np.count_nonzero(over)),
        "lost": int(np.count_nonzero(lost)),
        "duplicated": int(np.count_nonzero(twice)),
        "phantom": held.phantom,
        "verified": int(np.count_nonzero(right)),
        "total_off": total,
    }
    broken = said(
        counts,
        (
            ("lost", True, "balance is lost", "balances are lost"),
            ("under_applied", True, "balance is below what was transferred", "balances are below what was transferred"),
            ("over_applied", True, "balance is above what was transferred", "balances are above what was transferred"),
            ("duplicated", True, "balance is there more than once", "balances are there more than once"),
            ("phantom", True, "row is of no object", "rows are of no object"),
        ),
    )
    if total:
        broken = (Broken("total_off", f"the total is off by {total:+,}"), *broken)
    evidence = [
        *off("under_applied", under, held.value, low, "at least"),
        *off("over_applied", over, held.value, high, "at most"),
    ]
    evidence += [
        f"{name}: objects {numbers(where)}" for name, where in (("lost", lost), ("duplicated", twice)) if where.any()
    ]
    return Findings(counts, broken, tuple(evidence), np.flatnonzero(right))
