"""Runs that are killed, stopped or lose a part of themselves: nothing is left broken, and nothing passes.

Requirement F7. `RESILIENCE_KILLS` sets how many seeded moments are tried; each costs about fifteen seconds.
"""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from resilience.host import processes
from tests.program import LENGTHS, Program
from tests.scene import Scene, assert_nothing_left, assert_unknown, doomed, during_fault, soon

pytestmark = [pytest.mark.stack, pytest.mark.slow]

KILLS = int(os.environ.get("RESILIENCE_KILLS", "3"))
FAULTS = tuple(LENGTHS)


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
