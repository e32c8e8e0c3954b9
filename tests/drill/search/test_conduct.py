"""A search conducted on a target that is simulated whole: virtual time, real judgement. Requirement M6."""

import itertools
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from resilience.columns import Samples
from resilience.drill.search.conduct import Conditions, Conductor
from resilience.drill.search.levels import Climber
from resilience.drill.search.steps import Lengths, Measurer, Tally
from resilience.errors import Interrupted
from resilience.judge.search.checks import scale_of
from resilience.judge.search.told import END, HEALTHY, LEVEL, REST, STEP
from resilience.model import FaultSpec, Search, Slice
from resilience.spec.thresholds import parse_objective
from tests.judge.search.samples import joined, samples

FAR = FaultSpec(name="far", kind="toxiproxy.latency", on="postgres", duration_s=5.0, settings={"latency_ms": 10})
EMPTY = samples(count=0)


class World:
    """A target with a capacity, the clock, the means of a session and the samples, all at once.

    Attributes:
        capacity: operations per second that it bears; `with_fault` while a fault is in place, by latency.
        notes: what was written down. held: every lease, as asked for.
    """

    def __init__(self, capacity: float = 300.0, *, closed: bool = False, stuck_above: float = 1e9) -> None:
        self.capacity, self.closed, self.stuck_above = capacity, closed, stuck_above
        self.now, self.load, self.stuck = 0.0, 50.0, False
        self.tally = Tally()
        self.pieces: list[Samples] = []
        self.read = 0
        self.notes: list[tuple[str, dict]] = []
        self.held: list[FaultSpec] = []
        self.in_place: list[FaultSpec] = []
        self.stop_at = 1e9

    def now_s(self) -> float:
        """Virtual."""
        return self.now

    def sleep_until(self, at_s: float) -> None:
        """Make the samples of the time that passes."""
        while self.now < at_s - 1e-9:
            if self.now >= self.stop_at:
                raise Interrupted("stopped")
            self._pass(min(0.25, at_s - self.now))

    def _pass(self, seconds: float) -> None:
        bears = self.capacity / (1 + sum(spec.settings["latency_ms"] / 100 for spec in self.in_place))
        self.stuck = self.load > self.stuck_above or self.stuck
        slow = self.stuck or self.load > bears
        took_ms = 900.0 if slow else 20.0
        rate = self.load / (took_ms / 1000) if self.closed else self.load
        piece = samples(round(rate * seconds), seconds, took_ms, begin_s=self.now)
        self.now += seconds
        self.pieces.append(piece)
        counts = {"read": {}}
        self.tally.on_slice(Slice(self.now - seconds, self.now, counts, {}, len(piece), 0))

    def level(self, level: float) -> float:
        """At once."""
        self.load = level
        return self.now

    @contextmanager
    def hold(self, spec: FaultSpec):
        """In place while the block lasts."""
        self.held.append(spec)
        self.in_place.append(spec)
        try:
            yield
        finally:
            self.in_place.remove(spec)

    def note(self, name: str, _text: str, **detail) -> None:
        """Kept."""
        self.notes.append((name, detail))

    def look(self) -> None:
        """What has ended by now can be read."""
        self.read = len(self.pieces)

    def forget(self, before_s: float) -> None:
        """Pieces all of which ended before."""
        kept = [one for one in self.pieces if not len(one) or one.end_ns.max() >= before_s * 1e9]
        self.read -= len(self.pieces) - len(kept)
        self.pieces = kept

    def samples(self) -> Samples:
        """What was read, and has ended."""
        there = [one.where(one.end_ns <= self.now * 1e9) for one in self.pieces[: self.read]]
        return joined(there) if there else EMPTY


def conducted(world: World, *, faults=(), fault=None, until_s: float = 3600.0, **search) -> World:
    """A whole search."""
    told = {"over": "rate", "start": 50, "limit": 800, "objectives": (parse_objective("p(95)<250"),), **search}
    asked = Search(**told, faults=tuple(one.name for one in faults))
    lengths = Lengths(settle_s=2.0, step_s=5.0, longest_s=1.0, ahead_s=10.0)
    conditions = Conditions(
        search=asked,
        scale=scale_of(asked, whole=fault is not None),
        rate=world.load if asked.over == "fault" else None,
        fault=fault,
        faults=tuple(faults),
        longest_step_s=40.0,
        until_s=until_s,
        max_fault_s=600.0,
    )
    measurer = Measurer(world, world, world.tally, asked.objectives, lengths)
    Conductor(world, measurer, conditions, lambda *_: None).conduct()
    return world


