"""Figures of a phase with standard errors from time slices, which hold although neighbours in time are alike.

Requests that are close in time share a slow disk, a collection of garbage, a busy neighbour: a million of them are no
million independent observations. So a phase is cut into slices of equal length, each slice is one observation, and how
much slices differ says how exact the figure is (*batch means*: Asmussen, Glynn, *Stochastic Simulation*, IV.5). Slices
next to each other may still be alike; the variance is therefore worked out twice, from slices, made larger by what
their correlation with their neighbours is (of first order: (1 + r) / (1 - r)), and from six long batches of them, and
the larger counts. It is never less than independent observations would have.

* A share (errors, degraded) is a ratio of sums over slices; its variance is that of the residuals hits - share · size.
* A quantile's error follows from that of the share of values at or below it: the quantiles at q ± z·se are its bounds
  (Woodruff, JASA 47, 1952). No quantile of a single slice is needed, so slices may be short.
* A rate (ok per second) is a mean over slices.
"""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from resilience.columns import Float64, Samples
from resilience.judge.quantiles import DROPPED, MS, NS, OK, nearest_rank
from resilience.judge.statistics import Z_ONE_95
from resilience.model import Estimate

SLICE_S = 1.0
"""Length of a slice; in phases with more than `MOST` of them they are longer."""

MOST = 600
FEWEST = 8
"""Fewer slices say too little about how much they differ."""

BATCHES = 6
MOST_ALIKE = 0.9
IN_TAIL = 10
"""A quantile needs so many values beyond it."""

QUANTILES = (("p50_ms", 0.50), ("p95_ms", 0.95), ("p99_ms", 0.99))
RATE, ERROR_RATE, DEGRADED = "ok_per_s", "error_rate", "degraded"


def estimates(samples: Samples, start_s: float, end_s: float) -> dict[str, Estimate]:
    """Figures of samples that arrived in a phase; those that cannot be told are left out.

    Args:
        samples: of one operation or of all, that arrived from `start_s` until before `end_s`.
        start_s: when the phase begins, in seconds since the run did.
        end_s: when it ends.
    """
    count = min(int((end_s - start_s) / SLICE_S + 1e-9), MOST)
    if count < FEWEST or not len(samples):
        return {}
    edges = np.linspace(start_s * NS, end_s * NS, count + 1)
    place = np.clip(np.searchsorted(edges, samples.arrival_ns, side="right") - 1, 0, count - 1)
    return dict(_all(samples, place, count, (end_s - start_s) / count))


def _all(samples: Samples, place: npt.NDArray[np.intp], count: int, length_s: float) -> Iterator[tuple[str, Estimate]]:
    ok = samples.outcome == OK
    sent = samples.outcome != DROPPED
    if ok.any():
        times = (samples.end_ns - samples.arrival_ns)[sent]
        for name, quantile in QUANTILES:
            if (found := _quantile(times, place[sent], count, quantile)) is not None:
                yield name, found
        yield RATE, _rate(np.bincount(place[ok], minlength=count).astype(np.float64), length_s)
    offered = np.bincount(place, minlength=count)
    yield ERROR_RATE, _share(np.bincount(place[~ok], minlength=count), offered)
    if samples.degraded.any():
        degraded = np.bincount(place[ok & samples.degraded], minlength=count)
        yield DEGRADED, _share(degraded, np.bincount(place[ok], minlength=count))


def _variance(residuals: Float64) -> float:
    """Of the sum of residuals, which add up to nothing: from slices, or from long batches if that is more."""
    count = len(residuals)
    squares = math.fsum(residuals**2)
    if not squares:
        return 0.0
    along = math.fsum(residuals[1:] * residuals[:-1]) / squares
    along = min(
        max(along + (1 + 3 * along) / count, 0.0), MOST_ALIKE
    )  # a short series hides some of it (Kendall, 1954)
    short = squares * count / (count - 1) * (1 + along) / (1 - along)
    sums = np.array([part.sum() for part in np.array_split(residuals, BATCHES)])
    return max(short, math.fsum(sums**2) * BATCHES / (BATCHES - 1))


def _share(hits: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]) -> Estimate:
    total, hit = int(sizes.sum()), int(hits.sum())
    if not total:
        return Estimate(0.0, 1.0, len(sizes))
    share = hit / total
    # One more of each kind, so that no failures are not taken for no possible failures (Agresti, Coull, 1998).
    smooth = (hit + 1) / (total + 2)
    variance = max(_variance(hits - share * sizes) / total**2, smooth * (1 - smooth) / total)
    return Estimate(share, math.sqrt(variance), len(sizes))


def _rate(counts: Float64, length_s: float) -> Estimate:
    """Ok answers per second. How many are due at all is the plan's: no variance of its own is added."""
    total = float(counts.sum())
    mean = total / len(counts)
    return Estimate(mean / length_s, math.sqrt(_variance(counts - mean)) / total, len(counts))


def _quantile(
    times: npt.NDArray[np.int64], place: npt.NDArray[np.intp], count: int, quantile: float
) -> Estimate | None:
    total = len(times)
    if total * min(quantile, 1 - quantile) < IN_TAIL:
        return None
    ordered = np.sort(times)
    value = max(nearest_rank(ordered, quantile), 1)
    below = times <= value
    share = float(below.mean())
    sizes = np.bincount(place, minlength=count)
    hits = np.bincount(place[below], minlength=count)
    variance = max(_variance(hits - share * sizes) / total**2, quantile * (1 - quantile) / total)
    reach = Z_ONE_95 * math.sqrt(variance)
    if quantile + reach >= 1 - 0.5 / total or quantile - reach <= 0:
        return None
    low, high = (max(nearest_rank(ordered, quantile + sign * reach), 1) for sign in (-1, 1))
    error = (math.log(high) - math.log(low)) / (2 * Z_ONE_95)
    return Estimate(value / MS, error, count)
