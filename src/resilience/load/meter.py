"""What the generator counts: slices for live views, and its own account at the end. Pure arithmetic.

`offered` is counted when an arrival becomes due and outcomes when operations end, so that the identity
offered = ok + failed + unknown + dropped can be violated by a mistake elsewhere, and is worth checking.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from resilience.model import HISTOGRAM_BASE, OUTCOMES, Json, Outcome

LATE_NS = 10_000_000
"""An operation begun more than this after its intended start was started late."""

_PER_LOG = 1.0 / math.log(HISTOGRAM_BASE)


def bucket_of(duration_ns: int) -> int:
    """The bucket of a duration: b such that it is in [1.02^b, 1.02^(b+1)) microseconds; 0 for anything below."""
    return 0 if duration_ns <= 1000 else int(math.log(duration_ns / 1000) * _PER_LOG)  # noqa: PLR2004 - 1 µs in ns


def quantile_s(histogram: Mapping[int, int], quantile: float) -> float:
    """The upper bound of the bucket in which the quantile lies, in seconds; 0 if there is nothing."""
    wanted = quantile * sum(histogram.values())
    seen = 0
    for bucket in sorted(histogram):
        seen += histogram[bucket]
        if seen >= wanted:
            return float(HISTOGRAM_BASE ** (bucket + 1)) / 1e6
    return 0.0


class Meter:
    """Counts of one load process.

    Args:
        operations: names, in the order of their numbers.
    """

    def __init__(self, operations: Sequence[str]) -> None:
        self._operations = tuple(operations)
        self._offered = [0] * len(operations)
        self._outcomes = [[0] * len(OUTCOMES) for _ in operations]
        self._lags: Counter[int] = Counter()
        self._lag_max_ns = 0
        self._late = 0
        self._begin_slice()

    def _begin_slice(self) -> None:
        self._slice_counts: Counter[tuple[int, Outcome]] = Counter()
        self._slice_histogram: Counter[int] = Counter()
        self._slice_lags: Counter[int] = Counter()
        self._slice_offered = 0
        self._slice_degraded = 0

    def offered(self, operation: int) -> None:
        """An arrival became due."""
        self._offered[operation] += 1
        self._slice_offered += 1

    def started(self, lag_ns: int) -> None:
        """An operation was begun this long after its intended start."""
        bucket = bucket_of(lag_ns)
        self._lags[bucket] += 1
        self._slice_lags[bucket] += 1
        self._lag_max_ns = max(self._lag_max_ns, lag_ns)
        self._late += lag_ns > LATE_NS

    def ended(self, operation: int, outcome: Outcome, response_ns: int, *, degraded: bool) -> None:
        """An operation ended, or was dropped, this long after its intended start."""
        self._outcomes[operation][OUTCOMES.index(outcome)] += 1
        self._slice_counts[operation, outcome] += 1
        if outcome is not Outcome.DROPPED:
            self._slice_histogram[bucket_of(response_ns)] += 1
            self._slice_degraded += degraded and outcome is Outcome.OK

    def slice(self, start_s: float, end_s: float, in_flight: int) -> dict[str, Json]:
        """What was counted since the last slice, as the JSON of a `model.Slice`; the counting of the next begins."""
        counts: dict[str, dict[str, Json]] = {}
        for (operation, outcome), count in self._slice_counts.items():
            counts.setdefault(self._operations[operation], {})[outcome.value] = count
        piece: dict[str, Json] = {
            "start_s": start_s,
            "end_s": end_s,
            "counts": counts,
            "histogram": {str(bucket): count for bucket, count in self._slice_histogram.items()},
            "offered": self._slice_offered,
            "in_flight": in_flight,
            "degraded": self._slice_degraded,
            "lag_p99_s": quantile_s(self._slice_lags, 0.99),
        }
        self._begin_slice()
        return piece

    def account(self) -> dict[str, Json]:
        """Offered and every outcome, in all and per operation, and how late operations were started."""
        per_operation: dict[str, Json] = {}
        for name, offered, outcomes in zip(self._operations, self._offered, self._outcomes, strict=True):
            per_operation[name] = {"offered": offered, **_named(outcomes)}
        return {
            "offered": sum(self._offered),
            **_named([sum(column) for column in zip(*self._outcomes, strict=True)]),
            "per_operation": per_operation,
            "lag_p50_s": quantile_s(self._lags, 0.50),
            "lag_p99_s": quantile_s(self._lags, 0.99),
            "lag_max_s": self._lag_max_ns / 1e9,
            "started_late": self._late,
        }


def _named(outcomes: Sequence[int]) -> dict[str, int]:
    return {outcome.value: count for outcome, count in zip(OUTCOMES, outcomes, strict=True)}
