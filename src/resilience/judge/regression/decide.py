"""Better, worse, same, or not enough data: what is said of a difference.

* **Same** is a claim that was shown: the whole interval of the difference lies within the margin.
* **Worse** (or better): the whole interval lies on one side of none, and the difference itself is at least half the
  margin: what is smaller harms nobody, and telling of it would be noise.
* Anything else is *not enough data*, with how many repetitions would do.

The intervals hold all together with `1 - FAMILY`: each of m is made at FAMILY / m (Bonferroni, which needs no
assumption about how the figures of one run hang together). So in at most one comparison of identical runs of a hundred
is anything said to be better or worse, as far as the assumptions hold.
"""

import math
from dataclasses import dataclass

from resilience.model import Change

FAMILY = 0.01
"""Family-wise error rate, two-sided: of all intervals of a comparison together."""

_PRECISE = 1e-12


@dataclass(frozen=True, slots=True)
class Margin:
    """What is no harm.

    Attributes:
        up, down: differences between these are the same.
        least: a difference that is smaller is not worth telling, however certain.
        more_is: whether more is `worse` or `better`.
    """

    up: float
    down: float
    least: float
    more_is: Change

    @property
    def less_is(self) -> Change:
        """The other."""
        return Change.BETTER if self.more_is is Change.WORSE else Change.WORSE


def reach(error: float, freedom: float, comparisons: int) -> float:
    """Half the width of an interval that holds together with all others.

    Raises:
        ImportError: scipy, of the extra `analysis`, is not installed.
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - heavy, and needed only where something is compared

    return float(-stdtrit(freedom, FAMILY / max(comparisons, 1) / 2)) * error


def decide(value: float, half: float, margin: Margin) -> Change:
    """What is said of a difference.

    Args:
        value: after - before.
        half: half the width of its interval.
        margin: what is no harm.
    """
    low, high = value - half, value + half
    if margin.down < low and high < margin.up:
        return Change.SAME
    if low > _PRECISE and value >= margin.least:
        return margin.more_is
    if high < -_PRECISE and value <= -margin.least:
        return margin.less_is
    return Change.UNKNOWN


def repetitions(value: float, half: float, margin: Margin) -> int | None:
    """How many times as much would have shown what is likely: that it is the same, or that it is not.

    Widths fall with the square root of what was observed. None if the difference is so near to the margin that no
    reasonable number would do.
    """
    within = min(margin.up - value, value - margin.down)
    beyond = abs(value) if abs(value) >= margin.least else 0.0
    room = max(within, beyond)
    if room <= 0:
        return None
    needed = math.ceil((half / room) ** 2)
    return needed if needed <= 100 else None  # noqa: PLR2004 - more is no advice
