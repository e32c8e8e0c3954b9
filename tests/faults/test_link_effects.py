"""How strong the effect of each toxic is, as a client that knows nothing of it measures it; and what `active` says."""

import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest

from resilience.errors import FaultError
from resilience.faults import effects, lines, registry
from resilience.faults.lines import Speech
from resilience.faults.toxic import at_least
from resilience.faults.toxiproxy import Toxic
from resilience.model import FaultSpec, Place, Undo
from resilience.ports import Fault
from tests.faults.parts import Parts, eventually
from tests.faults.world import World

pytestmark = pytest.mark.stack

PING = b"PING\r\n"


def built(place: Place, what: str, **settings) -> Fault:
    wanted = FaultSpec(name="bent", kind=f"toxiproxy.{what}", on=place.name, duration_s=5, settings=settings)
    fault = registry.build(wanted, place)
    assert isinstance(fault, Fault)
    return fault


@contextmanager
def held(place: Place, what: str, **settings) -> Iterator[tuple[Fault, Undo]]:
    """The fault in place and seen, and seen gone in the end."""
    fault = built(place, what, **settings)
    undo = fault.prepare()
    assert fault.active(undo) is False
    fault.inject(undo)
    try:
        eventually(lambda: fault.active(undo), 3.0)
        yield fault, undo
    finally:
        eventually(lambda: fault.revert(undo) is None and fault.active(undo) is False)


def echo(place: Place, size: int, bound_s: float = 10.0) -> effects.Look:
    """Something long there and back, through the proxy."""
    return lines.ask(Speech(PING, "redis"), ("127.0.0.1", place.via_port), size, bound_s)


def pooled(place: Place) -> socket.socket:
    """A connection as a pool has it: it has been used."""
    connection = socket.create_connection(("127.0.0.1", place.via_port), timeout=5)
    connection.sendall(PING)
    assert connection.recv(64)
    return connection


def exchange_s(connection: socket.socket) -> float:
    began = time.monotonic()
    connection.sendall(PING)
    assert connection.recv(64)
    return time.monotonic() - began


def test_latency_adds_what_it_says(running: Parts):
    """200 ms add 200 ms, on a connection that was open before and on a new one (Requirement F3)."""
    with pooled(running.place) as before:
        plain = statistics.median(exchange_s(before) for _ in range(5))
        with held(running.place, "latency", latency_ms=200) as (fault, _):
            added = statistics.median(exchange_s(before) for _ in range(5)) - plain
            assert 0.195 <= added < 0.26
            assert 0.195 <= running.through().took_s < 0.3
            assert "a new connection was" in fault.proof
            assert "one opened before was" in fault.proof


def test_jitter_spreads(running: Parts):
    """100 ms give or take 80 spread over most of 20 to 180 ms, around 100 (Requirement F3)."""
    with held(running.place, "latency", latency_ms=100, jitter_ms=80), pooled(running.place) as client:
        times = [exchange_s(client) for _ in range(40)]
    assert min(times) >= 0.018
    assert min(times) < 0.07
    assert 0.13 < max(times) < 0.25
    assert 0.075 < statistics.mean(times) < 0.135


@pytest.mark.parametrize("stream", ["downstream", "upstream"])
def test_bandwidth_is_that_rate(running: Parts, stream: str):
    """200 kB at 200 kB per second take a second, give or take 15 %; nothing else is as slow (Requirement F3)."""
    plain = echo(running.place, 200_000)
    assert plain.seen is effects.Seen.ANSWERED
    with held(running.place, "bandwidth", rate_kb_per_s=200, stream=stream):
        slow = echo(running.place, 200_000)
    assert slow.received > 200_000
    assert 200_000 / (slow.took_s - plain.took_s) == pytest.approx(200_000, rel=0.15)


def test_limit_data_is_exact(running: Parts):
    """A new connection ends after exactly so many bytes; one from before after so many more (Requirement F3)."""
    with pooled(running.place) as before, held(running.place, "limit-data", bytes=5_000):
        cut = echo(running.place, 50_000)
        assert (cut.seen, cut.received) == (effects.Seen.CLOSED, 5_000)
        assert echo(running.place, 1_000).seen is effects.Seen.ANSWERED
        before.sendall(b"*2\r\n$4\r\nECHO\r\n$9000\r\n" + b"y" * 9_000 + b"\r\n")
        got = 0
        while piece := before.recv(65_536):
            got += len(piece)
        assert got == 5_000


