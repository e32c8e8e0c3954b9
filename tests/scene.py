"""A run that is killed, stopped or loses a part of itself, seen from outside: whether anything of it is left."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resilience.errors import FaultError
from resilience.faults.toxiproxy import Toxiproxy
from resilience.host import processes
from resilience.model import Identity, Place
from resilience.stack.embedded import read_places
from tests.program import Program, Started, left_of, own_block, short


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


def assert_interrupted(started: Started, reason: str, scene: Scene) -> None:
    """The run ended early for that reason, does not pass, reverted what it held, kept its record, left nothing else."""
    done = started.done(60)
    assert done.code in {1, 2}, done.out + done.err
    assert verdict_of(started)["answer"] in {"fail", "unknown"}
    interrupted = started.event("interrupted")
    assert interrupted is not None
    assert reason in interrupted["detail"]["reason"]
    assert verdict_of(started)["faults"][0]["clear_s"] is not None
    assert_nothing_left(scene)


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
