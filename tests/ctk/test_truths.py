"""Truths by other ways than SQL, end to end: on real stores, with errors planted in the run. Requirement J4."""

import json
from pathlib import Path

import psycopg
import pytest
import redis

from resilience.ctk.truths import secrets_of, source_of
from resilience.errors import RecordError
from resilience.model import FunctionTruth, HttpTruth, Place, RedisTruth, Truth
from resilience.observe.truth_function import FunctionReader
from resilience.observe.truth_http import HttpReader
from resilience.observe.truth_postgres import PostgresTruth
from resilience.observe.truth_redis import RedisReader
from resilience.spec.parse import parse
from tests.program import Program, Started, own_block, short
from tests.scene import Scene

PLACES = {
    "postgres": Place(name="postgres", host="127.0.0.1", port=1, via_port=2, dsn="host=127.0.0.1 port=1"),
    "redis": Place(name="redis", host="127.0.0.1", port=3, via_port=4),
    "service": Place(name="service", host="127.0.0.1", port=5, via_port=5, url="http://127.0.0.1:5"),
}
STREAM = RedisTruth(type="stream", key="entries", id="entry.id", body="entry.body")


@pytest.mark.parametrize(
    ("declared", "kind"),
    [
        (Truth(part="postgres", query="SELECT 1"), PostgresTruth),
        (Truth(part="redis", redis=STREAM), RedisReader),
        (Truth(part="service", http=HttpTruth(path="/")), HttpReader),
        (Truth(function=FunctionTruth(module="probes.shop", name="entries")), FunctionReader),
    ],
)
def test_each_way_has_its_reader(declared, kind):
    """What the file declares is what reads."""
    assert isinstance(source_of(declared, PLACES, "/"), kind)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (Truth(part="mysql", query="SELECT 1"), "no part 'mysql'; it has postgres, redis, service"),
        (Truth(part="redis", http=HttpTruth(path="/")), "'redis' has no HTTP address"),
        (Truth(dsn_env="NOWHERE_DSN", query="SELECT 1"), "NOWHERE_DSN is not set"),
        (Truth(part="service", http=HttpTruth(path="/", headers_env={"X": "NOWHERE_TOKEN"})), "NOWHERE_TOKEN"),
    ],
)
def test_what_is_not_there_is_said(declared, message):
    """A part or a variable that does not exist is an error with its name."""
    with pytest.raises(RecordError) as caught:
        source_of(declared, PLACES, "/")
    assert message in str(caught.value)


def test_secrets_of_addresses_are_known(monkeypatch):
    """Addresses, passwords in them as they are written and as they are meant, and headers appear in no artefact."""
    document = short()
    own = own_block(document)
    own["ledger"]["truth"] = {"dsn_env": "STORE_URL", "redis": {"type": "list", "key": "x"}}
    own["ledger"]["cache"] = {"dsn_env": "CACHE_URL", "key": "order:{id}"}
    experiment = parse(json.dumps(document).encode(), "a.json", "/")
    monkeypatch.setenv("STORE_URL", "redis://:p%40ssword@store/0")
    monkeypatch.setenv("CACHE_URL", "host=cache password=correct-horse")
    assert {"p%40ssword", "p@ssword", "correct-horse", "redis://:p%40ssword@store/0"} <= set(secrets_of(experiment))


def places_of(started: Started) -> dict[str, Place]:
    return dict(Scene.of(started).places)


def client_of(place: Place) -> "redis.Redis":
    """The store itself."""
    return redis.Redis(port=place.port, password=Path(place.passfile).read_text().strip(), decode_responses=True)


def verdict_of(program: Program) -> dict:
    return json.loads((program.runs / "latest" / "verdict.json").read_text())


