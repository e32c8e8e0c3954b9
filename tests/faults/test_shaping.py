"""Packets that wait, measured by those who send and receive; the queue is not asked."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from resilience.errors import FaultError
from resilience.faults import registry, shaping
from resilience.host import commands
from resilience.model import FaultSpec
from tests.faults.echo import Echo, echo, says
from tests.faults.parts import eventually, held
from tests.faults.reasons import without_queue
from tests.faults.world import queue_of_loopback

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(bool(without_queue("htb")()), reason=f"needs a queue of the kernel: {without_queue('htb')()}"),
]


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    with queue_of_loopback():
        yield


def tc(*words: str) -> str:
    """Another administrator at work, or looking."""
    done = commands.run(["tc", *words], timeout_s=10.0)
    assert done.code == 0, done.err
    return done.out


def root_queue() -> str:
    queues = json.loads(tc("-json", "qdisc", "show", "dev", "lo"))
    return str(next(queue["kind"] for queue in queues if queue.get("root")))


def sends(server: Echo, size: int) -> float:
    """How long it takes until so many bytes have arrived and a short answer is back."""
    with server.connect(30.0) as connection:
        began = time.monotonic()
        connection.sendall(b"x" * size)
        while len(server.sizes) == 0 or sum(server.sizes) < size:
            assert time.monotonic() - began < 30.0
            time.sleep(0.002)
        server.sizes.clear()
        return time.monotonic() - began


def test_no_more_than_the_bandwidth():
    """400 kB at 1600 kbit/s take two seconds, a quarter up or down, and next to nothing without (Requirement F3)."""
    before = root_queue()
    with echo(silent=True) as server:
        free_s = sends(server, 400_000)
        with held(server.fault("network.bandwidth", kbit_per_s=1600)):
            slow_s = sends(server, 400_000)
            with echo() as other:
                began = time.monotonic()
                with other.connect() as connection:
                    assert says(connection, b"quick", 2.0) == b"quick"
                assert time.monotonic() - began < 0.5, "another port must not notice"
        after_s = sends(server, 400_000)
    assert slow_s == pytest.approx(2.0, rel=0.25)
    assert max(free_s, after_s) < 1.0
    assert root_queue() == before


def test_an_open_connection_is_slowed_down_too():
    """What was connected before waits as what comes later does."""
    with echo(silent=True) as server, server.connect(30.0) as old:
        old.sendall(b"x")
        with held(server.fault("network.bandwidth", kbit_per_s=800, direction="to")):
            began = time.monotonic()
            old.sendall(b"x" * 200_000)
            eventually(lambda: sum(server.sizes) >= 200_001, 20.0)
            took_s = time.monotonic() - began
    assert took_s == pytest.approx(2.0, rel=0.3)


def test_somebody_elses_queue_is_not_replaced():
    """A root queue that an administrator put there is left alone, and said."""
    tc("qdisc", "add", "dev", "lo", "root", "handle", "7:", "htb")
    try:
        with echo() as server, pytest.raises(FaultError, match="somebody put there"):
            server.fault("network.bandwidth").prepare()
        assert root_queue() == "htb"
    finally:
        tc("qdisc", "del", "dev", "lo", "root", "handle", "7:")


def test_ours_is_found_and_a_queue_that_is_gone_owes_nothing():
    """What is left is found by its handle; if somebody removed the queue, that is said, and the revert succeeds."""
    with echo() as server:
        fault = server.fault("network.bandwidth", kbit_per_s=500)
        undo = fault.prepare()
        fault.inject(undo)
        try:
            found = [sentence for sentence in shaping.leftovers() if str(undo.data["handle"]) in sentence]
            assert len(found) == 1
            assert str(undo.data["table"]) in found[0], "by which its debt is found"
            tc("qdisc", "del", "dev", "lo", "root")
            with pytest.raises(FaultError, match="queue is not"):
                fault.active(undo)
        finally:
            fault.revert(undo)
        assert fault.active(undo) is False
        assert shaping.leftovers() == ()


def test_what_no_kernel_queue_can_do_is_refused_with_another_way():
    """Without netem a delay is refused before anything is done, and the other way is named."""
    with echo() as server:
        spec = FaultSpec(name="tried", kind="network.delay", on="echo", duration_s=1.0)
        problems = registry.fits(spec, server.place())
        if shaping.has_queue("netem"):
            assert problems == ()
        else:
            assert "toxiproxy.latency" in problems[0].hint


@pytest.mark.skipif(bool(without_queue("netem")()), reason=f"needs netem: {without_queue('netem')()}")
def test_delays_each_direction():
    """100 ms in each direction make an exchange take 200 ms more, on a connection that was open before, too."""
    with echo() as server, server.connect() as old, held(server.fault("network.delay", delay_ms=100)):
        began = time.monotonic()
        assert says(old, b"word", 5.0) == b"word"
        assert time.monotonic() - began == pytest.approx(0.2, abs=0.08)


def test_jitter_is_bounded():
    """More jitter than half of the delay would make packets overtake: refused."""
    spec = FaultSpec(
        name="tried", kind="network.delay", on="echo", duration_s=1.0, settings={"delay_ms": 100, "jitter_ms": 60}
    )
    assert "more than half" in str(registry.check(spec)[0])
    assert registry.check(replace(spec, settings={"delay_ms": 100, "jitter_ms": 50})) == ()
