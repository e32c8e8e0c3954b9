"""How often a dependency was called, as it says itself: asked directly, not by the way on which faults meet its users.

Each counter keeps one connection, tries nothing twice and waits for no answer longer than `BOUND_S`.
"""

import http.client
from collections.abc import Mapping
from contextlib import closing, suppress
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import psycopg
import redis

from resilience.host.network import cut_off
from resilience.model import Dependency, Place
from resilience.observe.connections import BOUND_S, to_postgres, to_redis
from resilience.observe.exposition import Selector, matches, samples_of, selector

NAME = "resilience-calls"
MOST = 4_000_000
"""So many bytes of metrics are read."""

KEEPING = frozenset(
    {"auth", "client", "command", "config", "debug", "hello", "info", "latency", "ping", "quit", "select", "slowlog"}
    | {"xinfo"}
)
"""Commands of Redis that clients and observers send about themselves; they are nobody's attempt to get something."""

FAILURES = (OSError, redis.RedisError, psycopg.Error, http.client.HTTPException, ValueError, KeyError)


class Count(NamedTuple):
    """A counter's value, and what it has been counting since: another epoch is another count."""

    value: float
    epoch: str


class Counter(Protocol):
    """Reads one dependency. `read` raises one of `FAILURES` if it cannot."""

    def read(self) -> Count:
        """How often it has been called so far."""

    def close(self) -> None:
        """Close the connection; never raises."""


def counter_of(dependency: Dependency, place: Place) -> Counter:
    """What reads a dependency.

    Raises:
        ValueError: such a part cannot be asked for that.
    """
    counts = counts_of(dependency, place)
    if counts in {"commands", "connections"}:
        return RedisCalls(place, counts)
    if counts == "transactions":
        return PostgresCalls(place)
    if not dependency.metric or not place.url:
        raise ValueError(f"{dependency.name}: {place.name} speaks no HTTP here, or no metric is named")
    return MetricCalls(place.url, dependency.path, dependency.metric)


def counts_of(dependency: Dependency, place: Place) -> str:
    """What is counted of a part, if the file does not say otherwise."""
    usual = {"redis": "commands", "postgres": "transactions"}.get(place.protocol or place.name, "metric")
    return dependency.counts or ("metric" if dependency.metric else usual)


class RedisCalls:
    """Commands that Redis was sent (`INFO commandstats`: done or rejected), or connections that it took."""

    def __init__(self, place: Place, counts: str) -> None:
        self._place, self._counts = place, counts
        self._client: Any = None

    def read(self) -> Count:
        """Ask it."""
        try:
            info = self._connected().info("everything" if self._counts == "commands" else "default")
        except FAILURES:
            self.close()
            raise
        epoch = str(info["run_id"])
        if self._counts == "connections":
            return Count(float(info["total_connections_received"]), epoch)
        return Count(float(commands(info)), epoch)

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            with suppress(*FAILURES):
                self._client.close()
            self._client = None

    def _connected(self) -> Any:  # noqa: ANN401 - redis-py types answers loosely
        if self._client is None:
            self._client = to_redis(self._place, NAME)
        return self._client


def commands(info: Mapping[str, Any]) -> int:
    """Commands that were done or rejected, without those that are nobody's attempt to get something."""
    found = 0
    for name, figures in info.items():
        command = name.removeprefix("cmdstat_").partition("|")[0]
        if name.startswith("cmdstat_") and command not in KEEPING:
            found += int(figures["calls"]) + int(figures.get("rejected_calls", 0))
    return found


class PostgresCalls:
    """Transactions that ended in the database (`pg_stat_database`), the one of each reading among them.

    A session of PostgreSQL says what it did when it is idle, at most once a second, and at the latest after ten. So
    our own are not taken off: what is taken off before the server counts it makes the count go back.
    """

    _SQL = """
        SELECT xact_commit + xact_rollback, coalesce(stats_reset::text, '') || ' ' || pg_postmaster_start_time()::text
        FROM pg_stat_database WHERE datname = current_database()
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._session: psycopg.Connection[tuple[Any, ...]] | None = None

    def read(self) -> Count:
        """Ask it."""
        try:
            session = self._connected()
            with cut_off(session.fileno(), BOUND_S):
                row = session.execute(self._SQL).fetchone()
        except FAILURES:
            self.close()
            raise
        if row is None:
            raise ValueError("pg_stat_database does not have this database")
        return Count(float(row[0]), str(row[1]))

    def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            with suppress(*FAILURES):
                self._session.close()
            self._session = None

    def _connected(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._session is None:
            self._session = to_postgres(self._place, NAME)
        return self._session


_STARTED = "process_start_time_seconds"


class MetricCalls:
    """Counters that a program shows to Prometheus, added up."""

    def __init__(self, url: str, path: str, metrics: tuple[str, ...]) -> None:
        self._host, self._path = urlsplit(url).netloc, path
        self._wanted = tuple(selector(text) for text in metrics)

    def read(self) -> Count:
        """Ask for all metrics."""
        connection = http.client.HTTPConnection(self._host, timeout=BOUND_S)
        with closing(connection):
            connection.request("GET", self._path)
            answer = connection.getresponse()
            body = answer.read(MOST)
        if answer.status != http.client.OK:
            raise ValueError(f"{self._path} answered {answer.status}")
        return added(body.decode(), self._wanted)

    def close(self) -> None:
        """There is no connection to close."""


def added(text: str, wanted: tuple[Selector, ...]) -> Count:
    """The sum of the wanted counters in Prometheus' text format; one that did not count yet may be missing.

    Raises:
        ValueError: none of the names is there.
    """
    total, epoch, known = 0.0, "", False
    names = {name for name, _ in wanted}
    for sample in samples_of(text):
        if sample.kind:
            known = known or sample.name in names | {name.removesuffix("_total") for name in names}
        elif sample.name == _STARTED:
            epoch = sample.text
        if not sample.kind and any(matches(sample, one) for one in wanted):
            total, known = total + sample.value, True
    if not known:
        raise ValueError(f"there is no metric {' or '.join(sorted(names))}")
    return Count(total, epoch)
