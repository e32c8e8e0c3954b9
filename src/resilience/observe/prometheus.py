"""A Prometheus server, asked in its own language for what it knows now."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from resilience.model import Json, PrometheusServer, Query
from resilience.model.resources import Reading, Unit
from resilience.observe.watcher import get_json

MOST = 50
"""So many series of one answer are taken."""


class Prometheus:
    """Asks one server.

    Args:
        server: where it is, and what is asked.
        token: a bearer token; empty for none.
    """

    collector = "prometheus"

    def __init__(self, server: PrometheusServer, token: str = "") -> None:
        self.of = urlsplit(server.url).netloc
        self._server, self._token = server, token

    def read(self) -> Sequence[Reading]:
        """The answers to all queries; a query without an answer gives no reading."""
        return [reading for query in self._server.queries for reading in self._ask(query)]

    def close(self) -> Mapping[str, Json]:
        """Nothing is open."""
        return {}

    def _ask(self, query: Query) -> Sequence[Reading]:
        path = f"/api/v1/query?query={quote(query.query, safe='')}"
        answer = get_json(self._server.url, path, token=self._token)
        if answer.get("status") != "success":
            raise ValueError(f"{query.name}: {answer.get('error', 'no answer')}")
        data = answer["data"]
        if data["resultType"] == "scalar":
            return [self._reading(query, {}, data["result"])]
        if data["resultType"] != "vector":
            raise ValueError(f"{query.name}: the answer is a {data['resultType']}, a vector or a scalar was expected")
        if len(data["result"]) > MOST:
            raise ValueError(f"{query.name}: {len(data['result'])} series, {MOST} at most are taken: aggregate them")
        return [self._reading(query, one["metric"], one["value"]) for one in data["result"]]

    def _reading(self, query: Query, labels: Mapping[str, str], value: Sequence[Any]) -> Reading:
        told = [text for name, text in sorted(labels.items()) if name != "__name__"]
        return Reading(query.name, ",".join(told) or self.of, Unit.COUNT, float(value[1]), query.limit)
