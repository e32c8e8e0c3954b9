"""Whether a client sends each operation once is tried, and one that tries again by itself is found."""

import socket
import time
from dataclasses import replace

import pytest

from resilience.load.classify import Broken, Reply
from resilience.load.http import Client
from resilience.load.kinds import KINDS, Http
from resilience.load.redis import Client as RedisClient
from resilience.load.redis import Redis
from resilience.load.selfcheck import self_check
from resilience.model import Job, Load, LoadOrder, Operation, Place, RedisCommand, Role, StreamedAnswer

READ = Operation(name="read", weight=1, path="/items/${key}")
READ_BACK = Operation(name="again", weight=1, path="/orders/${acked_id}", role=Role.READ_BACK)
PLACE = Operation(
    name="place",
    weight=1,
    method="POST",
    path="/orders",
    role=Role.WRITE,
    json={"id": "${write_id}", "body": "${write_body}", "item": "${key}"},
)
JOB = Operation(name="job", weight=1, method="POST", path="/jobs", job=Job(poll="/jobs/${job_id}"))
MODEL = Operation(name="model", weight=1, method="POST", path="/chat", json={"q": "x"}, stream=StreamedAnswer())
ASK = Operation(name="ask", weight=1, redis=RedisCommand(command=("GET", "x"), on="redis"))


def order(*operations, base_url="http://10.255.255.1:9"):
    load = Load(operations=operations, rate=1.0)
    return LoadOrder(run="0badcafe", seed=1, zero_ns=0, base_url=base_url, folder="", load=load, max_s=1)


def test_our_clients_send_once():
    """However the server fails, on new connections and kept ones, and whatever the kind; nobody else is asked."""
    began = time.monotonic()
    found = self_check(order(READ, READ_BACK, PLACE, JOB, MODEL, ASK))
    assert {name: (one["asked"], one["once"], one["again"]) for name, one in found.items()} == {
        "http": (18, 18, 0),
        "job": (6, 6, 0),
        "stream": (6, 6, 0),
        "redis": (6, 6, 0),
    }
    assert time.monotonic() - began < 10, "the load begins meanwhile, and may be short"


def test_no_part_of_the_stack_is_asked():
    """A model that is asked for its stream elsewhere may cost money, and would be asked for nothing."""
    with socket.create_server(("127.0.0.1", 0)) as provider:
        provider.settimeout(0)
        port = provider.getsockname()[1]
        place = Place(name="provider", host="127.0.0.1", port=port, via_port=port, url=f"http://127.0.0.1:{port}")
        stream = replace(MODEL, stream=StreamedAnswer(on="provider"))
        found = self_check(replace(order(stream), places={"provider": place}))
        with pytest.raises(BlockingIOError):
            provider.accept()
    assert (found["stream"]["asked"], found["stream"]["once"]) == (6, 6)


class Retries(Client):
    """Tries again what was broken off."""

    __slots__ = ()

    def call(self, request, timeout_s):
        """Once more."""
        happened = super().call(request, timeout_s)
        return super().call(request, timeout_s) if isinstance(happened, Broken) else happened


class Heeds(Client):
    """Tries again what was put off, where nobody waits for it."""

    __slots__ = ()

    def begin(self, request, timeout_s, job, done):
        """Once more."""

        def again(job, happened):
            if isinstance(happened, Reply) and happened.status == 503:
                super(Heeds, self).begin(request, timeout_s, job, done)
            else:
                done(job, happened)

        super().begin(request, timeout_s, job, again)


class RedisRetries(RedisClient):
    """Tries again whatever was answered."""

    __slots__ = ()

    def call(self, request, timeout_s):
        """Once more."""
        super().call(request, timeout_s)
        return super().call(request, timeout_s)


def with_caller(kind, caller):
    class Other(kind):
        def caller(self):
            return caller(self._address if kind is Http else self._servers)

    return Other


@pytest.mark.parametrize(
    ("operation", "changed", "again", "example"),
    [
        (
            READ,
            {"http": with_caller(Http, Retries)},
            2,
            "read, reset after the request, on a new connection: 2 requests",
        ),
        (READ, {"http": with_caller(Http, Heeds)}, 2, "read, put off, on a new connection: 2 requests"),
        (ASK, {"redis": with_caller(Redis, RedisRetries)}, 6, "ask, reset after the request, on a new connection"),
    ],
    ids=["what broke off", "what was put off", "redis"],
)
def test_a_client_that_tries_again_by_itself_is_found(operation, changed, again, example):
    """It hides failures, and does twice what was to be done once."""
    (found,) = self_check(order(operation), {**KINDS, **changed}).values()
    assert found["again"] == again
    assert found["once"] + found["again"] == found["asked"]
    assert example in found["examples"][0]


def test_where_there_is_no_server_nothing_is_claimed():
    """Over TLS the client takes another way, for which there is no server: no call is made, and none counts."""
    nothing = {"asked": 0, "once": 0, "again": 0, "examples": []}
    assert self_check(order(READ, base_url="https://10.255.255.1:9")) == {"http": nothing}
