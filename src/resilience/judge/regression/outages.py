"""How long recoveries take, compared: a few outages on each side, each known to a resolution.

A cycle is one observation however many operations were seen in it. With one on each side nobody knows how much
recoveries of this system differ by themselves; then it is assumed, and said, that their standard deviation is a
seventh of their length. With more it is estimated, and drawn towards that assumption as in `spread`.

An outage that was not over when the watch ended lasted so long *at least*. That is worse than one that was longer than
all before; anything shorter tells nothing.
"""

import math
from collections.abc import Sequence

from resilience.judge.regression.decide import Margin, decide, reach
from resilience.judge.regression.rows import Row
from resilience.judge.regression.spread import MANY, PRIOR
from resilience.model import Change, Regression
from resilience.model.regression import RECOVERY, Outage

ASSUMED = 0.15
"""Standard deviation of outages of one fault, as a share of their mean, where little else is known."""

Z_99 = 2.5758
"""Resolutions are half-widths of ranges that hold the truth with 99 %."""

LEAST_S = 0.5
"""A difference below this is none."""

Outages = Sequence[Outage]


def compare_outages(name: str, before: Outages, after: Outages, settings: Regression, comparisons: int) -> Row:
    """Compare outages of one fault.

    Args:
        name: of the fault, as written.
        before: on one side.
        after: on the other.
        settings: the margin, and what is demanded.
        comparisons: how many intervals must hold together.

    Raises:
        ImportError: scipy is not installed.
    """
    required = RECOVERY in settings.require
    was, now = (math.fsum(one.length_s for one in side) / len(side) for side in (before, after))
    lasting = [any(one.resolution_s < 0 for one in side) for side in (before, after)]
    if any(lasting):
        answer, because = _lasting(before, after, *lasting)
        return Row("", name, "outage_s", answer, was, now, now - was, None, None, because, required, beyond=True)
    spread = _spread(before, after)
    parts = [
        *((variance / len(side), freedom) for side, (variance, freedom) in zip((before, after), spread, strict=True)),
        *(
            (math.fsum((one.resolution_s / Z_99) ** 2 for one in side) / len(side) ** 2, MANY)
            for side in (before, after)
        ),
    ]
    variance = math.fsum(part for part, _ in parts)
    together = math.fsum(part**2 / freedom for part, freedom in parts)
    half = reach(math.sqrt(variance), variance**2 / together if together else MANY, comparisons)
    wide = max(LEAST_S, settings.margin * was)
    answer = decide(now - was, half, Margin(wide, -wide, max(LEAST_S, wide / 2), Change.WORSE))
    single = len(before) + len(after) == 2  # noqa: PLR2004 - one on each side
    because = f"one recovery each: that they differ by {ASSUMED:.0%} by themselves is assumed" if single else ""
    low, high, beyond = now - was - half, now - was + half, abs(now - was) >= wide
    return Row("", name, "outage_s", answer, was, now, now - was, low, high, because, required, beyond)


def _spread(before: Outages, after: Outages) -> list[tuple[float, float]]:
    """Variance of one outage of each side, and its degrees of freedom."""
    means = [math.fsum(one.length_s for one in side) / len(side) for side in (before, after)]
    freedom = len(before) + len(after) - 2
    if not freedom:
        return [((ASSUMED * mean) ** 2, MANY) for mean in means]
    squares = [
        math.fsum((one.length_s - mean) ** 2 for one in side) for side, mean in zip((before, after), means, strict=True)
    ]
    # As a share of the mean, so that both sides tell of one spread.
    relative = math.fsum(square / mean**2 for square, mean in zip(squares, means, strict=True) if mean) / freedom
    share = (PRIOR * ASSUMED**2 + freedom * relative) / (PRIOR + freedom)
    return [(share * mean**2, PRIOR + freedom) for mean in means]


def _lasting(before: Outages, after: Outages, was: bool, now: bool) -> tuple[Change, str]:
    longest = [max(one.length_s for one in side) for side in (before, after)]
    if was and now:
        return Change.UNKNOWN, "service was not back on either side when the watch ended"
    if now:
        told = f"service was not back {longest[1]:.3g} s later, when the watch ended"
        return (Change.WORSE if longest[1] > longest[0] else Change.UNKNOWN), told
    told = f"service had not been back {longest[0]:.3g} s later, when the watch ended"
    return (Change.BETTER if longest[0] > longest[1] else Change.UNKNOWN), told
