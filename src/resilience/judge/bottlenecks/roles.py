"""Which series are the pool of connections of a service, and which its calls of what it depends on: by their names.

Every service calls its metrics something else, so the file says which of them is what (`observe.metrics`):

* `pool.used` and its limit, `pool.waiting`; of several pools `pool.NAME.used` and so on;
* `calls.NAME.seconds` and `calls.NAME.count`, counters of how long calls of a dependency took together and how many
  there were, or `calls.NAME.busy`, how many are under way; each with the most at once as its limit, if there is one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from resilience.model.resources import Resources, Series

_POOL = re.compile(r"pool\.(?:(?P<name>\w+)\.)?(?P<what>used|waiting)")
_CALLS = re.compile(r"calls\.(?P<name>\w+)\.(?P<what>busy|seconds|count)")


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool of connections: those in use, with the most there may be; who waits for one, None if it does not say."""

    of: str
    name: str
    used: Series
    waiting: Series | None


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of a dependency, as the service sees them.

    Attributes:
        at_once: how many were under way, on average since the reading before: the rate of the time of calls that are
            over (Little's law), or what was under way at that instant if no times are told.
        each_s: mean time of a call that is over; None if it is not told. each_second: how many are over in a second.
        limit: the most at once; None if it is not told.
    """

    of: str
    dependency: str
    at_once: Series
    each_s: Series | None
    each_second: Series | None
    limit: float | None


def pools_of(resources: Resources) -> Iterator[Pool]:
    """The pools of which what is in use and the most there may be are known."""
    for (of, name), parts in _matching(resources, _POOL).items():
        used = parts.get("used")
        if used is not None and used.limit:
            yield Pool(of, name, used, parts.get("waiting"))


def calls_of(resources: Resources) -> Iterator[Calls]:
    """The dependencies whose calls are told."""
    for (of, name), parts in _matching(resources, _CALLS).items():
        spent, count, busy = (parts.get(what) for what in ("seconds", "count", "busy"))
        at_once = spent if spent is not None else busy
        if at_once is not None:
            each_s = None if spent is None or count is None else _divided(spent, count)
            limits = [one.limit for one in (busy, spent) if one is not None and one.limit]
            yield Calls(of, name, at_once, each_s, count, limits[0] if limits else None)


def _matching(resources: Resources, pattern: re.Pattern[str]) -> dict[tuple[str, str], dict[str, Series]]:
    """Series by what they are of and the name in the pattern, then by what they tell."""
    found: dict[tuple[str, str], dict[str, Series]] = {}
    for series in resources.series:
        match = pattern.fullmatch(series.name)
        if match is not None:
            found.setdefault((series.of, match["name"] or ""), {})[match["what"]] = series
    return found


def _divided(spent: Series, count: Series) -> Series:
    """The mean time of a call, where there was one."""
    at_s, here, there = np.intersect1d(spent.at_s, count.at_s, return_indices=True)
    some = count.value[there] > 0
    each_s = spent.value[here][some] / count.value[there][some]
    return Series(spent.name, spent.of, spent.unit, at_s[some], each_s, None, spent.collector)
