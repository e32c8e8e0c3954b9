"""Questions to a Prometheus server, answered by a small server as its API answers."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from resilience.model import PrometheusServer, Query
from resilience.observe.prometheus import Prometheus
from tests.observe.answering import answering


def answer(kind, result):
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}})


def server(url, **queries):
    return PrometheusServer(
        url=url, queries=tuple(Query(name=name, query=query, limit=5.0) for name, query in queries.items())
    )


def test_vectors_and_scalars_become_readings():
    """Each series of a vector is of its labels; the query is sent whole."""
    vector = [
        {"metric": {"__name__": "up", "job": "shop", "instance": "a"}, "value": [1.0, "3"]},
        {"metric": {"job": "shop", "instance": "b"}, "value": [1.0, "4.5"]},
    ]
    answers = {"up{a='b'} > 0": answer("vector", vector), "1": answer("scalar", [1.0, "7"])}
    reply = {"/api/v1/query": lambda path: answers[parse_qs(urlsplit(path).query)["query"][0]]}
    with answering(reply) as (url, _):
        found = Prometheus(server(url, up="up{a='b'} > 0", one="1")).read()
        place = urlsplit(url).netloc
    assert [(one.name, one.of, one.value, one.limit) for one in found] == [
        ("up", "a,shop", 3.0, 5.0),
        ("up", "b,shop", 4.5, 5.0),
        ("one", place, 7.0, 5.0),
    ]


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (json.dumps({"status": "error", "error": "parse error"}), "parse error"),
        (answer("matrix", []), "a matrix"),
        (answer("vector", [{"metric": {"i": str(i)}, "value": [1, "1"]} for i in range(51)]), "51 series"),
        (400, "answered 400"),
    ],
)
def test_what_cannot_be_taken_is_an_error(reply, why):
    """With its reason."""
    with answering({"/api/v1/query": reply}) as (url, _), pytest.raises(ValueError, match=why):
        Prometheus(server(url, up="up")).read()


def test_a_query_without_an_answer_gives_no_reading():
    """That nobody counts is not an error."""
    with answering({"/api/v1/query": answer("vector", [])}) as (url, _):
        assert Prometheus(server(url, up="up")).read() == []
