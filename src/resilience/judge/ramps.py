"""Changes that take their time: where a straight slope between two shares of bad operations begins or ends.

Seldom does a cache come back full. The share of bad operations then falls slowly, and long before it is what it was in
the baseline, bins are within their band: recovery would be called early. So the operations around a change are compared
with slopes of every length, from every share, ending anywhere; what the likely ones say about the end, each by its
weight, is the estimate. A step is a slope of no length, and the comparison tells which of the two it was.

With u the usual share of bad operations, c the share beyond the slope, T its end and d its length, the share at t is

    p(t) = u + (c - u) · min(max((T - t) / d, 0), 1)

for a fall; for a rise, time runs the other way. T is equally likely anywhere, c and d are equally likely at every order
of magnitude.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from resilience.columns import Bool
from resilience.judge.case import Case
from resilience.judge.quantiles import NS
from resilience.judge.signal import Band, Bins

REACH_S = 10.0
"""So far to both sides of a change operations are looked at."""

LONGEST_S = 60.0
"""The longest slope that is tried; of a longer one the last part looks like a lower one of this length."""

BEFORE_S = 2.0
"""At least so far on the good side, also to before the fault was asked for."""

CELLS = 80
"""Time is cut into so many cells; a slope that is shorter than two of them is a step."""

SHARES, LENGTHS = 10, 20
LEAST_SHARE, MOST_SHARE = 0.02, 0.999
SURE = 0.99
"""The stated resolution holds the truth with this probability, if the model does."""

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Change:
    """An instant, and how far from the truth it may be."""

    at_s: float
    resolution_s: float


@dataclass(frozen=True, slots=True)
class Ramp:
    """The end of a slope on its good side; `gain` is how much likelier than any step it is, as a logarithm."""

    end: Change
    gain: float


def plausible(edges: Floats, weights: Floats) -> Change:
    """The mean of an instant that lies between neighbouring edges by the given weights, and how far `SURE` reaches."""
    mass = weights / weights.sum()
    mean = float(np.sum(mass * (edges[1:] + edges[:-1]) / 2))
    reached = np.concatenate(([0.0], np.cumsum(mass)))
    low, high = np.interp([(1 - SURE) / 2, (1 + SURE) / 2], reached, edges)
    return Change(mean, float(max(high - mean, mean - low)))


def find_ramp(case: Case, band: Band, bins: Bins, index: int, *, worse: bool) -> Ramp:
    """The likeliest slope around the beginning of a bin at which operations turned bad (`worse`) or good again."""
    begin_s, end_s = _stretch(bins, index, worse=worse)
    samples = case.traffic.between(begin_s, end_s)
    cells = np.linspace(begin_s, end_s, CELLS + 1)
    bad = ~band.well(samples)
    arrival_s = samples.arrival_ns / NS
    count, bads = np.histogram(arrival_s, cells)[0], np.histogram(arrival_s[bad], cells)[0]
    middle = (cells[1:] + cells[:-1]) / 2
    forward = -1.0 if worse else 1.0
    on_bad_side = forward * (bins.at(index) - middle) > 0
    share = bads[on_bad_side].sum() / max(int(count[on_bad_side].sum()), 1)
    likely = _likelihoods(count, bads, forward * (cells[1] - cells[0]), (1 - band.q0, float(share)))
    gain = float(likely[:, 2:].max() - likely[:, :2].max())
    half = (cells[1] - cells[0]) / 2
    edges = np.concatenate((cells - half, cells[-1:] + half))
    return Ramp(plausible(edges, np.exp(likely - likely.max()).sum(axis=(0, 1))), gain)


def _likelihoods(count: Counts, bads: Counts, cell: float, shares: tuple[float, float]) -> Floats:
    """The logarithm of how likely the cells are, for each share beyond the slope, each length, and each end.

    `cell` is the width of a cell, negative for a rise. The share in a cell depends only on how many cells before the
    end it is. So logarithms are taken once for each distance, and each end sees a window of them.
    """
    usual, seen = shares[0], min(max(shares[1], LEAST_SHARE), MOST_SHARE)
    width = abs(cell)
    lengths = np.concatenate(([width, 2 * width], np.geomspace(4 * width, max(LONGEST_S, 8 * width), LENGTHS)))
    before_end = cell * (np.arange(2 * len(count)) - len(count) + 0.5)
    part = np.clip(before_end / lengths[:, None], 0, 1)
    share = np.geomspace(seen * 0.7, min(seen * 3, MOST_SHARE), SHARES)[:, None, None]
    least = np.minimum(usual, share / 2)
    bad = least + (share - least) * part

    def summed(logs: Floats, weights: Counts) -> Floats:
        # The first cell is the farthest before the end: within a window time runs the other way.
        windows = np.lib.stride_tricks.sliding_window_view(logs, len(weights), axis=-1)
        found: Floats = windows @ weights[::-1].astype(np.float64)
        return found

    return summed(np.log(bad), bads) + summed(np.log1p(-bad), count - bads)


def _stretch(bins: Bins, index: int, *, worse: bool) -> tuple[float, float]:
    """What to look at: on the bad side until service was well for a second, on the good side until it was not again."""
    inside, outside = (bins.inside[::-1], bins.outside[::-1]) if worse else (bins.inside, bins.outside)
    last, reach = len(inside), round(REACH_S / bins.width_s)
    at = last - index if worse else index  # the first bin on the good side, time running from bad to good
    second = max(3, math.ceil(1 / bins.width_s))
    first, end = _bad_side(inside, at, reach, second), at
    # As much of the good side as of the bad one: what lasted a second did not take ten to end, and cells are finer.
    farthest = min(last, at + min(reach, max(round(BEFORE_S / bins.width_s), at - first)))
    while end < farthest and not (end > at and int(outside[end : end + second].sum()) >= second - 1):
        end += 1
    if not worse:
        return bins.at(first), bins.at(max(end, at + 1))
    # A fault may be felt at once: what was before it was asked for is the good side, too.
    return min(bins.at(last - end), bins.at(index) - BEFORE_S), bins.at(last - first)


def _bad_side(inside: Bool, at: int, reach: int, well: int) -> int:
    """The first bin of the bad side: none of `well` bins before it is bad, or it is as far as `reach`."""
    first = at
    while first > max(0, at - reach) and not (first >= well and bool(inside[first - well : first].all())):
        first -= 1
    return min(first, max(at - 1, 0))
