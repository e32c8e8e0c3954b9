"""What a process of ours does to a Redis server, measured as its clients see it; and that it ends with the process."""

import signal
import threading
import time

import pytest
import redis

from resilience.errors import FaultError
from resilience.faults import holder, registry
from resilience.faults.kinds import LEASE
from resilience.faults.redis_held import Hung
from resilience.faults.redis_server import Line
from resilience.host import processes
from resilience.model import FaultSpec, Identity, Undo
from tests.faults.parts import Parts, eventually, over_json
from tests.faults.test_redis import client, fresh, injected, made, settings_of, taken_back

pytestmark = pytest.mark.stack

__all__ = ["client"]  # a fixture

KINDS = ("redis.hung", "redis.slow", "redis.misses", "redis.max-clients")


def worst_ping_s(line: Line, for_s: float) -> float:
    """The longest that a PING took, of those begun in so long a time."""
    ends, worst = time.monotonic() + for_s, 0.0
    while time.monotonic() < ends:
        look = line.ask("PING", bound_s=5.0)
        assert look.said == b"+PONG"
        worst = max(worst, look.took_s)
    return worst


def test_hung_answers_nobody_without_a_gap(running: Parts):
    """Over several renewals of the pause not one of several clients gets an answer; then all do (Requirement F1)."""
    fault = made(running, "redis.hung")
    lines = [Line("127.0.0.1", running.place.port, "") for _ in range(5)]
    assert {line.ask("PING").said for line in lines} == {b"+PONG"}
    undo = injected(fault)
    for line in lines:
        line.ask("PING", bound_s=0.01)
    ends = time.monotonic() + 2.5
    while time.monotonic() < ends:
        assert {line.ask("PING", bound_s=0.02).seen for line in lines} == {"silent"}
    taken_back(registry.from_undo(undo), over_json(undo))
    assert {line.ask("PING").said for line in lines} == {b"+PONG"}
    for line in lines:
        line.close()


class Orphaned(Hung):
    """Its holder is gone before it is up, as one is that a revert has ended."""

    def _start(self, undo: Undo) -> Identity:
        started = super()._start(undo)
        processes.end([started], gently=signal.SIGKILL)
        return started


def test_a_pause_that_nobody_takes_over_is_taken_back_at_once(running: Parts):
    """It would lapse within a second; who gives back need not wait for that."""
    fault = Orphaned({LEASE: 30.0}, running.place)
    with Line("127.0.0.1", running.place.port, "") as line:
        assert line.ask("PING").said == b"+PONG"
        with pytest.raises(FaultError, match="has ended before it was up"):
            fault.inject(fault.prepare())
        assert line.ask("PING", bound_s=0.25).said == b"+PONG"


@pytest.mark.parametrize("kind", KINDS)
def test_ends_with_its_holder(running: Parts, kind: str):
    """Killed without a chance to tidy up, the holder takes the effect with it; then the revert has little to do."""
    fault = made(running, kind)
    undo = injected(fault)
    for identity in holder.holding(str(undo.data["holder"])):
        processes.send(identity, signal.SIGKILL)
    eventually(lambda: fault.active(undo) is False, 5.0)
    assert fresh(running).set("a", "b")
    fault.revert(undo)


def test_slow_makes_others_wait(running: Parts):
    """A PING waits for about the busy time, and no longer once it is over (Requirement F1)."""
    with Line("127.0.0.1", running.place.port, "") as line:
        fault = made(running, "redis.slow", busy_ms=200, interval_ms=300)
        undo = injected(fault)
        assert 0.15 <= worst_ping_s(line, 1.0) <= 0.5
        taken_back(fault, undo)
        assert worst_ping_s(line, 0.5) < 0.15


@pytest.mark.parametrize("how", ["flush", "expire"])
def test_misses_forgets_again_and_again(running: Parts, client: "redis.Redis", how: str):
    """What is written while it lasts is gone again; afterwards it stays (Requirement F1)."""
    fault = made(running, "redis.misses", interval_ms=50, how=how)
    undo = injected(fault)
    eventually(lambda: client.dbsize() == 0)
    for _ in range(3):
        client.set("written", "1")
        eventually(lambda: client.get("written") is None, 2.0)
    assert "misses since" in fault.proof
    taken_back(fault, undo)
    client.set("written", "1")
    time.sleep(0.2)
    assert client.get("written") == "1"


def test_max_clients_refuses_new_ones_only(running: Parts, client: "redis.Redis"):
    """New connections are refused, those that are open go on; a place that becomes free is taken (Requirement F1)."""
    with Line("127.0.0.1", running.place.port, "") as leaving:
        leaving.ask("PING")
        client.ping()
        before = client.config_get("maxclients")
        fault = made(running, "redis.max-clients")
        undo = injected(fault)
        assert client.ping()
        with pytest.raises(redis.ConnectionError):
            fresh(running).ping()
        leaving.close()
        eventually(lambda: fault.active(undo), 3.0)
    taken_back(registry.from_undo(undo), over_json(undo))
    assert client.config_get("maxclients") == before
    assert fresh(running).ping()


def test_max_clients_is_full_at_once_although_others_left_meanwhile(running: Parts, client: "redis.Redis"):
    """Connections there when the limit was worked out, and gone since, leave no place (Requirement F1)."""
    leaving = [Line("127.0.0.1", running.place.port, "") for _ in range(30)]
    assert {line.ask("PING").said for line in leaving} == {b"+PONG"}
    fault = made(running, "redis.max-clients")
    undo = fault.prepare()
    for line in leaving:
        line.close()
    eventually(lambda: len(client.client_list()) < 30)
    fault.inject(undo)
    try:
        with pytest.raises(redis.ConnectionError):
            fresh(running).ping()
    finally:
        taken_back(fault, undo)


def test_max_clients_goes_although_many_want_in(running: Parts, client: "redis.Redis"):
    """Clients that try again and again do not keep the undo out (Requirement F7)."""
    before = settings_of(client)
    fault = made(running, "redis.max-clients", connections=50)
    undo = injected(fault)
    done = threading.Event()
    lines: list[Line] = []

    def press() -> None:
        while not done.is_set() and len(lines) < 40:
            line = Line("127.0.0.1", running.place.port, "")
            if line.ask("PING").said == b"+PONG":
                lines.append(line)
            else:
                line.close()

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        taken_back(registry.from_undo(undo), over_json(undo))
    finally:
        done.set()
        for thread in threads:
            thread.join()
        for line in lines:
            line.close()
    assert settings_of(client) == before


def test_a_server_that_is_never_free_is_refused(running: Parts):
    """Busy for longer than the interval is another fault."""
    spec = FaultSpec(
        name="tried", kind="redis.slow", on="redis", duration_s=1.0, settings={"busy_ms": 300, "interval_ms": 300}
    )
    with pytest.raises(FaultError, match="more than 90 % of interval_ms 300"):
        registry.build(spec, running.place)
