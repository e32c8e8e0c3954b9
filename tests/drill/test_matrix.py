"""The kill matrix on real parts: it finds what is left, and says so."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from resilience.drill import found
from resilience.drill.matrix import Matrix, Subject
from resilience.errors import EnvironmentNotReady
from resilience.faults import registry
from resilience.model import FaultSpec
from tests.faults.world import World, world

pytestmark = pytest.mark.stack

LATENCY = Subject(kind="toxiproxy.latency", on="redis", settings={"latency_ms": 400})


@pytest.fixture(scope="module")
def whole() -> Iterator[World]:
    with world() as started:
        yield started


@pytest.fixture
def matrix(whole: World) -> Matrix:
    return Matrix(whole.stack.places, whole.stack.folder / "stack.json")


@pytest.mark.parametrize("signal", ["INT", "HUP", "KILL"])
def test_a_fault_that_is_given_back_passes(matrix: Matrix, signal: str):
    """Struck while it holds, or just before: the target is as found within seconds (Requirement F7)."""
    cells = matrix.run(LATENCY, moments=["inject", "holding"], signals=[signal])
    assert [cell.passed for cell in cells] == [True, True], cells


def test_a_stopped_runner_loses_its_lease(matrix: Matrix):
    """SIGSTOP: the reaper gives the fault back, and the runner, continued, does not bring it back for good."""
    (cell,) = matrix.run(LATENCY, moments=["inject"], signals=["STOP"])
    assert cell.passed, cell
    assert cell.clean_s is not None
    assert cell.clean_s < 10.0


def test_what_is_missing_is_said(matrix: Matrix):
    """A kind that this stack cannot do is a problem with words, not a cell that passed."""
    problem, *_ = matrix.missing(Subject(kind="toxiproxy.latency", on="service", settings={}))
    assert "proxy" in problem.message
    assert "no part" in matrix.missing(Subject(kind="process.kill", on="nobody", settings={}))[0].message


def test_a_fault_that_stays_fails_the_cell(whole: World, matrix: Matrix, monkeypatch: pytest.MonkeyPatch):
    """If something is not as it was, the cell says what: here a setting that somebody changes meanwhile."""
    monkeypatch.setattr("resilience.drill.matrix.CLEAN_S", 1.0)
    place = whole.place("redis")
    before = found.settled(whole.stack.places)
    with redis.Redis(port=place.port, password=Path(place.passfile).read_text().strip()) as client:
        client.config_set("maxmemory", "77mb")
        try:
            cell = matrix.strike(LATENCY, "holding", "KILL", before)
        finally:
            client.config_set("maxmemory", "0")
    assert not cell.passed
    assert any("maxmemory was '0', is " in text for text in cell.left), cell.left


def test_every_difference_is_named(whole: World):
    """A part that is stopped, a proxy that is off: seen from outside, with what it was and what it is."""
    before = found.settled(whole.stack.places)
    place = whole.place("redis")
    fault = registry.build(FaultSpec(name="f", kind="toxiproxy.down", on="redis", duration_s=9.0), place)
    undo = fault.prepare()
    fault.inject(undo)
    try:
        seen = found.differences(before, found.look(whole.stack.places()))
    finally:
        fault.revert(undo)
    assert any(text.startswith("redis: answers was 'well', is 'refused") for text in seen), seen
    assert any("proxies: redis was 'on " in text for text in seen), seen
    assert found.differences(before, found.settled(whole.stack.places)) == ()


def test_a_target_that_does_not_come_to_rest_is_said(monkeypatch: pytest.MonkeyPatch):
    """Without a state to come back to nothing can be compared."""
    monkeypatch.setattr(found, "look", lambda _places: {"clock": time.monotonic()})
    with pytest.raises(EnvironmentNotReady, match="clock was"):
        found.settled(dict)
