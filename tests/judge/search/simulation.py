"""Targets drawn at random, searched by the machine with the judge's own bounds: everything is known of them."""

import math
from dataclasses import dataclass

import numpy as np

from resilience.judge.search.machine import Outcome, Seen, Tried, next_try, outcome
from resilience.judge.search.scale import Scale
from resilience.judge.search.step import SLICES, share_bounds

ALLOWED = 0.05


@dataclass
class Target:
    """A target whose share of bad operations goes up with the level and is as much as allowed at `truth`.

    Attributes:
        steep: how fast it goes up, in log-odds per log level.
        even: how alike slices are (a beta distribution's sum): small is noisy.
        back: of one with hysteresis, the level down to which it stays broken; else None.
    """

    truth: float
    steep: float
    even: float
    back: float | None = None
    broken: bool = False

    def share(self, level: float) -> float:
        """The share that is bad at a level, after whatever was before."""
        if self.back is not None:
            self.broken = level > self.truth or (self.broken and level >= self.back)
            return 0.9 if self.broken else 0.001
        odds = self.steep * math.log(level / self.truth) + math.log(ALLOWED / (1 - ALLOWED))
        return 1 / (1 + math.exp(-max(min(odds, 50.0), -50.0)))


def step(target: Target, level: float, seconds: float, rng: np.random.Generator) -> Seen:
    """What a step shows, extended as live ones are."""
    share = target.share(level)
    count = max(int(level * seconds / SLICES), 1)
    bad, all_of_them = np.zeros(SLICES), np.zeros(SLICES)
    for times in (1, 1, 2):
        spread = rng.beta(max(share * target.even, 1e-9), max((1 - share) * target.even, 1e-9), SLICES)
        bad += rng.binomial(count * times, spread)
        all_of_them += count * times
        _, low, high = share_bounds(bad, all_of_them)
        if low > ALLOWED:
            return Seen.BREAKS
        if high <= ALLOWED:
            return Seen.HOLDS
    return Seen.UNSURE


def search(scale: Scale, target: Target, rng: np.random.Generator) -> tuple[Outcome, list[Tried]]:
    """A whole search."""
    tried: list[Tried] = []
    while (wanted := next_try(scale, tried)) is not None:
        seen = step(target, wanted.level, 15.0 if wanted.long else 5.0, rng)
        tried.append(Tried(wanted.level, wanted.purpose, seen, wanted.long))
    return outcome(scale, tried), tried
