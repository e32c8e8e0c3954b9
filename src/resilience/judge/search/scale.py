"""The levels that a search goes over: what is harder, what lies between, when two are close enough.

A level has a *place* from 0 (the mildest) to 1 (the hardest that may be tried). Where both ends are above 0 the scale
is logarithmic, so that doubling and a relative precision mean the same everywhere; where one is 0 it is linear. Less
may be harder: a scale from 100 to 5 is one of a quota.
"""

import math
from dataclasses import dataclass

LINEAR_STEPS = 32
"""On a linear scale the first step beyond the start is this part of the whole."""

EASE = 0.1
"""By how much a load is eased to see whether what has queued is worked off."""

_NEXT = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """See the module.

    Attributes:
        start, limit: the mildest and the hardest level; different.
        precision: two levels are close if they differ by at most this share (of the range, on a linear scale, or of
            the harder one, whichever is finer).
        whole: only whole numbers are levels.
    """

    start: float
    limit: float
    precision: float
    whole: bool = False

    @property
    def logarithmic(self) -> bool:
        """Whether steps are ratios."""
        return self.start > 0 and self.limit > 0

    def place(self, level: float) -> float:
        """Where a level is, from 0 to 1."""
        if self.logarithmic:
            return math.log(level / self.start) / math.log(self.limit / self.start)
        return (level - self.start) / (self.limit - self.start)

    def level(self, place: float) -> float:
        """The level at a place, rounded to three or more telling digits, or to a whole number."""
        place = min(max(place, 0.0), 1.0)
        if place in {0.0, 1.0}:
            return self.limit if place else self.start
        if self.logarithmic:
            level = self.start * (self.limit / self.start) ** place
        else:
            level = self.start + (self.limit - self.start) * place
        return float(round(level)) if self.whole else _telling(level, self.precision)

    def harder(self, one: float, other: float) -> bool:
        """Whether the first level is harder than the second."""
        return self.place(one) > self.place(other) + _NEXT

    def beyond(self, level: float) -> float:
        """The next one of a climb: twice as hard, from the start; the limit is the last."""
        if self.logarithmic:
            factor = 2.0 if self.limit > self.start else 0.5
            further = level * factor
            past = further >= self.limit if factor > 1 else further <= self.limit
            return self.limit if past else self._other(self.level(self.place(further)), level, 1)
        place = self.place(level)
        return self._other(self.level(max(2 * place, 1 / LINEAR_STEPS)), level, 1)

    def between(self, mild: float, hard: float) -> float:
        """A level in the middle of two that are not close."""
        return self.level((self.place(mild) + self.place(hard)) / 2)

    def close(self, mild: float, hard: float) -> bool:
        """Whether nothing that is worth trying lies between two levels."""
        if self.whole and abs(hard - mild) <= 1:
            return True
        if self.between(mild, hard) in {mild, hard}:
            return True
        largest = max(abs(mild), abs(hard))
        if self.logarithmic:
            return abs(hard - mild) <= self.precision * largest * (1 + _NEXT)
        least = self.precision * abs(self.limit - self.start) / LINEAR_STEPS
        return abs(hard - mild) <= max(self.precision * largest, least) * (1 + _NEXT)

    def eased(self, level: float) -> float:
        """A tenth milder: of the level itself, or on a linear scale of its way from the start; not below the start."""
        if self.logarithmic:
            eased = level * (1 - EASE) if self.limit > self.start else level / (1 - EASE)
            return self.level(self.place(eased))
        return self.level(self.place(level) * (1 - EASE))

    def milder(self, level: float, share: float) -> float:
        """The level at that share of a level's place: on the way down."""
        return self.level(self.place(level) * share)

    def _other(self, level: float, than: float, step: int) -> float:
        """That level, or the next whole one where rounding gave the same again."""
        if level != than:
            return level
        return than + math.copysign(step, self.limit - self.start)


def _telling(level: float, precision: float) -> float:
    """Rounded well below the precision, so that levels read well."""
    if level == 0:
        return 0.0
    digits = max(3, math.ceil(-math.log10(precision)) + 2)
    return float(f"{level:.{digits}g}")
