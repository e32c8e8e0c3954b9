"""How far two figures may be apart by chance alone: within a run, and from run to run.

Two runs of the same thing differ by more than what varies within either: another layout in memory, another neighbour,
another day (Kalibera, Jones, *Rigorous benchmarking in reasonable time*, ISMM 2013). With one run on each side nobody
can know by how much, and what is assumed is said: `RUN_TO_RUN`. With several, it is estimated from them, cell by cell;
as a few runs say little about one cell, each cell's variance is drawn towards that of all (*moderated t*: G. Smyth,
Stat. Appl. Genet. Mol. Biol. 3, 2004), with the weight of `PRIOR` runs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from resilience.model import Estimate

RUN_TO_RUN = 0.02
"""Assumed standard deviation from run to run, as a share of the figure, where no run was repeated."""

TAILS = {"p95_ms": 2.5, "p99_ms": 5.0}
"""Tails differ by so many times as much from run to run; and under a fault everything by `UNDER_FAULT` times."""

UNDER_FAULT = 2.0

SHARE_RUN_TO_RUN = 0.0005
"""The least of it for shares, of 1."""

PRIOR = 4.0
"""What is known of all cells counts as much for one as so many repetitions."""

MANY = 1e6
"""Degrees of freedom of what is assumed, not estimated."""


@dataclass(frozen=True, slots=True)
class Side:
    """One metric of one cell, of every run of a side; of times and rates the logarithm."""

    values: tuple[float, ...]
    errors: tuple[float, ...]
    slices: int

    @staticmethod
    def of(estimates: Sequence[Estimate], *, relative: bool) -> "Side":
        """From estimates of the runs."""
        values = tuple(math.log(max(one.value, 1e-12)) if relative else one.value for one in estimates)
        return Side(values, tuple(one.error for one in estimates), min(one.slices for one in estimates))

    @property
    def mean(self) -> float:
        """Of the runs."""
        return math.fsum(self.values) / len(self.values)

    @property
    def within(self) -> float:
        """Mean variance within a run."""
        return math.fsum(error**2 for error in self.errors) / len(self.errors)

    @property
    def squares(self) -> float:
        """Sum of the squares of the runs' distances from their mean."""
        return math.fsum((value - self.mean) ** 2 for value in self.values)


def repeated(sides: Sequence[Side]) -> int:
    """How many degrees of freedom runs of the same side give."""
    return sum(len(side.values) - 1 for side in sides)


def excess(sides: Sequence[Side]) -> float:
    """Variance from run to run beyond what varies within runs; 0 if that explains it all."""
    freedom = repeated(sides)
    between = math.fsum(side.squares for side in sides) / freedom
    within = math.fsum(side.within for side in sides) / len(sides)
    return max(0.0, between - within)


def assumed(before: Side, metric: str, *, relative: bool, fault: bool) -> float:
    """Variance from run to run that is assumed of a cell of which nothing else is known."""
    share = RUN_TO_RUN * TAILS.get(metric, 1.0) * (UNDER_FAULT if fault else 1.0)
    return (share if relative else max(SHARE_RUN_TO_RUN, share * abs(before.mean))) ** 2


def difference(before: Side, after: Side, prior: float) -> tuple[float, float, float]:
    """After - before, its standard error and the degrees of freedom.

    Args:
        before: one side.
        after: the other.
        prior: variance from run to run as it is known of all cells.
    """
    sides = (before, after)
    freedom = repeated(sides)
    own = excess(sides) if freedom else 0.0
    run_to_run = (PRIOR * prior + freedom * own) / (PRIOR + freedom) if freedom else prior
    parts = [(run_to_run / len(side.values), PRIOR + freedom if freedom else MANY) for side in sides] + [
        (side.within / len(side.values), float((side.slices - 1) * len(side.values))) for side in sides
    ]
    variance = math.fsum(part for part, _ in parts)
    # Welch and Satterthwaite: variances that are themselves estimated, each as well as its degrees of freedom say.
    together = math.fsum(part**2 / known for part, known in parts)
    return after.mean - before.mean, math.sqrt(variance), variance**2 / together if together else MANY
