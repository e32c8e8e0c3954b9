"""Counts, rates and exact quantiles of samples.

Definitions, the same everywhere:

* A sample belongs to the phase in which its *arrival* lies (start included, end excluded).
* Response time is end - arrival. Quantiles are over every operation that was *sent*: failed ones and timeouts count
  with the time until they ended, so an operation that hung does not vanish. Dropped ones have no response time; they
  count as offered and not ok.
* A quantile is the nearest rank: the smallest value with at least q·n of the n values at or below it. Nothing is
  interpolated, so each figure is one that a client really saw.
* Error rate is (offered - ok) / offered; requests per second (`rps`) is ok answers per second of the phase.
"""

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from resilience.columns import Bool, Samples
from resilience.model import OUTCOMES, Json, Outcome

OK = OUTCOMES.index(Outcome.OK)
FAILED = OUTCOMES.index(Outcome.FAILED)
UNKNOWN = OUTCOMES.index(Outcome.UNKNOWN)
DROPPED = OUTCOMES.index(Outcome.DROPPED)
NS = 1_000_000_000
MS = 1_000_000


def to_ns(at_s: float) -> int:
    """Seconds as whole nanoseconds."""
    return round(at_s * NS)


def _take(samples: Samples, which: "slice | npt.NDArray[np.intp]") -> Samples:
    # `where` is declared for masks; NumPy indexes with positions and slices just the same (a slice copies nothing).
    return samples.where(cast("Bool", which))


class Traffic:
    """Samples in order of arrival, so that any stretch of time is a slice without copying."""

    def __init__(self, samples: Samples) -> None:
        arrival = samples.arrival_ns
        ordered = len(arrival) < 2 or bool(np.all(arrival[1:] >= arrival[:-1]))  # noqa: PLR2004 - two to compare
        self.samples = samples if ordered else _take(samples, np.argsort(arrival, kind="stable"))
        self._longest_s: float | None = None

    @property
    def longest_s(self) -> float:
        """The longest response time of all; 0 if there is none."""
        if self._longest_s is None:
            times = self.samples.end_ns - self.samples.arrival_ns
            self._longest_s = float(times.max(initial=0)) / NS
        return self._longest_s

    def between(self, start_s: float, end_s: float) -> Samples:
        """The samples that arrived from `start_s` until before `end_s`."""
        arrival = self.samples.arrival_ns
        first, last = np.searchsorted(arrival, [to_ns(start_s), to_ns(end_s)])
        return _take(self.samples, slice(int(first), int(last)))

    def index(self, operation: str) -> int:
        """The number of an operation in the samples; -1 if it was never offered."""
        names = list(self.samples.operations)
        return names.index(operation) if operation in names else -1


def of_operation(samples: Samples, index: int) -> Samples:
    """The samples of one operation, by its number."""
    return samples.where(samples.operation == index)


def of_segment(samples: Samples, kind: str, name: str) -> Samples:
    """The samples of one tenant, or from one region, by its name; none if there is no such.

    Args:
        samples: to choose from.
        kind: `tenant` or `region`.
        name: which.
    """
    column, names = (samples.tenant, samples.tenants) if kind == "tenant" else (samples.region, samples.regions)
    if column is None or name not in names:
        return samples.where(np.zeros(len(samples), dtype=np.bool_))
    return samples.where(column == list(names).index(name))


def nearest_rank(ordered: npt.NDArray[np.int64], quantile: float) -> int:
    """The smallest of the sorted values with at least `quantile` (0 to 1) of them at or below it.

    Raises:
        ValueError: there is no value.
    """
    return int(nearest_of(ordered, quantile))


def nearest_of(ordered: npt.NDArray[Any], quantile: float) -> float:
    """The same of sorted values of any kind."""
    count = len(ordered)
    if count == 0:
        raise ValueError("no value, no quantile")
    # Rounded, because 0.07 · 100 is a little more than 7 in floating point.
    rank = math.ceil(round(quantile * count, 9))
    value: float = ordered[min(max(rank, 1), count) - 1].item()
    return value


def response_ns(samples: Samples, operation: int | None = None) -> npt.NDArray[np.int64]:
    """Sorted response times of everything that was sent, or of what was sent of one operation."""
    sent = samples.outcome != DROPPED
    if operation is not None:
        sent &= samples.operation == operation
    times: npt.NDArray[np.int64] = (samples.end_ns - samples.arrival_ns)[sent]
    times.sort()
    return times


@dataclass(frozen=True, slots=True)
class Stats:
    """What became of some operations in a stretch of time. Figures that need a sample are None without one."""

    count: int
    ok: int
    failed: int
    unknown: int
    dropped: int
    degraded: int
    shed: int
    rps: float | None
    error_rate: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None

    def json(self) -> dict[str, Json]:
        """As in `verdict.json`."""
        return {name: getattr(self, name) for name in self.__slots__}


def stats(samples: Samples, seconds: float, operation: int | None = None) -> Stats:
    """Count and measure samples that arrived within `seconds`, all or of one operation.

    Only the columns that it needs are selected: a record can have many millions of samples.
    """
    outcome, degraded, shed = samples.outcome, samples.degraded, samples.shed
    if operation is not None:
        chosen = samples.operation == operation
        outcome, degraded, shed = outcome[chosen], degraded[chosen], shed[chosen]
    ok, failed, unknown, dropped = (int(n) for n in np.bincount(outcome, minlength=len(OUTCOMES))[:4])
    offered = len(outcome)
    times = response_ns(samples, operation)

    def at(quantile: float) -> float | None:
        return nearest_rank(times, quantile) / MS if len(times) else None

    return Stats(
        count=offered,
        ok=ok,
        failed=failed,
        unknown=unknown,
        dropped=dropped,
        degraded=int(np.count_nonzero(degraded & (outcome == OK))),
        shed=int(np.count_nonzero(shed)),
        rps=ok / seconds if seconds > 0 else None,
        error_rate=(offered - ok) / offered if offered else None,
        p50_ms=at(0.50),
        p95_ms=at(0.95),
        p99_ms=at(0.99),
        max_ms=at(1.0),
    )
