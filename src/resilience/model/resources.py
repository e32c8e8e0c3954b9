"""What collectors saw of a run's resources: series of readings, and the gaps in which nothing could be read.

Not imported by the package itself, because of NumPy: `from resilience.model.resources import …`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from resilience.model.basics import Json
from resilience.model.catalogue import SHARES, Unit

__all__ = ["NOTHING", "SHARES", "Gap", "Profile", "Reading", "Resources", "Series", "Unit"]

Float64 = npt.NDArray[np.float64]


class Reading(NamedTuple):
    """One value, as a collector reads it.

    Attributes:
        name, of, unit, limit: as of a `Series`.
        value: of a counter, what it stands at: the unit is that of its rate.
        counter: whether it only grows.
        anew: whether it may have begun to count anew since the reading before, as after a restart.
    """

    name: str
    of: str
    unit: Unit
    value: float
    limit: float | None = None
    counter: bool = False
    anew: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Readings of one resource, in order of time. Arrays are read-only and of one length.

    Attributes:
        name: dotted: `process.cpu`, `postgres.connections.active`, `redis.memory.used`, …
        of: the part or thing it is of: `service`, `service-2`, `postgres`, `host`, …
        at_s: seconds since the run's zero, ascending. Of a rate, the end of the stretch that it is the mean of.
        limit: the most that it can be, as last read: cores allowed, memory, `max_connections`; None if not known.
        collector: which read it; gaps are of collectors.
        limits: the limit at each reading, NaN where it was not known, if it changed during the run; else None.
    """

    name: str
    of: str
    unit: Unit
    at_s: Float64
    value: Float64
    limit: float | None = None
    collector: str = ""
    limits: Float64 | None = None

    def __len__(self) -> int:
        """The number of readings."""
        return int(self.at_s.shape[0])

    def between(self, start_s: float, end_s: float) -> "Series":
        """The readings of `[start_s, end_s)`."""
        first, last = np.searchsorted(self.at_s, (start_s, end_s))
        limits = None if self.limits is None else self.limits[first:last]
        return Series(
            self.name,
            self.of,
            self.unit,
            self.at_s[first:last],
            self.value[first:last],
            self.limit,
            self.collector,
            limits,
        )


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch in which a collector read nothing of a part, and why."""

    collector: str
    of: str
    start_s: float
    end_s: float
    why: str


@dataclass(frozen=True, slots=True)
class Profile:
    """Where a program spent its time in a phase, by samples of its stacks.

    Attributes:
        of: the part.
        phase: label of the phase.
        stacks: frames from the outermost in, and how many samples had them.
    """

    of: str
    phase: str
    stacks: tuple[tuple[tuple[str, ...], int], ...]

    @property
    def samples(self) -> int:
        """How many samples there were."""
        return sum(number for _, number in self.stacks)


@dataclass(frozen=True, slots=True, eq=False)
class Resources:
    """All that was read.

    Attributes:
        series: by name, then by what they are of; no two have both in common.
        gaps: in order of time.
        problems: what is wrong with the files: damaged, missing, cut short. Readings are missing then, and no verdict
            is changed by that but where one is asked for.
        profiles: of programs, where they were asked for.
        kept: part → what its collector kept besides, over the whole run: of PostgreSQL `tables` and `statements`.
    """

    series: tuple[Series, ...] = ()
    gaps: tuple[Gap, ...] = ()
    problems: tuple[str, ...] = ()
    profiles: tuple[Profile, ...] = ()
    kept: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)

    def get(self, name: str, of: str) -> Series | None:
        """One series; None if nothing was read under that name."""
        return next((series for series in self.series if series.name == name and series.of == of), None)

    def named(self, name: str) -> tuple[Series, ...]:
        """The series of that name, of whatever they are."""
        return tuple(series for series in self.series if series.name == name)


NOTHING = Resources()
