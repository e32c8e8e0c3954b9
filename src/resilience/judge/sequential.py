"""Confidence sequences: intervals of a mean that hold at every instant at once, so one may look whenever one likes.

An ordinary 95 % interval holds for one look. Whoever looks after every observation, and stops when it shows something,
finds something in nearly every run of nothing. A confidence sequence holds for all looks together: with 95 % the truth
is within it *always*, so the first instant at which it excludes something is one at which one may decide.

For values in [0, 1] with a constant mean, whatever their distribution and however it changes: the predictable plug-in
empirical Bernstein sequence (I. Waudby-Smith, A. Ramdas, JRSS B 86, 2024, theorem 2, after S. Howard, A. Ramdas,
J. McAuliffe, J. Sekhon, Annals of Statistics 49, 2021). With v_i = (x_i - mean of those before)²,

    λ_t = min( √( 2 ln(2/a) / (σ²_(t-1) · t · ln(1 + t)) ), 3/4 )
    Σλx / Σλ  ±  ( ln(2/a) + Σ v·(-ln(1 - λ) - λ) ) / Σλ

where 1 - a is the confidence and σ² the variance of those before, each with one imagined observation, so that it is
never 0.
"""

import math
from dataclasses import dataclass

import numpy as np

from resilience.columns import Float64

_MOST_LAMBDA = 0.75


@dataclass(frozen=True, slots=True)
class Sequence:
    """Bounds after each observation, the tightest so far; `mean` is the plain mean so far."""

    mean: Float64
    low: Float64
    high: Float64


def confidence_sequence(values: Float64, alpha: float, least: float = 0.0, most: float = 1.0) -> Sequence:
    """Bounds of the mean of values between `least` and `most`, after each of them.

    Args:
        values: in order of time.
        alpha: with this probability, at most, the truth is ever outside.
        least: none of the values is less.
        most: none is more.
    """
    count = len(values)
    if not count:
        nothing = np.zeros(0)
        return Sequence(nothing, nothing, nothing)
    x = (values - least) / (most - least)
    number = np.arange(1, count + 1)
    means = (0.5 + np.cumsum(x)) / (number + 1)
    before = np.concatenate(([0.5], means[:-1]))
    spread = (0.25 + np.cumsum((x - means) ** 2)) / (number + 1)
    known = np.concatenate(([0.25], spread[:-1]))
    weight = np.minimum(np.sqrt(2 * math.log(2 / alpha) / (known * number * np.log1p(number))), _MOST_LAMBDA)
    total = np.cumsum(weight)
    centre = np.cumsum(weight * x) / total
    # As in the paper: ψ(λ)/4 with v = 4·(x - mean)², which is the same.
    reach = (math.log(2 / alpha) + np.cumsum((x - before) ** 2 * (-np.log1p(-weight) - weight))) / total
    low = np.maximum.accumulate(np.clip(centre - reach, 0.0, 1.0))
    high = np.minimum.accumulate(np.clip(centre + reach, 0.0, 1.0))
    scale = most - least
    return Sequence(np.cumsum(values) / number, low * scale + least, high * scale + least)
