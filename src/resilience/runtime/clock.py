"""The run's clock: the host's monotonic clock, counted from the run's zero, with sleeps that an abort can end."""

import time

from resilience.errors import Interrupted

STEP_S = 0.02
"""A sleep looks for a cancellation this often. Polling, because `cancel` is called from signal handlers, and a handler
that sets an Event on which its own thread waits can lock up."""


class MonotonicClock:
    """Time since the run began, on CLOCK_MONOTONIC, which all processes of this machine share.

    Args:
        zero_ns: the run's zero; now, if None.
    """

    def __init__(self, zero_ns: int | None = None) -> None:
        """Start counting."""
        self.zero_ns = time.monotonic_ns() if zero_ns is None else zero_ns
        self._reason: str | None = None

    @property
    def cancelled(self) -> str | None:
        """Why the run was told to stop; None if it was not."""
        return self._reason

    def cancel(self, reason: str) -> None:
        """Make every current and later sleep raise Interrupted. The first reason stands. Safe in a signal handler."""
        if self._reason is None:
            self._reason = reason

    def now_s(self) -> float:
        """Seconds since the run began."""
        return (time.monotonic_ns() - self.zero_ns) / 1e9

    def sleep_until(self, at_s: float) -> None:
        """Return at that time, or at once if it has passed.

        Raises:
            Interrupted: the run was told to stop, before or meanwhile.
        """
        while True:
            if self._reason is not None:
                raise Interrupted(self._reason)
            left = at_s - self.now_s()
            if left <= 0:
                return
            time.sleep(min(left, STEP_S))