def test_slicer_cuts_in_pieces(running: Parts):
    """What went in one piece comes in many small ones, 10 ms apart (Requirement F3)."""
    assert echo(running.place, 640).reads <= 2
    with held(running.place, "slicer", average_bytes=64, variation_bytes=16, delay_us=10_000):
        sliced = echo(running.place, 640)
    assert 7 <= sliced.reads <= 21, "pieces have 48 to 80 bytes, and may be halved once more"
    assert sliced.took_s >= 0.07


@pytest.mark.parametrize("stream", ["downstream", "upstream"])
def test_slow_close_puts_the_end_off(running: Parts, stream: str):
    """The end of a connection comes 300 ms late, also of one that was open before (Requirement F3)."""
    speech, through = Speech(PING, "redis"), ("127.0.0.1", running.place.via_port)
    assert lines.leave(speech, through, 1.0).took_s < 0.15
    with pooled(running.place) as before, held(running.place, "slow-close", delay_ms=300, stream=stream):
        began = time.monotonic()
        before.shutdown(socket.SHUT_WR)
        assert before.recv(64) == b""
        assert 0.29 <= time.monotonic() - began < 0.6
        left = lines.leave(speech, through, 2.0)
        assert left.seen is effects.Seen.CLOSED
        assert 0.29 <= left.took_s < 0.6
        assert running.through().took_s < 0.15, "what is not ended is as quick as ever"


def test_reset_is_a_reset(running: Parts):
    """A new connection is reset, not only closed; one from before ends (Requirement F3)."""
    with pooled(running.place) as before, held(running.place, "reset"):
        with socket.create_connection(("127.0.0.1", running.place.via_port), timeout=2) as client:
            client.sendall(PING)
            with pytest.raises(ConnectionResetError):
                client.recv(64)
        before.sendall(PING)
        with suppress(ConnectionResetError):  # an end, too
            assert before.recv(64) == b""


@pytest.mark.parametrize("what", ["timeout", "latency"])
def test_toxicity_acts_on_that_share_of_connections(running: Parts, what: str):
    """At 50 % about half of the connections are bent, each for good; the proof says so, and the plan warns of it."""
    settings = {"toxicity_percent": 50} | ({"latency_ms": 100} if what == "latency" else {})
    wanted = FaultSpec(name="bent", kind=f"toxiproxy.{what}", on="redis", duration_s=5, settings=settings)
    assert "draws once per connection" in registry.mechanism(wanted, running.place)
    with held(running.place, what, **settings) as (fault, undo):
        assert "of 16 new connections" in fault.proof
        bent = sum(running.through(0.08).seen is effects.Seen.SILENT for _ in range(40))
        assert at_least(bent, 40, 0.5) > 1e-6
        assert at_least(40 - bent, 40, 0.5) > 1e-6
        more = replace(undo, data={**undo.data, "toxicity_percent": 5})
        with pytest.raises(FaultError, match="more than chance allows"):
            [fault.active(more) for _ in range(50)]  # it may be few now and then


def test_all_of_one_link_at_once(running: Parts):
    """Two toxics of ours on one proxy add up, each is seen beside the other, each goes by itself (Requirement F3)."""
    with (
        held(running.place, "latency", latency_ms=150) as (slow, undo),
        held(running.place, "bandwidth", rate_kb_per_s=50),
    ):
        took_s = echo(running.place, 10_000).took_s
        assert 0.34 <= took_s < 0.6
        assert slow.active(undo) is True
        assert "besides 1 other toxics" in slow.proof
    assert running.healthy()


def test_somebody_elses_effect_is_not_taken_for_ours(running: Parts):
    """Their 400 ms do not make our 300 ms seen; ours listed without effect cannot be told, nor what a timeout hides."""
    theirs = Toxic("somebody", "latency", "downstream", 1.0, {"latency": 400, "jitter": 0})
    fault = built(running.place, "latency", latency_ms=300)
    undo = fault.prepare()
    weak = {"toxics": [{**undo.data["toxics"][0], "attributes": {"latency": 1, "jitter": 0}}]}
    fault.inject(replace(undo, data={**undo.data, **weak}))
    running.server.add_toxic("redis", theirs)
    try:
        with pytest.raises(FaultError, match="cannot be told whether"):
            fault.active(undo)
        running.server.add_toxic("redis", Toxic("hole", "timeout", "upstream", 1.0, {"timeout": 0}))
        with pytest.raises(FaultError, match=r"cannot be told apart from what else is there: .*hole"):
            fault.active(undo)
        fault.revert(undo)
        assert fault.active(undo) is False
    finally:
        for name in ("somebody", "hole"):
            running.server.remove_toxic("redis", name)
        fault.revert(undo)
    assert running.healthy()


