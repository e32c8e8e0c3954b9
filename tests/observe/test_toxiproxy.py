"""Proxies and toxics, as toxiproxy's API says."""

import json

import pytest

from resilience.model import Place
from resilience.observe.toxiproxy import Toxiproxy
from tests.observe.answering import answering

PROXIES = {
    "redis": {"enabled": True, "toxics": [{"name": "resilience-ab12-upstream"}, {"name": "latency_downstream"}]},
    "postgres": {"enabled": False, "toxics": []},
}


def test_a_foreign_toxic_shows():
    """Ours are known by their names."""
    with answering({"/proxies": json.dumps(PROXIES)}) as (url, _):
        found = Toxiproxy(Place(name="toxiproxy", host="", port=0, via_port=0, control=url)).read()
    assert {one.name: one.value for one in found} == {
        "toxiproxy.proxies": 2,
        "toxiproxy.proxies.disabled": 1,
        "toxiproxy.toxics": 2,
        "toxiproxy.toxics.foreign": 1,
    }


def test_a_server_that_does_not_answer_well_is_an_error():
    """Not: there are no toxics."""
    with (
        answering({"/proxies": 500}) as (url, _),
        pytest.raises(ValueError, match="/proxies answered 500"),
    ):
        Toxiproxy(Place(name="toxiproxy", host="", port=0, via_port=0, control=url)).read()
