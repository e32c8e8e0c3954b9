"""Where a signal changes: first robustly, from bins; then precisely, from single operations.

Bins decide *whether* the target left its band or is back in it. Once that is decided, the instant is found among the
operations around it. Each place to cut the row of good and bad operations in two is so likely, given the share of bad
ones before and after: the mean of these places is the estimate, and the range that holds the truth with 99 %
(`ramps.SURE`) the resolution. Where the share changes slowly, slopes take the place of the cut: see `judge.ramps`.
"""

import math

import numpy as np
import numpy.typing as npt

from resilience.judge.case import Case
from resilience.judge.quantiles import NS
from resilience.judge.ramps import LEAST_SHARE, MOST_SHARE, Change, find_ramp, plausible
from resilience.judge.signal import Band, Bins

SUSTAINED_S = 1.0
"""Out of the band for about this long, it has left it again; shorter stumbles do not undo a recovery."""

CLEARLY = 4.0
"""So much likelier, as a logarithm, must a slope be than a step to be told instead, or a step to be told alone."""


def first_outside(bins: Bins, begin: int, *, needed: int, among: int) -> int | None:
    """The first bin from `begin` that is out of the band and begins a run of `among` bins with `needed` such ones."""
    out = bins.outside
    sums = np.concatenate(([0], np.cumsum(out)))
    for index in (np.flatnonzero(out[begin:]) + begin).tolist():
        if sums[min(index + among, len(out))] - sums[index] >= needed:
            return int(index)
    return None


def sustained(bins: Bins) -> tuple[int, int]:
    """How many bins of how many must be out of the band to have left it again: 2 of 3 at a second each."""
    needed = max(2, math.ceil(SUSTAINED_S / bins.width_s))
    return needed, math.ceil(needed * 1.5)


def first_held(bins: Bins, begin: int, hold_s: float) -> int | None:
    """The first bin from `begin` in the band from which the band holds for `hold_s`, with at most one bin out of it."""
    length = max(1, math.ceil(hold_s / bins.width_s - 1e-9))
    bad = np.concatenate(([0], np.cumsum(~bins.inside)))
    for index in (np.flatnonzero(bins.inside[begin:]) + begin).tolist():
        if index + length > len(bins.inside):
            return None
        if bad[index + length] - bad[index] <= 1:
            return int(index)
    return None


def tail_inside(bins: Bins) -> float:
    """For how long before the end the band has held, with at most one bin out of it; in seconds."""
    bad = np.cumsum(~bins.inside[::-1])
    kept = int(np.count_nonzero(bad <= 1))
    while kept and not bins.inside[len(bins.inside) - kept]:
        kept -= 1
    return kept * bins.width_s


def locate(case: Case, band: Band, bins: Bins, index: int, *, worse: bool) -> Change:
    """The instant near the beginning of a bin at which operations turned bad (`worse`) or good again.

    `index` is the first bin on the other side of the change. A step is in it or in the bin before; a slope may reach
    farther. Where both are plausible, the mean of both by their likelihoods is told, with a resolution that holds both.
    """
    step = _step(case, band, bins, index, worse=worse)
    if not bins.asked[index if worse else max(index - 1, 0)]:
        return step  # nothing was offered there: silence has no slope
    ramp = find_ramp(case, band, bins, index, worse=worse)
    if ramp.gain >= CLEARLY:
        return ramp.end
    if ramp.gain <= -CLEARLY:
        return step
    weight = 1 / (1 + math.exp(-ramp.gain))
    at_s = weight * ramp.end.at_s + (1 - weight) * step.at_s
    return Change(at_s, max(abs(one.at_s - at_s) + one.resolution_s for one in (ramp.end, step)))


def _step(case: Case, band: Band, bins: Bins, index: int, *, worse: bool) -> Change:
    """The instant at which the share of bad operations changed at once."""
    begin_s, end_s = bins.at(index) - bins.width_s, bins.at(index) + bins.width_s
    samples = case.traffic.between(begin_s, end_s)
    if len(samples) == 0:
        return Change(bins.at(index), bins.width_s)
    share = _bad_share(bins, index, worse=worse)
    usual = min(1 - band.q0, 0.5 * share)
    bad = ~band.well(samples)
    # How much likelier each operation is on the bad side than on the good side, as a logarithm.
    scores: npt.NDArray[np.float64] = np.where(bad, math.log(share / usual), math.log((1 - share) / (1 - usual)))
    before = np.concatenate(([0.0], np.cumsum(scores)))
    likelihood = before[-1] - before if worse else before
    # The change lies between two arrivals, anywhere in the gap: a longer gap is likelier to hold it.
    edges = np.concatenate(([begin_s], samples.arrival_ns / NS, [end_s]))
    return plausible(edges, np.exp(likelihood - likelihood.max()) * np.diff(edges))


def _bad_share(bins: Bins, index: int, *, worse: bool) -> float:
    """The share of bad operations on the bad side of a change: in the bin beyond it if that is bad, else beside it."""
    step = 1 if worse else -1
    beside, beyond = (index, index + step) if worse else (index - 1, index - 2)
    chosen = beyond if 0 <= beyond < len(bins.offered) and bins.outside[beyond] else max(beside, 0)
    offered, well = int(bins.offered[chosen]), int(bins.good[chosen])
    share = 1.0 if offered == 0 else (offered - well) / offered
    return min(max(share, LEAST_SHARE), MOST_SHARE)