def test_new_connections_alone_are_not_enough(running: Parts):
    """A fault that a connection from before does not feel is not called active: pooled clients would not meet it."""
    fault = built(running.place, "latency", latency_ms=200)
    undo = fault.prepare()
    fault.inject(undo)
    try:
        eventually(lambda: fault.active(undo))
        direct = (running.place.host, running.place.port)
        fault._kept = [lines.open_line(Speech(PING, "redis"), direct, echo=False)]
        with pytest.raises(FaultError, match="new connections alone are bent"):
            fault.active(undo)
        fault._let_go()
    finally:
        fault.revert(undo)


@pytest.mark.parametrize("other", ["latency", "slow-close"])
def test_slow_close_is_not_mixed(running: Parts, other: str):
    """Toxiproxy can end if toxics change while a connection waits for its end: refused before anything is touched."""
    with held(running.place, "slow-close", delay_ms=100), pytest.raises(FaultError, match="can end toxiproxy"):
        built(running.place, other).prepare()
    with held(running.place, "latency", latency_ms=50), pytest.raises(FaultError, match="can end toxiproxy"):
        built(running.place, "slow-close").prepare()


def test_what_is_long_needs_an_echo(running: Parts):
    """A part that cannot send back something long is refused in preflight; one that wants a password, in prepare."""
    wanted = FaultSpec(name="bent", kind="toxiproxy.bandwidth", on="redis", duration_s=5)
    (problem,) = registry.fits(wanted, replace(running.place, protocol="http", ready="/"))
    assert "Redis, PostgreSQL" in problem.message
    direct = (running.place.host, running.place.port)
    with socket.create_connection(direct) as client:
        client.sendall(b"CONFIG SET requirepass secret\r\n")
        assert client.recv(64) == b"+OK\r\n"
        try:
            with pytest.raises(FaultError, match=r"does not come back.*NOAUTH"):
                built(running.place, "bandwidth").prepare()
        finally:
            client.sendall(b"AUTH secret\r\n")
            assert client.recv(64) == b"+OK\r\n"
            client.sendall(b'CONFIG SET requirepass ""\r\n')
            assert client.recv(64) == b"+OK\r\n"


@pytest.mark.parametrize(
    ("what", "settings"),
    [
        ("latency", {"latency_ms": 200}),
        ("timeout", {}),
        ("reset", {}),
        ("down", {}),
        ("bandwidth", {"rate_kb_per_s": 100}),
        ("slicer", {}),
        ("slow-close", {"delay_ms": 200}),
        ("limit-data", {"bytes": 5_000}),
    ],
)
def test_postgres_is_looked_at_too(whole: World, what: str, settings: dict):
    """Each is seen on PostgreSQL, on a new connection and on one opened before, and is gone after (Requirement F7)."""
    with held(whole.place("postgres"), what, **settings) as (fault, _):
        assert "opened before was" in fault.proof


def test_an_answer_that_came_late_is_not_that_of_the_next_question(running: Parts):
    """A kept connection waits for the answer that it is owed before it asks again."""
    line = lines.open_line(Speech(PING, "redis"), ("127.0.0.1", running.place.via_port), echo=False)
    theirs = Toxic("somebody", "latency", "downstream", 1.0, {"latency": 200, "jitter": 0})
    running.server.add_toxic("redis", theirs)
    try:
        assert line.ask(0, 0.05).seen is effects.Seen.SILENT
        late = line.ask(0, 1.0)
        assert late.seen is effects.Seen.ANSWERED
        assert late.took_s >= 0.19, "its own time, and not what was left of the one before"
    finally:
        line.close()
        running.server.remove_toxic("redis", "somebody")


def test_how_likely():
    """At least so many hits: all of them, the binomial tail, none."""
    assert at_least(0, 5, 0.3) == pytest.approx(1.0)
    assert at_least(5, 5, 0.3) == pytest.approx(0.3**5)
    assert at_least(2, 3, 0.5) == pytest.approx(0.5)
