"""Locust's own statistics, told of many operations at once.

Locust's web page, its tables and what its workers send to their master come from these. To fire its request event for
every operation costs more than the operation, and is only done while somebody listens who is not Locust's own. Nothing
that is judged depends on either.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from locust.env import Environment
from locust.stats import bucket_response_time

from resilience.load.meter import End, as_array
from resilience.model import OUTCOMES, Operation, Outcome

_OK, _DROPPED = OUTCOMES.index(Outcome.OK), OUTCOMES.index(Outcome.DROPPED)
_OWN = "locust.runners"
"""Where the listener is defined by which Locust keeps its statistics."""


class OperationNotOkError(Exception):
    """What Locust's listeners and error table get for an operation that was not ok: one of few constant texts."""


def heard(environment: Environment) -> bool:
    """Whether anybody listens to Locust's request event besides Locust's own statistics."""
    listeners = environment.events.request._handlers  # noqa: SLF001 - there is no other way to know
    return any(getattr(listener, "__module__", "") != _OWN for listener in listeners)


class Statistics:
    """Tells Locust's statistics what ended.

    Args:
        environment: Locust's.
        operations: in the order of their numbers.
    """

    def __init__(self, environment: Environment, operations: Sequence[Operation]) -> None:
        self._stats = environment.stats
        self._operations = tuple(operations)

    def add(self, rows: Sequence[End]) -> None:
        """Add operations that ended just now, as the meter has them.

        The figures are those that Locust would have kept had its event been fired for each: times in milliseconds from
        the intended start, rounded as Locust rounds them; a dropped operation counts as a request without a time.
        """
        if not rows:
            return
        numbers, outcomes, durations, _, lengths, _ = zip(*rows, strict=True)
        number, outcome = as_array("i", numbers), np.frombuffer(bytes(outcomes), np.int8)
        response_ms, length = as_array("q", durations) / 1e6, as_array("q", lengths)
        now_s = time.time()
        for place in sorted(set(numbers)):
            operation, mine = self._operations[place], number == place
            timed = response_ms[mine & (outcome != _DROPPED)]
            entry = self._stats.entries[operation.name, operation.method]
            for one in (entry, self._stats.total):
                _add(one, now_s, int(mine.sum()), timed, int(length[mine].sum()))
        for place in np.flatnonzero(outcome != _OK).tolist():
            row = rows[place]
            self._fail(self._operations[row[0]], row[5].partition(":")[0])

    def _fail(self, operation: Operation, kind: str) -> None:
        error = OperationNotOkError(kind)
        self._stats.log_error(operation.method, operation.name, error)


def _add(entry: Any, now_s: float, count: int, timed_ms: npt.NDArray[np.float64], length: int) -> None:  # noqa: ANN401 - Locust's types say whole milliseconds, and it keeps parts
    second = int(now_s)
    if entry.use_response_times_cache and entry.last_request_timestamp and second > int(entry.last_request_timestamp):
        entry._cache_response_times(second - 1)  # noqa: SLF001 - what `StatsEntry.log` does
    entry.num_requests += count
    entry.num_reqs_per_sec[second] += count
    entry.last_request_timestamp = now_s
    entry.total_content_length += length
    entry.num_none_requests += count - len(timed_ms)
    if not len(timed_ms):
        return
    least, most = float(timed_ms.min()), float(timed_ms.max())
    entry.total_response_time += float(timed_ms.sum())
    entry.min_response_time = least if entry.min_response_time is None else min(entry.min_response_time, least)
    entry.max_response_time = max(entry.max_response_time, most)
    # To a tenth of a millisecond first, so that there are few different ones for Locust's own rounding.
    values, counts = np.unique(np.round(timed_ms, 1), return_counts=True)
    for value, times in zip(values.tolist(), counts.tolist(), strict=True):
        entry.response_times[bucket_response_time(value)] += times
