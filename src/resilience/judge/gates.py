"""Why what a ledger and its truth say together may mean nothing: for `ledger` itself and for each of its accounts."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from resilience.columns import Truth
from resilience.judge.case import Case
from resilience.judge.entries import Entries
from resilience.judge.quantiles import to_ns
from resilience.judge.store import unfit, unpromised
from resilience.model import Truth as Declared


class Needs(Protocol):
    """What a ledger or an account asks for, so that a clean result proves something."""

    @property
    def truth(self) -> Declared:
        """Where its truth is read."""

    @property
    def min_acknowledged(self) -> int:
        """Acknowledged writes in the whole run."""

    @property
    def min_exposed(self) -> int:
        """Acknowledged writes that each fault had the chance to lose."""

    @property
    def exposure_s(self) -> float:
        """From how long before a fault an acknowledged write counts as exposed."""


def distrust(problems: Sequence[str], truth: Truth | None, acknowledged: int | None) -> list[str]:
    """Why the counts mean nothing at all."""
    found = [f"the write ledger cannot be believed: {problem}" for problem in problems]
    if truth is None:
        return [*found, "the truth about writes could not be read from the store"]
    if len(truth) == 0 and acknowledged:
        found.append(
            f"the store returned no row at all for {acknowledged:,} acknowledged writes: an empty read is no proof"
        )
    return found + unfit(truth)


def exposed(entries: Entries, begin_s: float, end_s: float) -> int:
    """How many acknowledgements came between two instants."""
    acknowledged = entries.settled_ns[entries.acknowledged > 0]
    return int(np.count_nonzero((acknowledged >= to_ns(begin_s)) & (acknowledged < to_ns(end_s))))


def gates(case: Case, needs: Needs, entries: Entries, unchecked: int, truth: Truth | None) -> list[str]:
    """Why a clean result would prove nothing; `unchecked` were acknowledged after the truth was read.

    Without a truth, nothing was read from a store that could promise anything.
    """
    found = []
    acknowledged = int(np.count_nonzero(entries.acknowledged))
    if acknowledged < needs.min_acknowledged:
        found.append(f"only {acknowledged:,} writes were acknowledged, at least {needs.min_acknowledged:,} are needed")
    asked = {member.name for one in case.disturbances for member in one.members}
    named = [*(fault.name for fault in case.record.experiment.faults), *(window.name for window in case.faults)]
    found += [
        f"no write was exposed to {name}, which was never requested"
        for name in dict.fromkeys(named)
        if name not in asked
    ]
    for one in case.disturbances:
        end_s = one.until_s if one.clear_s is None else one.clear_s
        count = exposed(entries, one.requested_s - needs.exposure_s, end_s)
        if count < needs.min_exposed:
            found.append(
                f"{one.name} had only {count} acknowledged writes to lose, at least {needs.min_exposed} are needed"
            )
    if unchecked:
        found.append(f"{unchecked:,} writes were acknowledged after the truth was read")
    return found if truth is None else found + unpromised(case, needs.truth, truth)
