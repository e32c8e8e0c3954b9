"""What became of operations, and short stretches of load."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What became of an operation, as its client saw it."""

    OK = "ok"
    FAILED = "failed"  # certainly did not happen
    UNKNOWN = "unknown"  # may have happened: a write that timed out
    DROPPED = "dropped"  # was due, but nothing was free to send it


OUTCOMES: tuple[Outcome, ...] = tuple(Outcome)
"""The order in which outcomes are numbered in `columns.Samples`."""


@dataclass(frozen=True, slots=True)
class Slice:
    """What the load generator saw in a short stretch of time, for live views and abort conditions only.

    Attributes:
        counts: operation → outcome → how many *ended* in the slice.
        histogram: bucket → how many operations that ended (not dropped); bucket b holds response times in
            `[HISTOGRAM_BASE**b, HISTOGRAM_BASE**(b+1))` microseconds, counted from the intended start.
        in_flight: operations begun and not ended at the end of the slice.
        offered: arrivals that became due in the slice.
        degraded: how many of the ok answers said that they were degraded.
        lag_p99_s: 99th percentile of (actual start − intended start); 0 if nothing started.
        attempted, acknowledged: writes so far in the whole run; the difference not otherwise settled is at risk.
        unsettled: writes that are in flight or indeterminate so far.
        backlog: jobs that were accepted and have not been seen to end.
        cpu_share: share of a core that the generator's own process used in the slice; of several, the busiest one's.
        notes: what the generator has to tell of itself, each a problem of the run: a worker was lost.
    """

    start_s: float
    end_s: float
    counts: Mapping[str, Mapping[Outcome, int]]
    histogram: Mapping[int, int]
    offered: int
    in_flight: int
    degraded: int = 0
    lag_p99_s: float = 0.0
    attempted: int = 0
    acknowledged: int = 0
    unsettled: int = 0
    backlog: int = 0
    cpu_share: float = 0.0
    notes: tuple[str, ...] = ()


HISTOGRAM_BASE = 1.02
"""Ratio of neighbouring bucket bounds of `Slice.histogram`: quantiles read from it are within 2 %."""
