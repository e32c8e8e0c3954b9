"""A run that must not go on is stopped, for the first reason that there is, once."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import pytest

from resilience.model import AbortWhen, Comparison, Json, Objective, Outcome, Phase, PhaseName, Slice
from resilience.runtime.clock import MonotonicClock
from resilience.runtime.watch import ABORT, Limits, Watch
from resilience.spec.thresholds import parse_objective

FAULT = Phase(PhaseName.FAULT, 0.0, float("inf"), "redis-down")


def errors(limit: float, **more) -> AbortWhen:
    """`rate>=limit for 1s @ fault`."""
    settings = {
        "expression": f"rate>={limit} for 1s @ fault",
        "aggregate": "rate",
        "comparison": Comparison.GE,
        "limit": limit,
        "phase": PhaseName.FAULT,
        "window_s": 1.0,
    }
    return AbortWhen(**settings | more)


def piece(start_s: float, ok: int = 10, failed: int = 0, operation: str = "read", length_s: float = 0.25) -> Slice:
    """A quarter of a second of load."""
    return Slice(
        start_s=start_s,
        end_s=start_s + length_s,
        counts={operation: {Outcome.OK: ok, Outcome.FAILED: failed}},
        histogram={},
        offered=ok + failed,
        in_flight=0,
    )


@dataclass
class Load:
    """Load whose slices are given."""

    pieces: list[Slice] = field(default_factory=list)
    running: bool = True

    def slices(self) -> Iterator[Slice]:
        """Those that came since."""
        while self.pieces:
            yield self.pieces.pop(0)

    def alive(self) -> bool:
        """As told."""
        return self.running

    def stop(self, _timeout_s: float) -> dict:
        """Never asked."""
        raise AssertionError

    def abort(self) -> None:
        """Never asked."""


@dataclass
class Display:
    """Keeps slices."""

    pieces: list[Slice] = field(default_factory=list)

    def on_event(self, _event) -> None:
        """Never asked."""

    def on_slice(self, piece: Slice) -> None:
        """Keep it."""
        self.pieces.append(piece)

    def close(self, _verdict) -> None:
        """Never asked."""


@dataclass
class Scene:
    """A watch that runs, and what it said."""

    folder: Path
    abort: tuple[AbortWhen, ...] = ()
    objectives: tuple[Objective, ...] = ()
    phase: Phase | None = FAULT
    max_duration_s: float = 100.0
    min_free_bytes: int = 0
    guarded: bool = True
    load: Load = field(default_factory=Load)
    display: Display = field(default_factory=Display)
    said: list[str] = field(default_factory=list)
    detail: dict[str, Json] = field(default_factory=dict)
    heard: threading.Event = field(default_factory=threading.Event)
    clock: MonotonicClock = field(default_factory=MonotonicClock)

    def __enter__(self) -> Self:
        def interrupt(reason: str, /, **detail: Json) -> None:
            self.said.append(reason)
            self.detail.update(detail)
            self.heard.set()

        self.watch = Watch(
            clock=self.clock,
            load=self.load,
            guard_alive=lambda: self.guarded,
            phase=lambda: self.phase,
            displays=(self.display,),
            folder=self.folder,
            limits=Limits(
                max_duration_s=self.max_duration_s,
                abort=self.abort,
                objectives=self.objectives,
                min_free_bytes=self.min_free_bytes,
                folders=(self.folder,),
            ),
            interrupt=interrupt,
        )
        self.watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.watch.stop()

    def reason(self) -> str:
        """What it said, within a second."""
        assert self.heard.wait(1.0)
        return self.said[0]


def test_silent_while_all_is_well(tmp_path):
    """No reason, no word; every slice is handed on, also those that came last."""
    with Scene(tmp_path, abort=(errors(0.5),)) as scene:
        scene.load.pieces += [piece(at / 4) for at in range(20)]
        assert not scene.heard.wait(0.3)
        scene.load.pieces.append(piece(5.0))
    assert [one.start_s for one in scene.display.pieces] == [at / 4 for at in range(21)]
    assert scene.said == []


@pytest.mark.parametrize("reason", ["abort", "reaper", "load generator", "max_duration"])
def test_reasons(tmp_path, reason: str):
    """Each of them stops the run within a second, and is said once although it stays."""
    with Scene(tmp_path, max_duration_s=0.3 if reason == "max_duration" else 100.0) as scene:
        if reason == "abort":
            (tmp_path / ABORT).touch()
        scene.guarded = reason != "reaper"
        scene.load.running = reason != "load generator"
        assert reason in scene.reason()
        scene.heard.clear()
        assert not scene.heard.wait(0.3)
    assert len(scene.said) == 1


def test_abort_condition(tmp_path):
    """A condition that is met in its phase stops the run and shows the value. Requirements L2, F7."""
    with Scene(tmp_path, abort=(errors(0.5),)) as scene:
        scene.load.pieces += [piece(at / 4, ok=4, failed=6) for at in range(4)]
        assert scene.reason() == "abort condition met: rate>=0.5 for 1s @ fault (is 0.6)"


def test_an_objective_that_may_end_the_run(tmp_path):
    """Missed, it stops the run, and the record is told which, where, when and by how much. Requirement L2."""
    objective = replace(parse_objective("rate<0.5 @ fault(redis-down)"), abort=True)
    with Scene(tmp_path, objectives=(objective,)) as scene:
        scene.load.pieces += [piece(at / 4, ok=4, failed=6) for at in range(4)]
        told = "objective missed: rate<0.5 @ fault(redis-down) was 0.6 in fault(redis-down) at 1.00 s"
        assert scene.reason() == told
    assert (scene.detail["objective"], scene.detail["phase"]) == (objective.expression, "fault(redis-down)")
    assert (scene.detail["value"], scene.detail["from_s"], scene.detail["until_s"]) == (0.6, 0.0, 1.0)


@pytest.mark.parametrize(
    ("condition", "phase"),
    [
        (errors(0.5), Phase(PhaseName.RECOVERY, 0.0, float("inf"), "redis-down")),
        (errors(0.5, fault="redis-hung"), FAULT),
        (errors(0.5, operation="write"), FAULT),
        (errors(0.5), None),
        (errors(0.5), Phase(PhaseName.FAULT, 0.5, float("inf"), "redis-down")),
    ],
    ids=["other phase", "other fault", "other operation", "before the run", "window not full in this phase"],
)
def test_condition_is_not_judged_elsewhere(tmp_path, condition: AbortWhen, phase: Phase | None):
    """What is bad outside its phase, its fault, its operation or a full window of the phase is no breach."""
    with Scene(tmp_path, abort=(condition,), phase=phase) as scene:
        scene.load.pieces += [piece(at / 4, ok=0, failed=10) for at in range(4)]
        assert not scene.heard.wait(0.3)


def test_the_same_condition_anywhere(tmp_path):
    """Without a phase it is judged in every one, also across their borders."""
    anywhere = errors(0.5, expression="rate>=0.5 for 1s", phase=None)
    with Scene(tmp_path, abort=(anywhere,), phase=Phase(PhaseName.BASELINE, 0.5, float("inf"))) as scene:
        scene.load.pieces += [piece(at / 4, ok=0, failed=10) for at in range(4)]
        assert "rate>=0.5 for 1s" in scene.reason()


def test_disk_nearly_full(tmp_path):
    """Less space than the limit where the run writes stops it, with both figures."""
    with Scene(tmp_path, min_free_bytes=10**18) as scene:
        assert "MB are free" in scene.reason()


def test_generator_that_says_nothing(tmp_path):
    """A generator that lives but reports nothing is as good as none: nobody would see a breach."""
    with Scene(tmp_path, clock=MonotonicClock(time.monotonic_ns() - 60 * 10**9)) as scene:
        assert "reported nothing" in scene.reason()


def test_a_watch_that_fails_stops_the_run(tmp_path):
    """What the watch itself raises is a reason to stop: nobody would watch any more."""

    class Broken(Load):
        def alive(self) -> bool:
            raise RuntimeError("no such thing")

    with Scene(tmp_path, load=Broken()) as scene:
        assert "the watch over the run failed: RuntimeError: no such thing" in scene.reason()
