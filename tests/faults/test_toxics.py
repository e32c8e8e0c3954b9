"""What faults of a link do when the link or the server is in trouble itself."""

import socket
import time
from dataclasses import replace

import pytest

from resilience.errors import FaultError
from resilience.faults import effects, registry
from resilience.faults.toxiproxy import Hung
from resilience.model import FaultSpec
from resilience.runtime.clock import MonotonicClock
from tests.faults.parts import Parts, eventually, fault_on, spec

pytestmark = pytest.mark.stack


def test_latency_is_really_that_long(running: Parts):
    """A client sees the latency, and both directions add up (Requirement F3)."""
    wanted = FaultSpec(
        name="slow", kind="toxiproxy.latency", on="redis", duration_s=1, settings={"latency_ms": 150, "stream": "both"}
    )
    fault = registry.build(wanted, running.place)
    undo = fault.prepare()
    fault.inject(undo)
    try:
        assert 0.3 <= running.through().took_s < 0.6
        assert fault.active(undo) is True
    finally:
        fault.revert(undo)
    assert fault.active(undo) is False


def test_down_closes_connections_that_exist(running: Parts):
    """A pooled client notices too, not only a new one."""
    fault = fault_on("toxiproxy.down", running.place)
    undo = fault.prepare()
    with socket.create_connection(("127.0.0.1", running.place.via_port), timeout=2) as pooled:
        pooled.sendall(b"PING\r\n")
        assert pooled.recv(64)
        fault.inject(undo)
        assert pooled.recv(64) == b""
    fault.revert(undo)
    assert fault.active(undo) is False


def test_timeout_reaches_connections_that_exist(running: Parts):
    """Bytes on a connection opened before the fault are swallowed, too."""
    fault = fault_on("toxiproxy.timeout", running.place)
    undo = fault.prepare()
    with socket.create_connection(("127.0.0.1", running.place.via_port), timeout=0.5) as pooled:
        pooled.sendall(b"PING\r\n")
        assert pooled.recv(64)
        fault.inject(undo)
        pooled.sendall(b"PING\r\n")
        with pytest.raises(TimeoutError):
            pooled.recv(64)
    fault.revert(undo)
    assert fault.active(undo) is False


def test_listed_without_effect_is_not_active(running: Parts):
    """The server's word is not enough: a toxic that is listed and not felt by clients is not called active."""
    fault = registry.build(
        FaultSpec(name="slow", kind="toxiproxy.latency", on="redis", duration_s=1, settings={"latency_ms": 400}),
        running.place,
    )
    undo = fault.prepare()
    weak = {"toxics": [{**undo.data["toxics"][0], "attributes": {"latency": 1, "jitter": 0}}]}
    fault.inject(replace(undo, data={**undo.data, **weak}))
    try:
        with pytest.raises(FaultError, match="cannot be told"):
            fault.active(undo)
    finally:
        fault.revert(undo)


def test_refuses_a_proxy_that_is_off(running: Parts):
    """What is down already cannot be taken down, nor be put back as it was by us."""
    running.server.enable("redis", enabled=False)
    try:
        with pytest.raises(FaultError, match="switched off already"):
            fault_on("toxiproxy.down", running.place).prepare()
    finally:
        running.server.enable("redis", enabled=True)


TOXICS = sorted(kind for kind in registry.KINDS if kind.startswith("toxiproxy.") and kind != "toxiproxy.down")


@pytest.mark.parametrize("kind", TOXICS)
def test_server_that_hangs_is_restarted(running: Parts, kind: str):
    """A client that does not read makes toxiproxy hang while a toxic changes; the link is given back all the same.

    Without a way to restart the server (one that somebody else operates) the revert says so and does not pretend.
    """
    with socket.create_connection((running.place.host, running.place.port)) as filling:
        size = 8_000_000
        filling.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$%d\r\n" % size + b"y" * size + b"\r\n")
        assert filling.recv(5) == b"+OK\r\n"
    before = running.recorded()
    fault = fault_on(kind, running.place)
    undo = fault.prepare()
    with socket.create_connection(("127.0.0.1", running.place.via_port)) as deaf:
        deaf.sendall(b"GET x\r\n" * 5)
        eventually(lambda: effects.ask((running.place.host, running.place.port), b"PING\r\n").said == b"+PONG\r\n")
        clock = MonotonicClock()
        clock.sleep_until(0.3)  # until the buffers are full
        with pytest.raises(Hung):
            fault.inject(undo)
        not_ours = replace(undo, data={**undo.data, "state": ""})
        with pytest.raises(Hung):
            fault.revert(not_ours)
        began = time.monotonic()
        with pytest.raises(FaultError, match="was restarted"):
            fault.revert(undo)
        fault.revert(undo)
        assert time.monotonic() - began < 2.0
    assert fault.active(undo) is False
    assert running.healthy()
    assert running.recorded() == before, "Redis itself was not touched"


def test_a_dead_server_holds_nothing(running: Parts):
    """A toxiproxy that is gone took its toxics along: nothing is left to put back, and nothing is active."""
    nowhere = replace(running.place, control="http://127.0.0.1:9")
    fault = fault_on("toxiproxy.latency", running.place)
    undo = fault.prepare()
    gone = replace(undo, data={**undo.data, "control": nowhere.control})
    fault.revert(gone)
    assert fault.active(gone) is False


def test_needs_a_proxy(running: Parts):
    """A part without a proxy is refused before anything is touched, saying what it lacks."""
    bare = replace(running.place, proxy="", control="")
    problems = registry.fits(spec("toxiproxy.down"), bare)
    assert [problem.where for problem in problems] == ["broken.on", "broken.on"]
    with pytest.raises(FaultError, match="proxy in front"):
        registry.build(spec("toxiproxy.down"), bare)
