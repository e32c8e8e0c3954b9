"""Runs that slow down, with readings of resources made for them."""

from dataclasses import replace
from functools import cache

import numpy as np

from resilience.judge.bottlenecks.found import bottlenecks
from resilience.judge.case import Case, prepare
from resilience.model import Event, EventKind
from resilience.model.resources import Resources, Series, Unit
from tests.judge.builder import Scene, Spell

BASELINE = (4.0, 19.0)
SLOW = (24.0, 40.0)
"""When `slowed` lacks full service."""


def slowed(*series: Series, seed: int = 1, spells: tuple[Spell, ...] | None = None, **changes: object) -> Case:
    """A run in which most operations are slow from 24 to 40 s, with some resources."""
    spells = (Spell(*SLOW, "slow", share=0.8),) if spells is None else spells
    after = Event(19.0, EventKind.PHASE, "after")
    record = Scene(faults=(), spells=spells, seed=seed, end_s=42.0, extra=(after,), **changes).record()
    return prepare(replace(record, resources=Resources(tuple(series))))


def seeing(case: Case, *series: Series) -> Case:
    """The same run with these resources."""
    return replace(case, record=replace(case.record, resources=Resources(tuple(series))))


def made(name: str, of: str, value: np.ndarray, limit: float | None = None, unit: Unit = Unit.COUNT) -> Series:
    """A series with a reading each second from 1 s on."""
    return Series(name, of, unit, np.arange(1.0, 1.0 + len(value)), np.asarray(value, float), limit)


def step(at_s: float, before: float, after: float, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """42 readings that are one thing until an instant and another from then on, give or take."""
    at = np.arange(1.0, 43.0)
    return np.where(at < at_s, before, after) + noise * np.random.default_rng(seed).standard_normal(len(at))


@cache
def slow_case() -> Case:
    """250 operations a second, 80 % of them 600 ms from 24 to 40 s: some 120 under way."""
    return slowed()


def places(*series: Series) -> list[str]:
    """The places that are named, best first."""
    told = bottlenecks(seeing(slow_case(), *series))
    return [one["place"] for window in told["windows"] for one in window["ranked"]]


def pool(used: float, waiting: float, most: float = 8.0) -> tuple[Series, ...]:
    """A pool that is full from 23 s on."""
    return (
        made("pool.used", "service", step(23, 1, used, 0.05), most),
        made("pool.waiting", "service", step(23, 0, waiting, 0.0)),
    )


def calls(dependency: str, before: float, during: float, each_before_s: float, each_s: float) -> tuple[Series, ...]:
    """Calls of a dependency: how many at once, and how long each takes."""
    at_once = step(23, before, during, 0.02 * before)
    return (
        made(f"calls.{dependency}.seconds", "service", at_once, unit=Unit.SECONDS),
        made(f"calls.{dependency}.count", "service", at_once / step(23, each_before_s, each_s)),
    )


def sessions(active: float, **waits: float) -> tuple[Series, ...]:
    """Sessions of the database at work from 23 s on, and what they wait for."""
    found = [made("postgres.connections.active", "postgres", step(23, 0.3, active, 0.05))]
    found += [
        made(f"postgres.waits.{name}", "postgres", step(23, 0.02, waits.get(name, 0.02), 0.005))
        for name in ("lock", "lwlock", "io")
    ]
    return tuple(found)
