"""Regions reach the service each by a way of its own, late by its latency. Requirement L9."""

import contextlib
import http.client
import secrets
import statistics
import time

import pytest

from resilience.drill.matrix import Subject
from resilience.errors import EnvironmentNotReady
from resilience.faults import registry
from resilience.model import Place, Region
from resilience.stack import parts, regions
from resilience.stack.embedded import EmbeddedStack
from resilience.stack.loopback import Reservation
from resilience.stack.roster import Roster
from tests.faults.parts import eventually, held
from tests.stack.traces import HERE, plain_service

EU, US, HERE_TOO = (
    Region(name="eu", latency_s=0.04),
    Region(name="us", latency_s=0.15, jitter_s=0.02),
    Region(name="here"),
)


def answered_s(place: Place, times: int = 5) -> float:
    """The median time of a small answer on a kept connection, after the first."""
    _, _, address = place.url.rpartition("/")
    connection = http.client.HTTPConnection(address, timeout=2.0)
    took = []
    for _ in range(times + 1):
        began = time.monotonic()
        connection.request("GET", "/ready")
        assert connection.getresponse().read() is not None
        took.append(time.monotonic() - began)
    connection.close()
    return statistics.median(took[1:])


@pytest.fixture(scope="module")
def running():
    """One stack with three regions, two of them far away."""
    stack = EmbeddedStack(
        plain_service(), regions=(EU, US, HERE_TOO), tag=f"test-{secrets.token_hex(4)}", experiment_folder=HERE
    )
    stack.start()
    yield stack
    stack.stop()


@pytest.mark.stack
def test_every_answer_is_late_by_the_latency_of_its_region(running):
    """Each way has its own; the service itself has none, and a region without a latency has no way."""
    places = running.places()
    assert set(places) == {"postgres", "redis", "toxiproxy", "service", "service-eu", "service-us"}
    assert answered_s(places["service"]) < 0.03
    assert 0.04 <= answered_s(places["service-eu"]) < 0.1
    assert 0.13 <= answered_s(places["service-us"]) < 0.25


@pytest.mark.stack
@pytest.mark.parametrize(
    ("kind", "settings"),
    [("toxiproxy.down", {}), ("toxiproxy.latency", {"latency_ms": 200}), ("toxiproxy.timeout", {})],
)
def test_a_fault_on_one_way_leaves_the_others(running, kind: str, settings: dict):
    """It is seen on that way, is given back with the region's own latency in place, and nobody else notices."""
    places = running.places()
    spec = Subject(kind=kind, on="service-eu", settings=settings).spec(10.0)
    assert (registry.check(spec), registry.fits(spec, places["service-eu"])) == ((), ())
    with held(registry.build(spec, places["service-eu"])):
        assert answered_s(places["service"]) < 0.03
        assert 0.13 <= answered_s(places["service-us"]) < 0.25
    eventually(lambda: 0.04 <= answered_s(places["service-eu"]) < 0.1)


def test_the_names_and_ports_of_ways_are_known_beforehand():
    """One part and one port for each region with a latency; none for a stack without a service."""
    service = plain_service()
    assert parts.ways((EU, US, HERE_TOO)) == ("service-eu", "service-us")
    more = set(parts.ports(service, (), (), (EU, HERE_TOO))) - set(parts.ports(service, ()))
    assert more == {parts.via("service-eu")}
    assert set(parts.names(service, (), (), (EU,))) - set(parts.names(service, ())) == {"service-eu"}
    assert parts.names(None, (), (), (EU,)) == parts.names(None, ())


def test_a_toxiproxy_that_does_not_take_it_is_said(tmp_path):
    """Without its latency a region would be somewhere else: the stack does not start."""
    with contextlib.closing(Reservation(2)) as reserved:
        control, via = reserved.ports
        roster = Roster(tmp_path, tag="x", bugs="")
        roster.places["service"] = Place(name="service", host="127.0.0.1", port=1, via_port=1)
        with pytest.raises(EnvironmentNotReady, match="the latency of region 'eu' was not taken: no answer"):
            regions.lead((EU,), {"toxiproxy": control, parts.via("service-eu"): via}, roster)
    assert "service-eu" not in roster.places
