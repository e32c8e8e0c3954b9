"""How far the monotonic clocks of two machines are apart, with a bound that is certain. Pure arithmetic.

A worker sends its time t1; the master notes its own time t2 when the question comes and t3 when it answers; the answer
is back at the worker's time t4. Let θ be the master's clock minus the worker's. No message arrives before it was sent,
so t1 + θ <= t2 and t3 <= t4 + θ, which is t3 − t4 <= θ <= t2 − t1 (the interval of NTP, RFC 5905 section 8, whose
middle is NTP's offset and whose width is the round trip). Every exchange gives such an interval and θ is in all of
them, as long as neither clock runs faster than the other: what it has moved since is seen when it is measured again.
"""

from collections.abc import Iterable
from typing import NamedTuple


class Exchange(NamedTuple):
    """One question and its answer; all in nanoseconds. `sent`, `back`: worker's clock; `came`, `answered`: master's."""

    sent: int
    came: int
    answered: int
    back: int

    @property
    def interval(self) -> tuple[int, int]:
        """Between what the master's clock minus the worker's lies."""
        return self.answered - self.back, self.came - self.sent


class Offset(NamedTuple):
    """The master's clock minus the worker's lies in `low` … `high`, in nanoseconds."""

    low: int
    high: int

    @property
    def middle(self) -> int:
        """The estimate."""
        return (self.low + self.high) // 2

    @property
    def uncertainty(self) -> int:
        """The most by which the estimate may be wrong."""
        return self.high - self.middle


def estimate(exchanges: Iterable[Exchange]) -> Offset:
    """The offset from several exchanges of a short time.

    Where they contradict each other, a clock has moved between them: then everything that any of them allows is
    possible.

    Raises:
        ValueError: there are none, or one whose answer was back before its question was sent.
    """
    intervals = [exchange.interval for exchange in exchanges]
    if not intervals:
        raise ValueError("no exchanges; at least one was expected")
    if impossible := [one for one in intervals if one[0] > one[1]]:
        raise ValueError(f"an exchange gives the interval {impossible[0]}; its ends were expected the other way round")
    low, high = max(one[0] for one in intervals), min(one[1] for one in intervals)
    if low > high:
        low, high = min(one[0] for one in intervals), max(one[1] for one in intervals)
    return Offset(low, high)


class Followed:
    """An offset that is used from the first estimate on, and measured again while the load lasts.

    Attributes:
        used: the estimate by which the worker's clock is read, in nanoseconds.
    """

    def __init__(self, first: Offset) -> None:
        self.used = first.middle
        self._low, self._high = first.low, first.high

    def again(self, later: Offset) -> None:
        """Take a later estimate."""
        self._low, self._high = min(self._low, later.low), max(self._high, later.high)

    @property
    def uncertainty(self) -> int:
        """The most by which an instant of this worker may be wrong at any time, in nanoseconds."""
        return max(self._high - self.used, self.used - self._low)