def steps(world: World, kind: str = STEP, condition: str = HEALTHY) -> list[dict]:
    """What was noted of steps."""
    return [detail for name, detail in world.notes if name == kind and detail["condition"] == condition]


def bracket(told: list[dict]) -> tuple[float, float]:
    """The hardest level that held, and the mildest that broke."""
    return max(one["level"] for one in told if one["seen"] == "holds"), min(
        one["level"] for one in told if one["seen"] == "breaks"
    )


def test_the_break_point_is_found_and_all_is_written_down():
    """Each step with its level, why, when and what it showed; the first and the last thing is a mark."""
    told = steps(conducted(World(300)))
    low, high = bracket(told)
    assert low <= 300 < high <= low * 1.06
    assert told[0]["purpose"] == "climb"
    assert told[-1]["purpose"] == "down"
    assert all(one["end_s"] - one["start_s"] > 4.999 for one in told)
    assert all(before["end_s"] + 1.999 < after["start_s"] for before, after in itertools.pairwise(told))


def test_a_slow_target_is_not_judged_before_its_answers_are_there():
    """Operations that take most of a second, and are not on record yet when the stretch is over, all count."""
    world = World(100)
    told = steps(conducted(world))
    assert next(one for one in told if one["level"] == 200)["seen"] == "breaks"


def test_it_is_searched_again_with_each_fault_in_place():
    """In one lease each, and every fault is given back."""
    world = conducted(World(400), faults=(FAR, replace(FAR, name="farther")))
    assert [spec.name for spec in world.held] == ["far", "farther"]
    assert world.in_place == []
    healthy, far = bracket(steps(world)), bracket(steps(world, condition="far"))
    assert healthy[0] <= 400 < healthy[1]
    assert far[0] <= 400 / 1.1 < far[1]
    assert [detail["why"] for name, detail in world.notes if name == END] == ["", "", ""]


def test_over_a_setting_each_step_is_a_lease_of_its_own():
    """At 200/s it bears a delay that costs half of its capacity, and no more: 100 ms."""
    world = World(400)
    world.load = 200.0
    conducted(world, over="fault", fault=FAR, setting="latency_ms", start=0, limit=800)
    low, high = bracket(steps(world))
    assert low <= 100 < high
    assert high - low <= max(0.05 * high, 1)
    assert len({spec.name for spec in world.held}) == len(world.held)
    assert {spec.settings["latency_ms"] for spec in world.held} >= {0, low, high}
    assert all(isinstance(spec.settings["latency_ms"], int) for spec in world.held)
    assert world.in_place == []


def test_a_target_that_does_not_come_back_is_searched_no_further():
    """What is found with a fault in place would be what the search before it left."""
    world = conducted(World(1e9, stuck_above=300), faults=(FAR,))
    assert steps(world)[-1]["purpose"] == "rest"
    assert len(steps(world, REST, "far")) == 3
    assert steps(world, condition="far") == []
    assert world.held == []
    assert [detail["why"] for name, detail in world.notes if name == END] == ["", "stuck"]


def test_it_ends_before_the_run_must():
    """With a step that could take longer than is left, it stops and says so."""
    world = conducted(World(300), until_s=120.0)
    assert world.now <= 120.0
    assert [detail["why"] for name, detail in world.notes if name == END] == ["out of time"]


def test_an_interruption_gives_the_fault_back():
    """Whenever it comes."""
    for at_s in np.linspace(20, 300, 8):
        world = World(300)
        world.stop_at = float(at_s)
        with pytest.raises(Interrupted):
            conducted(world, faults=(FAR, replace(FAR, name="farther")))
        assert world.in_place == []


def test_users_are_climbed_one_level_after_the_other():
    """Each measured alike, and noted with its number and its stretch."""
    world = World(1e9, closed=True)
    lengths = Lengths(settle_s=1.0, step_s=5.0, longest_s=1.0, ahead_s=0.0)
    measurer = Measurer(world, world, world.tally, (), lengths)
    Climber(world, measurer, 5.0, lambda *_: None).climb((1, 2, 4))
    told = [detail for name, detail in world.notes if name == LEVEL]
    assert [one["users"] for one in told] == [1, 2, 4]
    assert [round(one["end_s"] - one["start_s"], 6) for one in told] == [5.0] * 3
