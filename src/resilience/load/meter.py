"""What the generator counts: slices for live views, and its own account at the end. Pure arithmetic.

`offered` is counted when an arrival becomes due and outcomes when operations end, so that the identity
offered = ok + failed + unknown + dropped can be violated by a mistake elsewhere, and is worth checking.
"""

import math
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from resilience.model import HISTOGRAM_BASE, OUTCOMES, Json, Outcome

LATE_NS = 10_000_000
"""An operation begun more than this after its intended start was started late."""

_PER_LOG = 1.0 / math.log(HISTOGRAM_BASE)
_OK, _DROPPED = OUTCOMES.index(Outcome.OK), OUTCOMES.index(Outcome.DROPPED)
End: TypeAlias = tuple[int, int, int, bool, int, str]
"""What ended: number of the operation and of the outcome, nanoseconds since the intended start, degraded, size of the
answer, detail."""


def bucket_of(duration_ns: int) -> int:
    """The bucket of a duration: b such that it is in [1.02^b, 1.02^(b+1)) microseconds; 0 for anything below."""
    return 0 if duration_ns <= 1000 else int(math.log(duration_ns / 1000) * _PER_LOG)  # noqa: PLR2004 - 1 µs in ns


def _buckets(durations_ns: npt.NDArray[np.int64]) -> dict[int, int]:
    """How many durations are in each bucket."""
    microseconds = np.maximum(durations_ns, 1000) / 1000
    found, counts = np.unique((np.log(microseconds) * _PER_LOG).astype(np.int64), return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def as_array(kind: str, numbers: Sequence[int]) -> npt.NDArray[np.int64]:
    """Whole numbers as an array, in a third of the time that NumPy itself takes for Python's."""
    return np.frombuffer(array(kind, numbers), np.dtype(kind))


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

    What happens is only noted at first, which is cheap, and counted when somebody asks, many together.

    Args:
        operations: names, in the order of their numbers.

    Attributes:
        offered: called with the number of an operation whose arrival became due.
        started: called when an operation was begun, with how long after its intended start, in nanoseconds.
        note: called when an operation ended or was dropped.
    """

    def __init__(self, operations: Sequence[str]) -> None:
        self._operations = tuple(operations)
        self._offered = [0] * len(operations)
        self._outcomes = [[0] * len(OUTCOMES) for _ in operations]
        self._lags: Counter[int] = Counter()
        self._lag_max_ns = 0
        self._late = 0
        self._new_offered: list[int] = []
        self._new_lags: list[int] = []
        self._new_ends: list[End] = []
        self._taken: list[End] | None = None
        self.offered: Callable[[int], None] = self._new_offered.append
        self.started: Callable[[int], None] = self._new_lags.append
        self.note: Callable[[End], None] = self._new_ends.append
        self._begin_slice()

    def _begin_slice(self) -> None:
        self._slice_counts: Counter[tuple[int, Outcome]] = Counter()
        self._slice_histogram: Counter[int] = Counter()
        self._slice_lags: Counter[int] = Counter()
        self._slice_offered = 0
        self._slice_degraded = 0

    def ended(self, operation: int, outcome: Outcome, response_ns: int, *, degraded: bool) -> None:
        """An operation ended, or was dropped, this long after its intended start."""
        self.note((operation, OUTCOMES.index(outcome), response_ns, degraded, 0, ""))

    def keep(self) -> None:
        """From now on, rows are kept once they were counted, for `taken`."""
        self._taken = self._taken or []

    def taken(self) -> "list[End]":
        """The rows that were counted since the last call, if `keep` was called."""
        taken, self._taken = self._taken or [], None if self._taken is None else []
        return taken

    def _count(self) -> None:
        """Count what was noted."""
        for number, count in Counter(self._new_offered).items():
            self._offered[number] += count
        self._slice_offered += len(self._new_offered)
        self._new_offered.clear()
        if self._new_lags:
            lags = as_array("q", self._new_lags)
            buckets = _buckets(lags)
            self._lags.update(buckets)
            self._slice_lags.update(buckets)
            self._lag_max_ns = max(self._lag_max_ns, int(lags.max()))
            self._late += int(np.count_nonzero(lags > LATE_NS))
            self._new_lags.clear()
        if self._new_ends:
            self._count_ends(self._new_ends)
            if self._taken is not None:
                self._taken += self._new_ends
            self._new_ends.clear()

    def _count_ends(self, rows: "list[End]") -> None:
        numbers, outcomes, durations, degraded, _, _ = zip(*rows, strict=True)
        for (number, place), count in Counter(zip(numbers, outcomes, strict=True)).items():
            self._outcomes[number][place] += count
            self._slice_counts[number, OUTCOMES[place]] += count
        places = np.frombuffer(bytes(outcomes), np.int8)
        self._slice_histogram.update(_buckets(as_array("q", durations)[places != _DROPPED]))
        self._slice_degraded += int(np.count_nonzero(np.frombuffer(bytes(degraded), np.bool_) & (places == _OK)))

    def slice(self, start_s: float, end_s: float, in_flight: int) -> dict[str, Json]:
        """What was counted since the last slice, as the JSON of a `model.Slice`; the counting of the next begins."""
        self._count()
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
        self._count()
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
