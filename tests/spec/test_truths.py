"""Sources of truth, and the cache beside them, as a file declares them. Requirements E2, J4."""

import copy
import json

import pytest

from resilience.errors import SpecError
from resilience.model import CacheCopy, FunctionTruth, HttpTruth, RedisTruth
from resilience.spec.parse import parse
from tests.spec.changing import GOOD, OWN

QUERY = "SELECT id, body, position FROM orders WHERE id LIKE %(prefix)s"
STREAM = {"type": "stream", "key": "orders", "id": "id", "body": "body"}
HTTP = {"path": "/entries?prefix={prefix}&after={cursor}", "items": "entries", "next": "next"}
FUNCTION = {"module": "probes.shop", "name": "entries"}


def read(truth, **ledger):
    """The ledger of the good file with that truth."""
    data = copy.deepcopy(GOOD)
    own = data["extensions"][0]
    own["ledger"] = {"truth": truth, **ledger}
    return parse(json.dumps(data).encode(), "a.json", "/x").ledger


def test_each_source_is_read():
    """What stands in the file is what the model holds."""
    assert read({"part": "redis", "redis": STREAM}).truth.redis == RedisTruth(
        type="stream", key="orders", id="id", body="body"
    )
    assert read({"part": "service", "http": HTTP}).truth.http == HttpTruth(
        path=HTTP["path"], items="entries", next="next"
    )
    function = read({"function": {**FUNCTION, "arguments": {"table": "x"}, "timeout": "5s"}}).truth.function
    assert function == FunctionTruth(module="probes.shop", name="entries", arguments={"table": "x"}, timeout_s=5.0)
    truth = read({"part": "postgres", "query": QUERY, "again": "3s", "check_index": True}).truth
    assert (truth.again_s, truth.check_index) == (3.0, True)
    cache = {"part": "redis", "key": "order:{id}", "body": "body"}
    assert read({"part": "postgres", "query": QUERY}, cache=cache).cache == CacheCopy(
        part="redis", key="order:{id}", body="body"
    )


WRONG = [
    ({"part": "postgres"}, {}, "truth", "none of query, redis, http, function", "write query"),
    ({"part": "redis", "query": QUERY, "redis": STREAM}, {}, "truth", "query and redis are there", "query"),
    ({"redis": STREAM}, {}, "truth", "neither part nor dsn_env", "part: redis"),
    ({"http": HTTP}, {}, "truth", "neither part nor dsn_env", "part: service"),
    ({"function": FUNCTION, "part": "redis", "dsn_env": "X"}, {}, "truth", "both part and dsn_env", ""),
    ({"part": "redis", "redis": {**STREAM, "type": "set"}}, {}, "truth.redis.type", '"set" is not one of', "stream"),
    ({"part": "redis", "redis": {"type": "stream", "key": "x", "body": "b"}}, {}, "truth.redis.id", "missing", "id"),
    ({"part": "redis", "redis": {"type": "stream", "key": "x", "id": "b"}}, {}, "truth.redis.body", "missing", "body"),
    ({"part": "redis", "redis": {"type": "list", "key": "x", "id": "b"}}, {}, "truth.redis", "only one", "both"),
    ({"part": "redis", "redis": {"type": "hash", "key": "x"}}, {}, "ordered", "no order", "ordered: false"),
    (
        {"part": "redis", "redis": {"type": "keys", "key": "order:*"}},
        {"ordered": False},
        "truth.redis.key",
        "{id} 0 times",
        "order:{id}",
    ),
    (
        {"part": "redis", "redis": {"type": "hash", "key": "x", "id": "id"}},
        {"ordered": False},
        "truth.redis.id",
        "known without",
        "remove",
    ),
    (
        {"part": "redis", "redis": {**STREAM, "newest_first": True}},
        {},
        "truth.redis.newest_first",
        "about lists",
        "remove",
    ),
    ({"part": "service", "http": {**HTTP, "path": "/x?{run}{cursor}"}}, {}, "truth.http.path", "{run}", "{prefix}"),
    ({"part": "service", "http": {"path": "/x?{cursor}"}}, {}, "truth.http", "need each other", "both"),
    (
        {"part": "service", "http": {**HTTP, "path": "/{cursor}/{offset}"}},
        {},
        "truth.http.path",
        "both {cursor} and {offset}",
        "remove",
    ),
    (
        {"part": "service", "http": HTTP, "check_index": True},
        {},
        "truth.check_index",
        "no query",
        "remove",
    ),
    ({"function": {"module": "shop.truth", "name": "rows"}}, {}, "truth.function.module", "'shop.truth'", "allow"),
    ({"function": {"module": "probes.x", "name": "a.b"}}, {}, "truth.function.name", '"a.b"', "name"),
    (
        {"function": {**FUNCTION, "arguments": {"prefix": 1}}},
        {},
        "truth.function.arguments",
        "given by us",
        "other names",
    ),
    (
        {"part": "postgres", "query": QUERY},
        {"cache": {"key": "order:{id}"}},
        "cache",
        "neither part nor dsn_env",
        "part: redis",
    ),
    (
        {"part": "postgres", "query": QUERY},
        {"cache": {"part": "redis", "key": "order"}},
        "cache.key",
        "{id} 0 times",
        "order:{id}",
    ),
]


@pytest.mark.parametrize(("truth", "ledger", "where", "told", "hint"), WRONG, ids=lambda value: str(value)[:50])
def test_what_cannot_work_is_said(truth, ledger, where, told, hint):
    """One problem, at its place, with what was found and what to do."""
    with pytest.raises(SpecError) as caught:
        read(truth, **ledger)
    (problem,) = caught.value.problems
    assert problem.where == f"{OWN}.ledger.{where}"
    assert told in problem.message
    assert hint in problem.hint
