"""How the generator itself fares: its processor time, its stalls, and the clocks of its machine. Pure arithmetic.

The load process looks at each slice and hands the readings in. What is noted goes into the generator's account, by
which the judge says whether the load can be believed: see `judge.generator`.
"""

from collections import deque
from dataclasses import dataclass

from resilience.model import Json

BUSY_SHARE = 0.85
"""A generator that uses more of a core than this, for BUSY_S, has no room to be punctual."""
BUSY_S = 2.0
STALL_S = 0.1
"""A look that comes later than this was held up."""
STEP_S = 0.02
"""The wall clock stepped if it moved by more than this against the monotonic one between two looks. Slewing (at most
500 parts in a million by adjtime) moves it by an eighth of a millisecond."""
KEPT = 32
"""So many stretches, stalls and steps are told."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read at one look.

    Attributes:
        at_s: seconds since the run's zero, by the monotonic clock.
        late_s: how much later than meant the look came.
        cpu_s: processor time of the process so far, user and system.
        wall_s: wall clock minus monotonic clock; None if the two could not be read closely enough together.
        asleep_s: how long the machine has been suspended since it was booted.
    """

    at_s: float
    late_s: float
    cpu_s: float
    wall_s: float | None
    asleep_s: float


class Health:
    """Collects readings, from the first, which is where counting begins."""

    def __init__(self, first: Reading) -> None:
        self._first = self._last = first
        self._wall_s = self._first_wall_s = first.wall_s
        self._window: deque[Reading] = deque([first])
        self._most = 0.0
        self._busy: list[list[float]] = []
        self._stalls: list[tuple[float, float]] = []
        self._steps: list[tuple[float, float]] = []

    def look(self, reading: Reading) -> float:
        """Note one look; return the share of a core used since the one before."""
        share = _share(self._last, reading)
        self._last = reading
        self._window.append(reading)
        while len(self._window) > 2 and reading.at_s - self._window[1].at_s >= BUSY_S:  # noqa: PLR2004 - first and last
            self._window.popleft()
        if reading.at_s - self._window[0].at_s >= BUSY_S:
            self._note_busy(self._window[0], reading)
        if reading.late_s > STALL_S:
            self._stalls.append((reading.at_s - reading.late_s, reading.late_s))
        if reading.wall_s is not None:
            if self._wall_s is not None and abs(reading.wall_s - self._wall_s) > STEP_S:
                self._steps.append((reading.at_s, reading.wall_s - self._wall_s))
            if self._first_wall_s is None:
                self._first_wall_s = reading.wall_s
            self._wall_s = reading.wall_s
        return share

    def _note_busy(self, since: Reading, until: Reading) -> None:
        share = _share(since, until)
        self._most = max(self._most, share)
        if share <= BUSY_SHARE:
            return
        if self._busy and since.at_s <= self._busy[-1][1]:
            self._busy[-1][1] = until.at_s
            self._busy[-1][2] = max(self._busy[-1][2], share)
        else:
            self._busy.append([since.at_s, until.at_s, share])

    def account(self) -> dict[str, Json]:
        """What was noted; instants and lengths in seconds, the longest stalls first."""
        moved_s = 0.0 if self._wall_s is None or self._first_wall_s is None else self._wall_s - self._first_wall_s
        longest = sorted(self._stalls, key=lambda stall: -stall[1])[:KEPT]
        return {
            "cpu_share": _share(self._first, self._last),
            "cpu_share_max": max(self._most, _share(self._first, self._last)),
            "busy": [list[Json](stretch) for stretch in self._busy[:KEPT]],
            "stalls": [list[Json](stall) for stall in longest],
            "stalled_s": sum(length_s for _, length_s in self._stalls),
            "clock_steps": [list[Json](step) for step in self._steps[:KEPT]],
            "clock_moved_s": moved_s,
            "asleep_s": self._last.asleep_s - self._first.asleep_s,
        }


def _share(since: Reading, until: Reading) -> float:
    length_s = until.at_s - since.at_s
    return (until.cpu_s - since.cpu_s) / length_s if length_s > 0 else 0.0
