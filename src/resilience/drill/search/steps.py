"""One step: a level told or a fault held, time to settle, a stretch that is measured, and what it showed.

A step that is neither certainly good nor certainly bad is extended, to twice and to four times its length. What is
judged is whole: it is waited until every operation that was begun in the stretch has ended and is on disk, or its time
limit is over, because the ones that are missing would be the slow ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final, Protocol

import numpy as np

from resilience.columns import Samples
from resilience.judge.search.machine import Seen
from resilience.judge.search.step import Judged, judge_step
from resilience.model import Event, Objective, Slice, Verdict

LOOKS: Final = (1, 2, 4)
"""A step is judged after so many times its length, until it is certain."""
LONG_LOOKS: Final = (1, 2)
"""The same of a long one."""
FLUSH_S: Final = 3.0
"""The generator has written everything down so long after it has ended."""
POLL_S: Final = 0.2


class Tail(Protocol):
    """The samples of a run that goes on: `record.tail.SampleTail`."""

    def look(self) -> None:
        """Read what has come."""

    def forget(self, before_s: float) -> None:
        """Drop what ended before."""

    def samples(self) -> Samples:
        """What was read."""


class Clock(Protocol):
    """Time since the run began: `runtime.steering.Steering`."""

    def now_s(self) -> float:
        """Seconds since the run began."""

    def sleep_until(self, at_s: float) -> None:
        """Let time pass."""


class Tally:
    """How many operations were offered until when, as the generator reports: a display that shows nothing."""

    def __init__(self) -> None:
        """Nothing was offered yet."""
        self._lock = Lock()
        self._until: list[tuple[float, int]] = []
        self._count = 0

    def on_event(self, event: Event) -> None:
        """Nothing to do."""

    def on_slice(self, piece: Slice) -> None:
        """Some more were offered."""
        with self._lock:
            self._count += piece.offered
            self._until.append((piece.end_s, self._count))
            del self._until[:-400]

    def close(self, verdict: Verdict | None) -> None:
        """Nothing to do."""

    def since(self, at_s: float) -> tuple[tuple[float, int], ...]:
        """Instants from then on, and how many had been offered by each."""
        with self._lock:
            return tuple(one for one in self._until if one[0] >= at_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """How long a step takes, seconds.

    Attributes:
        longest_s: the longest time limit of an operation.
        ahead_s: how far a rising latency is looked ahead.
    """

    settle_s: float
    step_s: float
    longest_s: float
    ahead_s: float


class Measurer:
    """Measures steps.

    Args:
        clock, tail, tally: time, samples, and what the generator reports.
        objectives: what must hold.
        lengths: how long things take.
    """

    def __init__(
        self, clock: Clock, tail: Tail, tally: Tally, objectives: Sequence[Objective], lengths: Lengths
    ) -> None:
        """Nothing is measured yet."""
        self._clock, self._tail, self._tally = clock, tail, tally
        self._objectives, self._lengths = tuple(objectives), lengths
        self._forgotten = 0

    def measure(self, since_s: float, rate: float | None, *, step_s: float, looks: Sequence[int] = LOOKS) -> Judged:
        """Measure from when something was changed; extended until it is certain what it shows.

        Args:
            since_s: when it was changed, seconds since the run began.
            rate: arrivals per second that are due; None of a closed load.
            step_s: how long it is measured at first.
            looks: after how many times that length it is judged, until it is certain.
        """
        begin_s = since_s + self._lengths.settle_s
        self._drop(begin_s - self._lengths.longest_s - FLUSH_S)
        judged = None
        for times in looks:
            end_s = begin_s + times * step_s
            self._clock.sleep_until(end_s)
            self._wait_for(end_s)
            due = None if rate is None else rate * (end_s - begin_s)
            judged = judge_step(
                self._tail.samples(), begin_s, end_s, self._objectives, due=due, ahead_s=self._lengths.ahead_s
            )
            if judged.seen is not Seen.UNSURE:
                return judged
        assert judged is not None  # noqa: S101 - there is a look
        return judged

    def _wait_for(self, end_s: float) -> None:
        """Wait until everything that was begun before has ended and can be read."""
        latest_s = end_s + self._lengths.longest_s + FLUSH_S
        while True:
            self._tail.look()
            if self._whole(end_s) or self._clock.now_s() > latest_s:
                return
            self._clock.sleep_until(min(self._clock.now_s() + POLL_S, latest_s + POLL_S))

    def _whole(self, end_s: float) -> bool:
        """Whether as many operations can be read as had been offered by some instant after the end."""
        there = np.sort(self._tail.samples().arrival_ns)
        return any(
            self._forgotten + int(np.searchsorted(there, round(at_s * 1e9), side="right")) >= offered
            for at_s, offered in self._tally.since(end_s)
        )

    def _drop(self, before_s: float) -> None:
        self._tail.look()
        before = len(self._tail.samples())
        self._tail.forget(before_s)
        self._forgotten += before - len(self._tail.samples())
