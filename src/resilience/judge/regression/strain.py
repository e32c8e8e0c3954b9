"""Whether the machine itself was slower, by a witness that the target does not serve: the load generator's own clock.

The generator begins operations at instants that were fixed before the run. How late it is (p99) says how long programs
waited for a processor. Where target and generator share a machine, or a host, a busy neighbour makes both late. In
dozens of runs of the reference target beside other work, medians grew by 1 to 1.7 times as many milliseconds as that
lateness did, and tails by 2.5 to 6 times. So an operation that became slower by no more than this, in a run in which
the generator was later, too, is no evidence against the target. It is not called worse then, and not the same either:
it cannot be told.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from resilience.judge.regression.rows import Row
from resilience.model import Change, Measured

LAG = "generator.lag_p99_ms"
"""Of `Measured.counts`: how late operations were begun in the baseline, p99."""

RATIO = 1.2
LEAST_MS = 0.5
"""A difference of lateness below either is none."""

POWER, POWER_OF_TAILS = 1.5, 2.5
TIMES, TIMES_OF_TAILS = 2.0, 6.0
"""What the machine may explain, of medians and of tails: a ratio up to the ratio of lateness to this power, and no more
milliseconds than so many times those by which lateness grew."""


def strain(before: Sequence[Measured], after: Sequence[Measured]) -> tuple[float, float] | None:
    """Mean lateness of both sides in milliseconds; None if one is not known, or they are alike."""
    was, now = (_mean(side) for side in (before, after))
    if was is None or now is None or abs(now - was) < LEAST_MS or max(now, was) < RATIO * min(now, was):
        return None
    return was, now


def _mean(runs: Sequence[Measured]) -> float | None:
    known = [run.counts[LAG] for run in runs if LAG in run.counts]
    return math.fsum(known) / len(known) if known and len(known) == len(runs) else None


def excused(row: Row, strained: tuple[float, float] | None) -> Row:
    """A row that says no more than what may not be the machine's doing."""
    if strained is None or row.answer not in {Change.WORSE, Change.BETTER} or row.change is None:
        return row
    if not row.metric.endswith("_ms"):
        return row
    was, now = strained
    if row.before is None or row.after is None or (row.after - row.before) * (now - was) <= 0:
        return row
    power, times = (POWER, TIMES) if row.metric == "p50_ms" else (POWER_OF_TAILS, TIMES_OF_TAILS)
    less = min(row.before, row.after)
    ratio = (max(was, now) / max(min(was, now), 0.1)) ** power
    if abs(row.after - row.before) > min(less * (ratio - 1), times * abs(now - was)):
        return row
    because = (
        f"the generator itself began operations {now:.3g} ms late beside {was:.3g} ms (p99), so the machine may have "
        "been slower or quicker as a whole: repeat it, or use a control group"
    )
    return replace(row, answer=Change.UNKNOWN, because=because)
