"""Faults of a provider, measured by real requests; and that they are given back."""

import json
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import pytest

from resilience.errors import FaultError
from resilience.faults import registry
from resilience.host import files, processes
from resilience.model import FaultSpec, Json, Undo
from resilience.ports import Fault
from tests.faults.parts import eventually, over_json
from tests.provider.server import Running, provider

pytestmark = pytest.mark.stack

KINDS: dict[str, dict[str, Json]] = {
    "provider.slow": {"latency_ms": 400},
    "provider.throttled": {"retry_after_s": 3},
    "provider.failing": {"status": "502"},
    "provider.stops": {"how": "hang"},
    "provider.nonsense": {"how": "schema"},
}
EACH = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with provider(tmp_path_factory.mktemp("provider")) as started:
        yield started


def made(running: Running, kind: str, duration_s: float = 30.0, **settings: Json) -> Fault:
    spec = FaultSpec(name="tried", kind=kind, on="provider", duration_s=duration_s, settings=settings or KINDS[kind])
    fault = registry.build(spec, running.place)
    assert isinstance(fault, Fault)
    return fault


def listed(running: Running) -> list[dict[str, Any]]:
    return json.loads(running.ask("GET", "/-/faults", token=running.token)[2])["faults"]


def well(running: Running) -> bool:
    """Whether a client gets a good answer, quickly, and nothing of ours is set."""
    began = time.monotonic()
    status, _, body = running.say()
    return (
        status == 200 and bool(json.loads(body)["choices"]) and time.monotonic() - began < 0.3 and not listed(running)
    )


@EACH
def test_comes_and_goes(running: Running, kind: str):
    """Absent, injected, met by requests, reverted by another process, absent; twice (Requirement F5, F7)."""
    for _ in range(2):
        fault = made(running, kind)
        undo = fault.prepare()
        assert listed(running) == []
        assert fault.active(undo) is False
        fault.revert(undo)
        fault.inject(undo)
        eventually(lambda fault=fault, undo=undo: fault.active(undo), 2.0)
        assert "request" in fault.proof
        other, read = registry.from_undo(undo), over_json(undo)
        assert other.active(read) is True
        other.revert(read)
        eventually(lambda other=other, read=read: other.active(read) is False)
        other.revert(read)
        assert well(running)


def test_slow_is_late_by_that_much(running: Running):
    """400 ms of latency add 400 ms."""
    fault = made(running, "provider.slow", latency_ms=400)
    undo = fault.prepare()
    began = time.monotonic()
    running.say()
    usual_s = time.monotonic() - began
    fault.inject(undo)
    began = time.monotonic()
    running.say()
    took_s = time.monotonic() - began
    fault.revert(undo)
    assert 0.35 <= took_s - usual_s <= 0.7


@pytest.mark.parametrize("percent", [20, 60])
def test_a_share_is_throttled(running: Running, percent: int):
    """Of 300 requests its share is answered with 429, give or take 8 %."""
    fault = made(running, "provider.throttled", percent=percent)
    undo = fault.prepare()
    fault.inject(undo)
    eventually(lambda: fault.active(undo), 3.0)
    found = sum(running.ask("GET", "/v1/models")[0] == 429 for _ in range(300))
    fault.revert(undo)
    assert abs(found / 3 - percent) <= 8
    assert well(running)


def test_two_leases_do_not_clash(running: Running):
    """A second fault is refused while the first makes answers useless; somebody else's is left alone."""
    fault = made(running, "provider.failing", percent=100)
    undo = fault.prepare()
    fault.inject(undo)
    eventually(lambda: fault.active(undo), 2.0)
    with pytest.raises(FaultError, match="is a fault there already"):
        made(running, "provider.nonsense").prepare()
    running.put("theirs", "failing", status="500")
    fault.revert(undo)
    assert fault.active(undo) is False
    assert "but has ['failing']" in fault.proof
    assert [one["name"] for one in listed(running)] == ["theirs"]
    running.remove("theirs")
    assert well(running)


def test_it_ends_by_itself(running: Running):
    """With nobody left to revert it, the server ends it: there is a time in what it was told (Requirement F7)."""
    fault = made(running, "provider.failing")
    undo = fault.prepare()
    short = Undo(kind=undo.kind, data={**undo.data, "ttl_s": 0.5})
    fault.inject(short)
    assert fault.active(short) is True
    eventually(lambda: fault.active(short) is False, 5.0)
    assert well(running)
    assert undo.data["ttl_s"] == 30.0 + registry.LEASE_MARGIN_S


def test_a_provider_that_ended_is_owed_nothing(running: Running, tmp_path):
    """Its faults were in its memory alone; while it runs and cannot be reached, the revert is tried again."""
    with provider(tmp_path) as other:
        state = tmp_path / "stack.json"
        files.write_json(state, {"places": {"provider": asdict(other.place)}})
        here = Running(replace(other.place, state=str(state)))
        fault = made(here, "provider.failing")
        undo = fault.prepare()
        fault.inject(undo)
        with pytest.raises(FaultError, match=r"127\.0\.0\.1:1"):
            fault.revert(Undo(kind=undo.kind, data={**undo.data, "port": 1}))
        processes.send(other.place.identity, signal.SIGKILL)
        processes.wait_gone([other.place.identity], 2.0)
        fault.revert(undo)
        assert fault.active(undo) is False
    assert well(running)


def test_preflight_says_what_is_missing(running: Running, tmp_path):
    """A part that is no stand-in, or whose token is wrong, is refused before anything is touched."""
    spec = FaultSpec(name="tried", kind="provider.failing", on="provider", duration_s=1.0)
    (problem,) = registry.fits(spec, replace(running.place, passfile=""))
    assert "the token of a provider stand-in" in str(problem)
    (tmp_path / "token").write_text("wrong")
    (problem,) = registry.fits(spec, replace(running.place, passfile=str(tmp_path / "token")))
    assert "answered 401" in str(problem)
    (problem,) = registry.fits(spec, replace(running.place, port=1))
    assert "python -m resilience.provider" in str(problem)
