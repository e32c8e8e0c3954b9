"""Counters: what is there is at least what was acknowledged and at most what was attempted, for every object.

For each object, with S the sure entries and U the unsure ones (see `sent`), and a(x) the amount of x:

    low  = Σ a(x) over S + Σ min(a(x), 0) over U
    high = Σ a(x) over S + Σ max(a(x), 0) over U

| class | definition |
|---|---|
| under_applied | value < low: something acknowledged is missing |
| over_applied | value > high: something was added twice, or rejected and added, or added by nobody |
| duplicated | objects with several rows |
| phantom | rows of no object of the account |
| verified | objects written to, in none of these |

It is the definition of Jepsen's `counter`, for each object by itself and at rest. A loss and a duplicate of the same
amount on the same object cancel out: where single writes must be accounted for, the effect to declare is `insert`.
"""

import numpy as np

from resilience.columns import Truth
from resilience.judge.effects.findings import Findings, numbers, off, said, values_of
from resilience.judge.effects.sent import Sent, per_object
from resilience.model import Account

CLASSES = ("under_applied", "over_applied", "duplicated", "phantom", "verified")


def judge_counter(sent: Sent, truth: Truth, account: Account) -> Findings:
    """Compare every object's value with its bounds."""
    sure = per_object(sent, sent.sure, sent.value)
    low = sure + per_object(sent, sent.unsure, np.minimum(sent.value, 0))
    high = sure + per_object(sent, sent.unsure, np.maximum(sent.value, 0))
    touched = per_object(sent, sent.sure | sent.unsure, np.ones_like(sent.value)) > 0
    held = values_of(truth, sent.place, account.objects, 0)
    under, over, twice = held.value < low, held.value > high, held.rows > 1
    right = touched & ~under & ~over & ~twice
    counts = {
        "under_applied": int(np.count_nonzero(under)),
        "over_applied": int(np.count_nonzero(over)),
        "duplicated": int(np.count_nonzero(twice)),
        "phantom": held.phantom,
        "verified": int(np.count_nonzero(right)),
    }
    broken = said(
        counts,
        (
            (
                "under_applied",
                True,
                "counter is below what was acknowledged",
                "counters are below what was acknowledged",
            ),
            ("over_applied", True, "counter is above what was attempted", "counters are above what was attempted"),
            ("duplicated", True, "counter is there more than once", "counters are there more than once"),
            ("phantom", True, "row is of no counter", "rows are of no counter"),
        ),
    )
    evidence = [
        *off("under_applied", under, held.value, low, "at least"),
        *off("over_applied", over, held.value, high, "at most"),
    ]
    if twice.any():
        evidence.append(f"duplicated: objects {numbers(twice)}")
    return Findings(counts, broken, tuple(evidence), np.flatnonzero(right))
