"""Anomalies while a run lasts: a figure is no longer what it was in the baseline. Online, robust, never a verdict.

Each figure is compared with its own baseline: its median, and how it varied there. Every reading adds to a sum how far
it is off beyond an allowance; a sum that exceeds its limit is an anomaly (CUSUM: Page, "Continuous inspection schemes",
Biometrika 41, 1954). One reading alone never is: it counts for `MOST` at most.

    z = clip((x - median) / s, ±MOST),   S = max(0, S + z - ALLOWED), and the same for -z;   anomaly: S > LIMIT

    s = max(1.4826 · MAD, standard deviation, least) · (1 + 2/√n) · √((1 + r) / (1 - r))

`s` is widened for what n readings leave open, and for readings that resemble the ones before them (r, their correlation
at lag 1, corrected for its bias (1 + 3r)/n): noise that wanders looks like a change. So of figures that only vary as in
their baseline of 15 readings or more, at most one in twenty is flagged within ten minutes at one reading a second, and
of independent normal ones not one in a hundred: simulated, see the tests.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

LEAST_READINGS = 10
"""With fewer readings in the baseline nothing is told."""

MOST = 4.0
ALLOWED = 2.0
LIMIT = 6.0
CALM = 3
"""So many readings within the allowance end an anomaly."""

MOST_ALIKE = 0.8
"""r is not taken for more: a short baseline that wanders that much would hide everything."""


@dataclass(frozen=True, slots=True)
class Usual:
    """What a figure is like in the baseline: `middle`, and `spread` widened as above."""

    middle: float
    spread: float

    @staticmethod
    def of(values: Float64, least: float, fewest: int = LEAST_READINGS) -> "Usual | None":
        """Learned from the baseline's readings, in order of time; None if they are too few.

        Args:
            values: the readings; what is no number is left out.
            least: a smaller spread than this is of no importance to anybody; above 0.
            fewest: how many readings there must be.
        """
        values = values[np.isfinite(values)]
        count = len(values)
        if count < fewest:
            return None
        middle = float(np.median(values))
        off = values - values.mean()
        varied = float(np.sum(off**2))
        r = float(np.sum(off[1:] * off[:-1])) / varied if varied > 0 else 0.0
        r = min(max(r + (1 + 3 * r) / count, 0.0), MOST_ALIKE)
        spread = max(1.4826 * float(np.median(np.abs(values - middle))), math.sqrt(varied / (count - 1)), least)
        return Usual(middle, spread * (1 + 2 / math.sqrt(count)) * math.sqrt((1 + r) / (1 - r)))


@dataclass(frozen=True, slots=True)
class Anomaly:
    """An anomaly.

    Attributes:
        start_s: since when readings were off. flagged_s: when that was enough to say so. end_s: when it was over, None
            if it was not.
        seen: the reading furthest from what is usual.
        more: whether it was more than usual, or less.
    """

    start_s: float
    flagged_s: float
    end_s: float | None
    seen: float
    more: bool


class Watch:
    """One figure, a reading at a time."""

    def __init__(self, usual: Usual) -> None:
        self._usual = usual
        self._sums = [0.0, 0.0]  # more, less
        self._since = [math.nan, math.nan]
        self._calm = 0
        self.current: Anomaly | None = None

    def reading(self, at_s: float, value: float) -> Anomaly | None:
        """Take a reading; the anomaly that begins or ends with it, if any. What is no number says nothing."""
        if not math.isfinite(value):
            return None
        off = min(max((value - self._usual.middle) / self._usual.spread, -MOST), MOST)
        if self.current is not None:
            return self._goes_on(at_s, value, off)
        for side, z in enumerate((off, -off)):
            if self._sums[side] <= 0.0:
                self._since[side] = at_s
            self._sums[side] = max(0.0, self._sums[side] + z - ALLOWED)
            if self._sums[side] > LIMIT:
                self.current = Anomaly(self._since[side], at_s, None, value, more=side == 0)
                self._calm = 0
                return self.current
        return None

    def _goes_on(self, at_s: float, value: float, off: float) -> Anomaly | None:
        """Whether the anomaly that there is goes on."""
        now = self.current
        assert now is not None  # noqa: S101 - the caller looked
        if abs(value - self._usual.middle) > abs(now.seen - self._usual.middle) and (off > 0) == now.more:
            now = Anomaly(now.start_s, now.flagged_s, None, value, more=now.more)
        self.current = now
        self._calm = self._calm + 1 if abs(off) < ALLOWED else 0
        if self._calm < CALM:
            return None
        self._sums, self.current = [0.0, 0.0], None
        return Anomaly(now.start_s, now.flagged_s, at_s, now.seen, more=now.more)


def anomalies_of(at_s: Float64, value: Float64, usual: Usual) -> tuple[Anomaly, ...]:
    """All of a series of readings in order of time."""
    watch, found = Watch(usual), []
    for when, what in zip(at_s.tolist(), value.tolist(), strict=True):
        told = watch.reading(when, what)
        if told is not None and told.end_s is not None:
            found.append(told)
    return (*found, watch.current) if watch.current is not None else tuple(found)
