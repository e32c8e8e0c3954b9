"""How throughput grows with users and with copies, what that is worth, and what is needed for a demand. Pure.

*Little's law* (N = X·R): so many users who never think are in flight at all times, so throughput times mean response
time must be their number; where it is not, within a tenth, what was measured is not what was meant. *Capacity* is the
highest throughput at which the objectives held. *Linear* is scaling that keeps 90 % of it for each copy.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from resilience.columns import Float64, Samples
from resilience.judge.quantiles import DROPPED, OK, to_ns
from resilience.judge.search.machine import Seen
from resilience.judge.search.step import SLICES, Judged, judge_step
from resilience.judge.statistics import student
from resilience.model import Capacity, Json, Objective

LITTLE = 0.10
"""N and X·R may differ by this share."""
LINEAR = 0.9
SURE = 0.975
"""One-sided confidence of each bound of an efficiency."""


@dataclass(frozen=True, slots=True)
class Level:
    """A number of users, measured.

    Attributes:
        slices: ok per second in slices of the stretch.
        in_flight: throughput of everything, times the mean response time: by Little's law, the users.
    """

    users: int
    judged: Judged
    slices: Float64
    in_flight: float

    @property
    def little(self) -> float:
        """How far the two are apart, as a share of the users."""
        return abs(self.in_flight / self.users - 1)

    @property
    def error(self) -> float:
        """Standard error of the throughput, from its slices."""
        return float(np.std(self.slices, ddof=1)) / math.sqrt(len(self.slices))

    def json(self) -> dict[str, Json]:
        """As in `verdict.json`."""
        return {"users": self.users, "in_flight": self.in_flight, "little_share": self.little, **self.judged.json()}


def judge_level(samples: Samples, users: int, start_s: float, end_s: float, objectives: Sequence[Objective]) -> Level:
    """Judge a stretch with so many users."""
    judged = judge_step(samples, start_s, end_s, objectives)
    at = samples.arrival_ns
    piece = samples.where((at >= to_ns(start_s)) & (at < to_ns(end_s)))
    edges = np.linspace(to_ns(start_s), to_ns(end_s), SLICES + 1)
    length_s = (end_s - start_s) / SLICES
    ends = samples.end_ns[(samples.outcome == OK) & (samples.end_ns >= edges[0]) & (samples.end_ns < edges[-1])]
    slices = np.histogram(ends, edges)[0] / length_s
    sent = piece.outcome != DROPPED
    busy_s = float(np.sum((piece.end_ns - piece.arrival_ns)[sent])) / 1e9
    return Level(users, judged, slices.astype(np.float64), busy_s / (end_s - start_s))


def best(levels: Sequence[Level]) -> Level | None:
    """The level of the highest throughput at which the objectives held."""
    held = [one for one in levels if one.judged.seen is Seen.HOLDS]
    return max(held, key=lambda one: one.judged.rps, default=None)


@dataclass(frozen=True, slots=True)
class Copies:
    """What so many copies of the service bore."""

    copies: int
    rps: float
    error: float
    users: int


@dataclass(frozen=True, slots=True)
class Efficiency:
    """Throughput for each copy, beside that of the fewest: 1 is linear."""

    copies: int
    value: float
    low: float
    high: float

    @property
    def linear(self) -> bool | None:
        """Whether scaling is linear up to here; None if that cannot be told."""
        if self.low >= LINEAR:
            return True
        return False if self.high < LINEAR else None

    def json(self) -> dict[str, Json]:
        """As in the result."""
        return {"copies": self.copies, "value": self.value, "low": self.low, "high": self.high, "linear": self.linear}


def efficiencies(measured: Sequence[Copies]) -> tuple[Efficiency, ...]:
    """Of every number of copies beside the fewest; errors are those of ratios (delta method)."""
    if not measured:
        return ()
    first = measured[0]
    found = []
    for one in measured[1:]:
        value = (one.rps / one.copies) / (first.rps / first.copies)
        relative = math.hypot(one.error / one.rps, first.error / first.rps)
        wide = value * relative * student(SURE, SLICES - 1)
        found.append(Efficiency(one.copies, value, value - wide, value + wide))
    return tuple(found)


def plan(capacity: Capacity, measured: Sequence[Copies]) -> dict[str, Json] | None:
    """How many copies the demand needs, with headroom, and what a million requests cost; None without a demand.

    Nothing is said of more copies than were measured, but what they would be if they went on to scale as the most that
    were measured do: under a name that says so.
    """
    if capacity.demand is None or not measured:
        return None
    needed = capacity.demand * (1 + capacity.headroom)
    enough = [one for one in measured if one.rps >= needed]
    most = max(measured, key=lambda one: one.copies)
    chosen = min(enough, key=lambda one: one.copies, default=None)
    told: dict[str, Json] = {
        "demand_per_s": capacity.demand,
        "headroom": capacity.headroom,
        "needed_per_s": needed,
        "copies": None if chosen is None else chosen.copies,
        "capacity_per_s": None if chosen is None else chosen.rps,
        "utilisation": None if chosen is None else capacity.demand / chosen.rps,
        "measured_to_copies": most.copies,
        "extrapolated_copies": math.ceil(needed / (most.rps / most.copies)) if chosen is None else None,
    }
    if capacity.prices is not None and chosen is not None:
        hour = chosen.copies * capacity.prices.copy_hour + capacity.prices.fixed_hour
        told |= {
            "currency": capacity.prices.currency,
            "cost_hour": hour,
            "cost_per_million_at_demand": hour / (capacity.demand * 3600) * 1e6,
            "cost_per_million_at_capacity": hour / (chosen.rps * 3600) * 1e6,
        }
    return told


def measured_of(documents: Sequence[Mapping[str, Json]]) -> tuple[Copies, ...]:
    """What the verdicts of runs with different numbers of copies have measured; those without capacity are left out."""
    found = []
    for document in documents:
        told = document.get("capacity")
        best_of = told.get("best") if isinstance(told, Mapping) else None
        if isinstance(told, Mapping) and isinstance(best_of, Mapping):
            copies, users = int(_number(told["copies"])), int(_number(best_of["users"]))
            found.append(Copies(copies, _number(best_of["rps"]), _number(best_of["error"]), users))
    return tuple(sorted(found, key=lambda one: one.copies))


def _number(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return value
