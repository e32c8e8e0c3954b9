"""The run over time, aggregated to a few hundred bins for pictures. Definitions are the judge's (`judge.quantiles`).

An operation belongs to the bin in which its arrival lies; response time is from arrival to end, over all that was
sent; a quantile is the nearest rank. These are pictures: judged figures come from `verdict.json`, never from here.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from resilience.columns import Record, Samples
from resilience.judge.phases import end_s
from resilience.judge.quantiles import DROPPED, FAILED, MS, NS, OK, UNKNOWN, nearest_rank
from resilience.model import OUTCOMES

MOST_BINS = 600
"""Bins in a picture at most; a screen has not many more columns."""

_LENGTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)

PER_DECADE = 16
"""Rows of the heat map for each power of ten of the response time."""

_LOWEST_MS = 1e-3

Counts = npt.NDArray[np.int64]
Lengths = npt.NDArray[np.float64]
Quantiles = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """What happened in each bin.

    Attributes:
        bin_s: length of a bin in seconds; `lengths_s` is that of each one, as the last may be cut short.
        offered, ok, degraded, failed, unknown, dropped: how many operations; `degraded` is part of `ok`.
        p50_ms, p95_ms, p99_ms: of what was sent; None where nothing was.
        heat: (bin, row, count), a row holding response times from 10^(row/PER_DECADE) ms to the next.
    """

    bin_s: float
    lengths_s: Lengths
    offered: Counts
    ok: Counts
    degraded: Counts
    failed: Counts
    unknown: Counts
    dropped: Counts
    p50_ms: Quantiles
    p95_ms: Quantiles
    p99_ms: Quantiles
    heat: tuple[tuple[int, int, int], ...]

    def __len__(self) -> int:
        """The number of bins."""
        return len(self.offered)


def find_series(record: Record) -> Series:
    """Aggregate a record's samples, from the run's beginning to the end of its last phase or of its last arrival."""
    samples = record.samples
    last_ns = int(samples.arrival_ns.max()) + 1 if len(samples) else 0
    length_s = max(end_s(record.events), last_ns / NS, 1.0)
    bin_s = bin_length(length_s)
    bins = max(1, math.ceil(length_s / bin_s))
    where = np.clip(samples.arrival_ns // int(bin_s * NS), 0, bins - 1)
    kinds = np.bincount(where * len(OUTCOMES) + samples.outcome, minlength=bins * len(OUTCOMES))
    counts = kinds.reshape(bins, len(OUTCOMES))
    degraded = np.bincount(where[samples.degraded & (samples.outcome == OK)], minlength=bins)
    p50, p95, p99, heat = _times(samples, where, bins)
    return Series(
        bin_s=bin_s,
        lengths_s=np.minimum(bin_s, length_s - bin_s * np.arange(bins)),
        offered=counts.sum(axis=1),
        ok=counts[:, OK],
        degraded=degraded,
        failed=counts[:, FAILED],
        unknown=counts[:, UNKNOWN],
        dropped=counts[:, DROPPED],
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        heat=heat,
    )


def bin_length(length_s: float) -> float:
    """The shortest round length that needs no more than `MOST_BINS` bins: a second, for runs up to ten minutes."""
    for bin_s in _LENGTHS_S:
        if length_s <= bin_s * MOST_BINS:
            return float(bin_s)
    return float(math.ceil(length_s / MOST_BINS / 3600) * 3600)


def _times(
    samples: Samples, where: Counts, bins: int
) -> tuple[Quantiles, Quantiles, Quantiles, tuple[tuple[int, int, int], ...]]:
    """Quantiles of each bin, and the heat map."""
    sent = samples.outcome != DROPPED
    place = where[sent]
    times_ns = samples.end_ns[sent] - samples.arrival_ns[sent]
    order = np.argsort(place, kind="stable")
    bounds = np.searchsorted(place[order], np.arange(bins + 1))
    times_ns = times_ns[order]
    found: list[Quantiles] = []
    heat: list[tuple[int, int, int]] = []
    for index in range(bins):
        ordered = np.sort(times_ns[bounds[index] : bounds[index + 1]])
        if not len(ordered):
            found.append((None, None, None))
            continue
        found.append(tuple(nearest_rank(ordered, share) / MS for share in (0.5, 0.95, 0.99)))
        rows = np.floor(np.log10(np.maximum(ordered / MS, _LOWEST_MS)) * PER_DECADE).astype(np.int64)
        values, counts = np.unique(rows, return_counts=True)
        heat += [(index, int(row), int(count)) for row, count in zip(values, counts, strict=True)]
    p50, p95, p99 = (tuple(one[column] for one in found) for column in range(3))
    return p50, p95, p99, tuple(heat)
