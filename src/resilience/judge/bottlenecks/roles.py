"""Which series are the pool of connections of a service, and which its calls of what it depends on.

Services say that in metrics of their own, under many names. Known are OpenTelemetry's conventions for database clients
(`db.client.connection.*`, also as Prometheus spells them), HikariCP's, Go's `database/sql`, and those of the reference
target, which any service can follow: `NAME_pool{what="used|most|waiting"}`, and for each dependency
`NAME_dependency_busy`, `NAME_dependency_seconds_sum` and `_count`, `NAME_dependency_limit`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from resilience.model.resources import Resources, Series

_NAME = re.compile(r"(?P<name>[^{]*)(?:\{(?P<labels>.*)\})?", re.DOTALL)
_LABEL = re.compile(r'([\w.]+)="((?:[^"\\]|\\.)*)"')

USED, MOST, WAITING = "used", "most", "waiting"

_POOLS: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern), labels, what)
    for pattern, labels, what in (
        (r".*_pool", "what=used", USED),
        (r".*_pool", "what=most", MOST),
        (r".*_pool", "what=waiting", WAITING),
        (r"db[._]client[._]connections?[._](count|usage)", "state=used", USED),
        (r"db[._]client[._]connections?[._]max", "", MOST),
        (r"db[._]client[._]connections?[._]pending_requests", "", WAITING),
        (r"hikaricp_connections_active", "", USED),
        (r"hikaricp_connections_max", "", MOST),
        (r"hikaricp_connections_pending", "", WAITING),
        (r"go_sql_in_use_connections", "", USED),
        (r"go_sql_max_open_connections", "", MOST),
    )
)
"""Pattern of a metric's name, a label that it must have (any name that ends so), and what it is."""

_NAMED_BY = ("pool", "pool_name", "db_name", "db_client_connection_pool_name", "name")


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool of connections: those in use, the most there may be, and who waits for one (None if it does not say)."""

    of: str
    name: str
    used: Series
    most: float
    waiting: Series | None


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of a dependency, as the service sees them.

    Attributes:
        at_once: how many were under way, on average since the reading before: the rate of the time of calls that are
            over (Little's law), or what was under way at that instant if no times are told.
        each_s: mean time of a call that is over; None if it is not told.
        limit: the most at once; None if it is not told.
    """

    of: str
    dependency: str
    at_once: Series
    each_s: Series | None
    limit: float | None


def metric_of(name: str) -> tuple[str, Mapping[str, str]]:
    """The name of a series as metric and labels: `shop_pool{what="used"}`."""
    match = _NAME.fullmatch(name)
    if match is None:
        return name, {}
    return match["name"], dict(_LABEL.findall(match["labels"] or ""))


def pools_of(resources: Resources) -> Iterator[Pool]:
    """The pools of which both what is in use and the most there may be are known."""
    found: dict[tuple[str, str], dict[str, Series]] = {}
    for series in resources.series:
        metric, labels = metric_of(series.name)
        for pattern, label, what in _POOLS:
            if pattern.fullmatch(metric) and _has(labels, label):
                name = next((labels[key] for key in _NAMED_BY if key in labels), "" if what is None else _stem(metric))
                found.setdefault((series.of, name), {})[what] = series
    for (of, name), parts in sorted(found.items()):
        used, most = parts.get(USED), _last(parts.get(MOST))
        if used is not None and (most or used.limit):
            yield Pool(of, name, used, float(most or used.limit or 0.0), parts.get(WAITING))


def calls_of(resources: Resources) -> Iterator[Calls]:
    """The dependencies whose calls are told."""
    found: dict[tuple[str, str], dict[str, Series]] = {}
    for series in resources.series:
        metric, labels = metric_of(series.name)
        match = re.fullmatch(r".*_dependency_(busy|seconds_sum|seconds_count|limit)", metric)
        if match is not None and "dependency" in labels:
            found.setdefault((series.of, labels["dependency"]), {})[match[1]] = series
    for (of, dependency), parts in sorted(found.items()):
        spent, count, busy = parts.get("seconds_sum"), parts.get("seconds_count"), parts.get("busy")
        at_once = spent if spent is not None else busy
        if at_once is not None:
            each_s = None if spent is None or count is None else _divided(spent, count)
            yield Calls(of, dependency, at_once, each_s, _last(parts.get("limit")))


def _has(labels: Mapping[str, str], wanted: str) -> bool:
    """Whether there is a label as wanted; `state=used` is also met by `db_client_connection_state="used"`."""
    if not wanted:
        return True
    key, _, value = wanted.partition("=")
    return any(value == has and (name == key or name.endswith(f"_{key}")) for name, has in labels.items())


def _stem(metric: str) -> str:
    """What pools of one process are told apart by, where no label does: the beginning of their metrics."""
    return re.sub(
        r"[._](count|usage|max|pending_requests|active|pending|in_use|max_open)([._]connections)?$", "", metric
    )


def _last(series: Series | None) -> float | None:
    return None if series is None or not len(series) else float(series.value[-1])


def _divided(spent: Series, count: Series) -> Series:
    """The mean time of a call, where there was one."""
    at_s, here, there = np.intersect1d(spent.at_s, count.at_s, return_indices=True)
    some = count.value[there] > 0
    each_s = spent.value[here][some] / count.value[there][some]
    return Series(spent.name, spent.of, spent.unit, at_s[some], each_s, None, spent.collector)
