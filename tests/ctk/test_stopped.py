"""Runs that are killed, stopped or lose a part of themselves: nothing is left broken, and nothing passes.

Requirement F7. `RESILIENCE_KILLS` sets how many seeded moments are tried; each costs about fifteen seconds.
"""

import json
import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from resilience.errors import FaultError
from resilience.faults.toxiproxy import Toxiproxy
from resilience.host import processes
from resilience.model import Identity, Place
from resilience.stack.embedded import read_places
from tests.program import LENGTHS, Program, Started, left_of, own_block, short

pytestmark = [pytest.mark.stack, pytest.mark.slow]

KILLS = int(os.environ.get("RESILIENCE_KILLS", "3"))
FAULTS = tuple(LENGTHS)


@dataclass(frozen=True)
class Scene:
    """A run as an outsider knows it, so that what it leaves can be found after it is gone."""

    started: Started
    owed: Mapping[str, Mapping[str, Any]]
    places: Mapping[str, Place]
    reaper: Identity

    @classmethod
    def of(cls, started: Started) -> "Scene":
        """Look."""
        owed = started.owed()
        folder = owed.get("stack.embedded", {}).get("folder")
        return cls(started, owed, read_places(Path(folder)) if folder else {}, started.reaper())

    def healed(self) -> bool:
        """Whether no fault is in place: Redis is not stopped, its proxy is open without a toxic of ours.

        What ended with the whole stack is no fault.
        """
        if "redis" not in self.places or not Path(self.owed["stack.embedded"]["folder"]).exists():
            return True
        redis = self.places["redis"].identity
        if redis is not None and processes.state_of(redis) in {"T", "t"}:
            return False
        try:
            proxy = Toxiproxy(self.places["redis"].control).proxy("redis")
        except FaultError:
            return True  # it has ended, and with it what it did
        return proxy.enabled and not [toxic for toxic in proxy.toxics if toxic.name.startswith("resilience-")]

    def left(self) -> list[str]:
        """What is left of the run on this machine."""
        found = left_of(self.owed)
        if processes.alive(self.reaper):
            found.append(f"reaper {self.reaper.pid}")
        books = self.started.state / "debts"
        return found + [str(path) for path in books.iterdir() if books.is_dir()]


def soon(true: Callable[[], bool], within_s: float) -> None:
    """Wait until it is true; fail if it takes longer."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.01)


def assert_nothing_left(scene: "Scene") -> None:
    """Within five seconds."""
    deadline = time.monotonic() + 5.0
    while found := scene.left():
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def doomed(fault: str) -> dict[str, Any]:
    """A run that will not come to its end. It asks little before its fault: it gets there on a busy machine, too."""
    document = short(fault)
    own = own_block(document)
    own["load"]["warm_up"] = "1s"
    own["objectives"] = [one for one in own["objectives"] if "baseline" not in one["expression"]]
    hypothesis = document["steady-state-hypothesis"]
    hypothesis["probes"] = [one for one in hypothesis["probes"] if one["name"] == "degraded gracefully"]
    return document


def during_fault(program: Program, fault: str = "redis-down") -> Started:
    """A run that holds a fault."""
    started = program.run(doomed(fault))
    started.until_event("fault-confirmed", fault)
    return started


def verdict_of(started: Started) -> Any:
    """What the run was judged to be."""
    return json.loads((started.record / "verdict.json").read_bytes())


def assert_unknown(started: Started, reason: str, scene: Scene) -> None:
    """The run ended as unknown for that reason, reverted what it held, kept its record and left nothing else."""
    done = started.done(60)
    assert done.code == 2, done.out + done.err
    verdict = verdict_of(started)
    assert verdict["answer"] == "unknown"
    assert reason in verdict["because"]
    assert [fault["name"] for fault in verdict["faults"]] == ["redis-down"]
    assert verdict["faults"][0]["clear_s"] is not None
    assert {"events.jsonl", "samples", "writes", "report.html"} <= {path.name for path in started.record.iterdir()}
    assert_nothing_left(scene)


@pytest.mark.parametrize("seed", range(KILLS))
def test_runner_killed(program: Program, seed: int):
    """SIGKILL at a seeded moment: within a second no fault is in place, within five nothing at all is left.

    Of three moments two are inside a fault, the third anywhere between the first debt and the end.
    """
    chance = random.Random(seed)  # noqa: S311 - a moment, not a secret
    fault = FAULTS[seed % len(FAULTS)]
    started = program.run(doomed(fault))
    if seed % 3 < 2:
        started.until_event("fault-confirmed", fault)
        moment_s = chance.uniform(0.0, LENGTHS[fault] * 0.9)
    else:
        started.until(lambda: "load.process" in started.owed(), 30.0)
        moment_s = chance.uniform(0.0, 15.0)
    deadline = time.monotonic() + moment_s
    started.until(lambda: time.monotonic() >= deadline, 30.0)
    scene = Scene.of(started)
    assert seed % 3 == 2 or fault == "service-killed" or not scene.healed(), "the fault is in place until then"
    started.process.kill()
    soon(scene.healed, 1.0)
    assert_nothing_left(scene)
    assert not (started.record / "verdict.json").exists(), "nobody judged it"


def test_killed_before_it_began(program: Program):
    """SIGKILL while servers are being started: what is half there goes as well."""
    started = program.run(doomed("redis-down"))
    started.until(lambda: "stack.embedded" in started.owed(), 30.0)
    owed, reaper = started.owed(), started.reaper()
    started.until(lambda: Path(owed["stack.embedded"]["folder"]).exists(), 10.0)
    started.process.kill()
    scene = Scene(started, owed, {}, reaper)
    assert_nothing_left(scene)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop(program: Program, number: signal.Signals):
    """SIGTERM and Ctrl-C in the middle of a fault: given back, judged unknown with the reason, exit 2, record kept."""
    started = during_fault(program)
    scene = Scene.of(started)
    started.process.send_signal(number)
    soon(scene.healed, 1.0)
    assert_unknown(started, "interrupted", scene)


def test_reaper_killed(program: Program):
    """Without its reaper a run is no longer safe: interrupted within two seconds, given back, unknown."""
    started = during_fault(program)
    scene = Scene.of(started)
    os.kill(scene.reaper.pid, signal.SIGKILL)
    soon(lambda: started.event("interrupted") is not None, 2.0)
    soon(scene.healed, 1.0)
    assert_unknown(started, "the reaper is gone", scene)


def test_load_killed(program: Program):
    """Without load there is nothing to judge: given back, unknown, however good everything looked before."""
    started = during_fault(program)
    scene = Scene.of(started)
    (load,) = started.load()
    assert processes.send(load, signal.SIGKILL)
    soon(lambda: started.event("interrupted") is not None, 2.0)
    soon(scene.healed, 1.0)
    assert_unknown(started, "the load generator ended", scene)


def test_aborted(program: Program):
    """`resilience abort` stops the run within a second; it is given back and unknown."""
    started = during_fault(program)
    scene = Scene.of(started)
    assert program.resilience("abort", "runs/latest").code == 0
    soon(lambda: started.event("interrupted") is not None, 1.0)
    assert_unknown(started, "an abort was asked for", scene)
