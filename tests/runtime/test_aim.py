"""What a fault is about to be done to is compared with the part that the plan names."""

import pytest

from resilience.model import Place, Undo
from resilience.runtime.aim import missed

REDIS = Place(
    name="redis",
    host="127.0.0.1",
    port=6379,
    via_port=7001,
    proxy="redis",
    control="http://127.0.0.1:8474",
    wire="http://127.0.0.1:8475",
    wire_proxy="redis-wire",
)


def undo(**data):
    return Undo(kind="toxiproxy.down", data=data)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"anything": 1},
        {"part": "redis"},
        {"direct": ["127.0.0.1", 6379], "control": "http://127.0.0.1:8474", "proxy": "redis"},
        {"direct": ["127.0.0.1", 6379], "control": "http://127.0.0.1:8475", "proxy": "redis-wire"},
        {"part": "redis", "host": "127.0.0.1", "port": 6379},
        {"control": "http://127.0.0.1:8474"},
    ],
)
def test_nothing_speaks_against_what_is_done_to_the_part(data):
    """Names and addresses are those of the part, or the undo has none."""
    assert missed(REDIS, undo(**data)) == ""


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"part": "postgres"}, "its part is postgres, redis was expected"),
        ({"control": "http://127.0.0.1:8474", "proxy": "redis-2"}, "its proxy is http://127.0.0.1:8474 redis-2"),
        ({"control": "http://127.0.0.1:9999", "proxy": "redis"}, "its proxy is http://127.0.0.1:9999 redis"),
        ({"control": "http://127.0.0.1:8475", "proxy": "redis"}, "its proxy is http://127.0.0.1:8475 redis"),
        ({"direct": ["127.0.0.1", 6380]}, "its address is 127.0.0.1 6380, 127.0.0.1 6379 was expected"),
        ({"host": "127.0.0.2", "port": 6379}, "its address is 127.0.0.2 6379"),
    ],
)
def test_what_is_done_to_something_else_is_said(data, said):
    """Whatever the undo names is another: survived by anything."""
    assert said in missed(REDIS, undo(**data))
