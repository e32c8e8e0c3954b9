"""Where a signal changes: first robustly, from bins; then precisely, from single operations.

Bins decide *whether* the target left its band or is back in it. Once that is decided, the instant is found among the
operations around it: of all places to cut the row of good and bad operations in two, the likeliest one, given the share
of bad ones before and after. The places that are almost as likely (within a factor e², about 95 % of what is plausible)
give the resolution.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from resilience.columns import Bool, Int64
from resilience.judge.case import Case
from resilience.judge.quantiles import NS
from resilience.judge.signal import Band, Bins, good

SUSTAINED_S = 1.0
"""Out of the band for about this long, it has left it again; shorter stumbles do not undo a recovery."""

PLAUSIBLE = 2.0


@dataclass(frozen=True, slots=True)
class Change:
    """An instant, and how far from the truth it may be."""

    at_s: float
    resolution_s: float


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

    `index` is the first bin on the other side of the change; the change is in it or in the bin before.
    """
    begin_s, end_s = bins.at(index) - bins.width_s, bins.at(index) + bins.width_s
    samples = case.traffic.between(begin_s, end_s)
    gap_s = 1 / band.rate
    if len(samples) == 0:
        return Change(bins.at(index), bins.width_s)
    bad_share = _bad_share(bins, index, worse=worse)
    usual = min(1 - band.q0, 0.5 * bad_share)
    bad = ~good(samples, band.limit_ns)
    return _cut(samples.arrival_ns, bad, (usual, bad_share), worse=worse, gap_s=gap_s)


def _bad_share(bins: Bins, index: int, *, worse: bool) -> float:
    """The share of bad operations on the bad side of a change: in the bin beyond it if that is bad, else beside it."""
    step = 1 if worse else -1
    beside, beyond = (index, index + step) if worse else (index - 1, index - 2)
    chosen = beyond if 0 <= beyond < len(bins.offered) and bins.outside[beyond] else max(beside, 0)
    offered, well = int(bins.offered[chosen]), int(bins.good[chosen])
    share = 1.0 if offered == 0 else (offered - well) / offered
    return min(max(share, 0.02), 0.999)


def _cut(arrival_ns: Int64, bad: Bool, shares: tuple[float, float], *, worse: bool, gap_s: float) -> Change:
    usual, share = shares
    # How much likelier each operation is on the bad side than on the good side, as a logarithm.
    scores: npt.NDArray[np.float64] = np.where(bad, math.log(share / usual), math.log((1 - share) / (1 - usual)))
    before = np.concatenate(([0.0], np.cumsum(scores)))
    likelihood = before[-1] - before if worse else before
    best = int(np.argmax(likelihood))
    near = np.flatnonzero(likelihood >= likelihood[best] - PLAUSIBLE)

    def at(cut: int) -> float:
        return float(arrival_ns[min(cut, len(arrival_ns) - 1)]) / NS

    width_s = max(at(int(near[-1])) - at(best), at(best) - at(int(near[0])))
    # Where only a share of operations is bad, the outermost bad one lies 1/(share · rate) inside on average.
    shift_s = (1 / share - 1) * gap_s
    return Change(at(best) - shift_s if worse else at(best) + shift_s, width_s + gap_s + shift_s)
