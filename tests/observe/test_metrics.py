"""Metrics of a program, as series."""

import pytest

from resilience.model import Metrics, Taken
from resilience.model.resources import Unit
from resilience.observe.metrics import Endpoint, unit_of
from resilience.observe.watcher import Partly
from tests.observe.answering import answering

TEXT = """# TYPE pool_busy gauge
pool_busy{pool="a"} 3
pool_busy{pool="b"} 4
# TYPE pool_limit gauge
pool_limit{pool="a"} 10
# TYPE cpu_seconds_total counter
cpu_seconds_total 12.5
# TYPE errors_total counter
process_start_time_seconds 100
"""


def endpoint(*taken, **more):
    return Metrics(part="service", take=tuple(taken), **more)


def test_metrics_become_series():
    """Samples are added up, limits are read beside them, counters are told, tokens are sent."""
    asked = endpoint(
        Taken(name="pool.used", metric='pool_busy{pool="a"}', limit_metric="pool_limit"),
        Taken(name="pools", metric="pool_busy", limit=20),
        Taken(name="cpu", metric="cpu_seconds_total"),
        Taken(name="errors", metric="errors_total"),
    )
    with answering({"/metrics": TEXT}) as (url, requests):
        found = Endpoint(asked, url, "service", "a-token").read()
    assert [(one.name, one.of, one.value, one.limit, one.counter) for one in found] == [
        ("pool.used", "service", 3.0, 10.0, False),
        ("pools", "service", 7.0, 20, False),
        ("cpu", "service", 12.5, None, True),
        ("errors", "service", 0.0, None, True),
    ]
    assert found[2].unit is Unit.CORES
    assert requests[0][1]["Authorization"] == "Bearer a-token"


def test_a_metric_that_is_not_there_is_told_and_takes_nothing_from_the_others():
    """Its name and where it was looked for."""
    asked = endpoint(Taken(name="a", metric="pool_busy"), Taken(name="b", metric="pool_bussy"))
    with answering({"/metrics": TEXT}) as (url, _), pytest.raises(Partly, match="/metrics shows no pool_bussy") as told:
        Endpoint(asked, url, "service").read()
    assert [one.name for one in told.value.readings] == ["a"]


def test_a_limit_that_has_no_sample_is_told_and_not_taken_for_0():
    """A metric that is declared and has no value says nothing of the most that there may be."""
    taken = Taken(name="a", metric="pool_busy", limit_metric='pool_limit{pool="nobody"}')
    with answering({"/metrics": TEXT}) as (url, _), pytest.raises(Partly, match="no pool_limit") as told:
        Endpoint(endpoint(taken), url, "service").read()
    assert told.value.readings[0].limit is None


def test_a_program_that_was_started_again_counts_anew():
    """Prometheus' own instant of its start says so."""
    texts = iter([TEXT, TEXT, TEXT.replace("seconds 100", "seconds 200")])
    asked = endpoint(Taken(name="cpu", metric="cpu_seconds_total"))
    with answering({"/metrics": lambda _path: next(texts)}) as (url, _):
        watcher = Endpoint(asked, url, "service")
        assert [watcher.read()[0].anew for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize(
    ("name", "counter", "unit"),
    [
        ("heap_bytes", False, Unit.BYTES),
        ("sent_bytes_total", True, Unit.BYTES_PER_S),
        ("wait_seconds_sum", True, Unit.CORES),
        ("lag_seconds", False, Unit.SECONDS),
        ("hits_total", True, Unit.PER_S),
        ("hit_ratio", False, Unit.RATIO),
        ("busy", False, Unit.COUNT),
    ],
)
def test_units_are_told_by_names(name, counter, unit):
    """As Prometheus' conventions have them."""
    assert unit_of(name, counter=counter) is unit
