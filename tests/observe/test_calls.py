"""Counters of calls, asked of real servers."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from resilience.model import Dependency, Place
from resilience.observe.calls import (
    FAILURES,
    Count,
    MetricCalls,
    PostgresCalls,
    RedisCalls,
    added,
    commands,
    counter_of,
    counts_of,
)

METRICS = """\
# HELP shop_cache_total Uses of the cache
# TYPE shop_cache_total counter
shop_cache_total{result="hit"} 40.0
shop_cache_total{result="error",part="a\\"b"} 2.0
shop_cache_total{result="skipped"} 7.0
process_start_time_seconds 1.76e+09
shop_other_total 9.0 1700000000
# TYPE shop_quiet counter
"""


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ((("shop_cache_total", {}),), 49.0),
        ((("shop_cache_total", {"result": "hit"}), ("shop_cache_total", {"result": "error"})), 42.0),
        ((("shop_other_total", {}),), 9.0),
        ((("shop_cache_total", {"result": "unheard of"}),), 0.0),
        ((("shop_quiet_total", {}),), 0.0),
    ],
)
def test_counters_of_prometheus_are_added_up(wanted, expected):
    """Those with the labels that were asked for; a counter that is declared and did not count yet is 0."""
    if wanted[0][1] == {"result": "unheard of"}:
        assert added(METRICS, wanted) == Count(expected, "1.76e+09")
    else:
        assert added(METRICS, wanted).value == expected


def test_a_metric_that_is_not_there_is_not_nought():
    """A misspelt name must not read as nobody called."""
    with pytest.raises(ValueError, match="no metric shop_cash_total"):
        added(METRICS, (("shop_cash_total", {}),))


def test_commands_are_those_that_somebody_wanted_something_with():
    """Done or rejected; what observers and clients say about themselves is left out."""
    info = {
        "cmdstat_get": {"calls": 10, "rejected_calls": 2, "failed_calls": 1},
        "cmdstat_set": {"calls": 3},
        "cmdstat_info": {"calls": 99},
        "cmdstat_client|pause": {"calls": 5},
        "cmdstat_config|get": {"calls": 5},
        "run_id": "x",
    }
    assert commands(info) == 15


def place_of(server) -> Place:
    return Place(
        name="redis",
        host="127.0.0.1",
        port=server.port,
        via_port=server.port,
        protocol="redis",
        passfile=server.passfile,
    )


def test_redis_counts_what_it_was_sent(redis_server):
    """Requirement J1: commands and connections grow by exactly what others did; our own asking does not show."""
    place = place_of(redis_server)
    calls, taken = RedisCalls(place, "commands"), RedisCalls(place, "connections")
    first, connections = calls.read(), taken.read()
    assert calls.read() == first
    with redis_server.connect() as client:
        for _ in range(7):
            client.get("nothing")
        client.ping()
        assert calls.read() == Count(first.value + 7, first.epoch)
        assert taken.read().value == connections.value + 1
    calls.close()
    taken.close()


def test_what_does_not_answer_is_an_error_and_soon():
    """Nobody listens: one of the failures that the collector writes down, and the next try may succeed."""
    nobody = Place(name="redis", host="127.0.0.1", port=1, via_port=1, url="http://127.0.0.1:1")
    for counter in (RedisCalls(nobody, "commands"), MetricCalls(nobody.url, "/metrics", ("x_total",))):
        with pytest.raises(FAILURES):
            counter.read()
        counter.close()


def test_postgresql_counts_transactions(postgres):
    """Requirement J1: those of others within seconds of their end, and the few of its own readings."""
    place = Place(name="postgres", host="127.0.0.1", port=0, via_port=0, dsn=postgres.dsn, passfile=postgres.passfile)
    calls = PostgresCalls(place)
    before = calls.read()
    with postgres.connect() as session:
        for _ in range(20):
            session.execute("SELECT 1")
    found, own = calls.read(), 1
    deadline = time.monotonic() + 15
    while found.value < before.value + 20 and time.monotonic() < deadline:  # a session that has ended will say so
        time.sleep(0.1)
        found, own = calls.read(), own + 1
    assert found.epoch == before.epoch
    assert 20 <= found.value - before.value <= 30 + own
    calls.close()


def test_metrics_are_asked_for_by_http():
    """An answer other than 200 is no reading."""
    answers = [(200, METRICS), (503, "")]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, text = answers.pop(0)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        counter = counter_of(
            Dependency(name="x", part="service", metric=('shop_cache_total{result="hit"}',)),
            Place(name="service", host="127.0.0.1", port=1, via_port=1, url=url, protocol="http"),
        )
        assert counter.read() == Count(40.0, "1.76e+09")
        with pytest.raises(ValueError, match="503"):
            counter.read()
        server.shutdown()
        thread.join()


def test_who_is_asked_for_what():
    """By the protocol that is spoken there; a part that can tell nothing is refused."""
    assert counts_of(Dependency(name="x", part="redis"), Place(name="redis", host="", port=1, via_port=1)) == "commands"
    store = Place(name="store", host="", port=1, via_port=1, protocol="postgres")
    assert counts_of(Dependency(name="x", part="store"), store) == "transactions"
    with pytest.raises(ValueError, match="speaks no HTTP here"):
        counter_of(Dependency(name="x", part="worker"), Place(name="worker", host="", port=1, via_port=1))
    with pytest.raises(ValueError, match="is no metric"):
        MetricCalls("http://x", "/metrics", ("a b c",))
