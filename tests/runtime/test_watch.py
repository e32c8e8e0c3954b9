"""A run that must not go on is stopped, for the first reason that there is, once."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.model import Comparison, Objective, Outcome, Phase, PhaseName, Slice
from resilience.runtime.clock import MonotonicClock
from resilience.runtime.watch import ABORT, Limits, Watch, holds, live_value

FAULT = Phase(PhaseName.FAULT, 0.0, float("inf"), "redis-down")


def errors(limit: float, **more) -> Objective:
    """`rate<limit @ fault over 1s`."""
    settings = {
        "expression": f"rate<{limit} @ fault over 1s",
        "aggregate": "rate",
        "comparison": Comparison.LT,
        "limit": limit,
        "phase": PhaseName.FAULT,
        "window_s": 1.0,
    }
    return Objective(**settings | more)


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
    abort: tuple[Objective, ...] = ()
    phase: Phase | None = FAULT
    max_duration_s: float = 100.0
    guarded: bool = True
    load: Load = field(default_factory=Load)
    display: Display = field(default_factory=Display)
    said: list[str] = field(default_factory=list)
    heard: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        def interrupt(reason: str) -> None:
            self.said.append(reason)
            self.heard.set()

        self.watch = Watch(
            clock=MonotonicClock(),
            load=self.load,
            guard_alive=lambda: self.guarded,
            phase=lambda: self.phase,
            displays=(self.display,),
            folder=self.folder,
            limits=Limits(max_duration_s=self.max_duration_s, abort=self.abort),
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


def test_abort_objective(tmp_path):
    """A breach in its phase stops the run and shows the value. Requirement L2."""
    with Scene(tmp_path, abort=(errors(0.5),)) as scene:
        scene.load.pieces += [piece(at / 4, ok=4, failed=6) for at in range(4)]
        assert scene.reason() == "abort objective breached: rate<0.5 @ fault over 1s (is 0.6)"


@pytest.mark.parametrize(
    ("objective", "phase"),
    [
        (errors(0.5), Phase(PhaseName.RECOVERY, 0.0, float("inf"), "redis-down")),
        (errors(0.5, fault="redis-hung"), FAULT),
        (errors(0.5, operation="write"), FAULT),
        (errors(0.5), None),
        (errors(0.5), Phase(PhaseName.FAULT, 0.5, float("inf"), "redis-down")),
    ],
    ids=["other phase", "other fault", "other operation", "before the run", "window not full in this phase"],
)
def test_abort_objective_is_not_judged_elsewhere(tmp_path, objective: Objective, phase: Phase | None):
    """What is bad outside its phase, its fault, its operation or a full window of the phase is no breach."""
    with Scene(tmp_path, abort=(objective,), phase=phase) as scene:
        scene.load.pieces += [piece(at / 4, ok=0, failed=10) for at in range(4)]
        assert not scene.heard.wait(0.3)


def test_live_value_needs_a_full_window():
    """Less than a window is not judged; after it, only the last window counts."""
    objective = errors(0.1)
    assert live_value(objective, []) is None
    assert live_value(objective, [piece(0.0, failed=10), piece(0.25), piece(0.5)]) is None
    assert live_value(objective, [piece(at / 4, failed=10 * (at == 0)) for at in range(5)]) == 0.0


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=4, max_size=12))
def test_live_value_is_the_share_and_the_rate(counts):
    """Of the last second: not ok of all that ended, and ok per second; None only if nothing ended."""
    slices = [piece(at / 4, ok, failed) for at, (ok, failed) in enumerate(counts)]
    ok, failed = (sum(row[place] for row in counts[-4:]) for place in (0, 1))
    expected = failed / (ok + failed) if ok + failed else None
    assert live_value(errors(0.1), slices) == (None if expected is None else pytest.approx(expected))
    assert live_value(errors(1.0, aggregate="rps"), slices) == pytest.approx(ok / 1.0)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_comparisons(value: float, limit: float):
    """Each comparison is the contrary of its opposite."""
    for one, other in ((Comparison.LT, Comparison.GE), (Comparison.GT, Comparison.LE), (Comparison.EQ, Comparison.NE)):
        first = holds(errors(limit, comparison=one), value)
        assert first is not holds(errors(limit, comparison=other), value)
    assert holds(errors(limit, comparison=Comparison.LT), value) == (value < limit)