@pytest.mark.slow
@pytest.mark.stack
@pytest.mark.timeout(240)
def test_truth_by_http_and_a_cache_beside_it(program: Program):
    """A row removed from the store and a copy changed in the cache, behind the service's back: exactly both are found.

    The truth is listed by the target; all else is as it should be, so the counts close.
    """
    document = short("redis-down")
    own = own_block(document)
    path = "/audit/orders?prefix={prefix}&after={cursor}"
    listing = {"path": path, "items": "orders", "next": "next", "position": "position", "facts": "store"}
    own["ledger"]["truth"] = {"part": "service", "http": listing, "again": "300ms", "settle": "300ms"}
    own["ledger"]["cache"] = {"part": "redis", "key": "order:{id}", "body": "body"}
    own["load"] |= {"rate": 80, "arrivals": "constant", "baseline": "9s"}
    own["load"]["operations"][2]["weight"] = 20
    own["objectives"] = ["rate<0.1 @ baseline"]  # what is judged here are writes
    started = program.run(document)
    started.until_event("phase", "after", within_s=90)
    places = places_of(started)
    with psycopg.connect(places["postgres"].dsn, passfile=places["postgres"].passfile, autocommit=True) as store:
        rows = store.execute("SELECT id FROM orders WHERE id ~ '^[0-9a-f]{8}-' ORDER BY position").fetchall()
        removed, changed = rows[3][0], rows[9][0]
        store.execute("DELETE FROM orders WHERE id = %s", (removed,))
    with client_of(places["redis"]) as cache:
        cache.delete(f"order:{removed}")
        cache.set(f"order:{changed}", json.dumps({"id": changed, "item": 1, "body": "another"}))
    done = started.done(90)
    verdict = verdict_of(program)
    assert done.code == 1, done.out + done.err
    assert [
        part["because"] for part in verdict["parts"] if part["answer"] == "unknown" and part["name"] == "writes"
    ] == []
    writes, cached = verdict["writes"], verdict["cache"]
    assert (writes["lost"], writes["verified"], writes["late_materialised"]) == (1, writes["acknowledged"] - 1, 0)
    assert writes["corrupted"] == writes["duplicated"] == writes["phantom"] == 0
    assert (cached["divergent"], cached["not_in_store"]) == (1, 0)
    assert cached["equal"] > 0
    parts = {part["name"]: part for part in verdict["parts"]}
    assert f"cache-divergent: {changed}" in parts["cache"]["evidence"]
    assert parts["writes"]["evidence"][1]["lost"] == removed
    assert "store = http" in parts["writes"]["evidence"]
    assert "fsync = on" in parts["writes"]["evidence"]


@pytest.mark.slow
@pytest.mark.stack
@pytest.mark.timeout(240)
def test_truth_in_a_stream(program: Program):
    """A service that stores in a stream in Redis and forgets each fortieth entry fails, with just that many lost."""
    forgets = 40
    document = short("redis-down")
    own = own_block(document)
    service = own["stack"]["service"]
    service["command"] = ["python", str(Path(__file__).parent / "streamer.py")]
    service["environment"] = {"FORGETS": str(forgets)}
    request = {"method": "POST", "path": "/entries", "json": {"id": "${write_id}", "body": "${write_body}"}}
    write = {"name": "write", "weight": 1, "role": "write", "critical": False, "request": request}
    write["expect"] = {"status": [201], "json": {"id": "${write_id}"}}
    own["load"] |= {"rate": 80, "arrivals": "constant", "baseline": "7s", "operations": [write]}
    own["objectives"] = ["rate<0.1 @ baseline"]
    stream = {"type": "stream", "key": "entries", "id": "entry.id", "body": "entry.body", "volatile": True}
    own["ledger"] = {"truth": {"part": "redis", "redis": stream, "settle": "200ms"}}
    done = program.run(document).done(120)
    verdict = verdict_of(program)
    writes, parts = verdict["writes"], {part["name"]: part for part in verdict["parts"]}
    assert done.code == 1, done.out + done.err
    assert parts["writes"]["answer"] == "fail"
    assert writes["acknowledged"] > 400
    assert writes["lost"] == writes["acknowledged"] - writes["verified"]
    forgotten = writes["acknowledged"] // forgets
    assert forgotten <= writes["lost"] <= (writes["attempted"] + 1) // forgets + 1
    assert writes["corrupted"] == writes["duplicated"] == writes["phantom"] == writes["out_of_order"] == 0
    assert "role = master" in parts["writes"]["evidence"]
