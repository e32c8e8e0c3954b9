"""A real load process that is held up: what it notes of itself makes the verdict unknown. Requirement J5."""

import os
import signal
from dataclasses import replace
from pathlib import Path

from resilience.judge.case import prepare
from resilience.judge.generator import load_figures
from resilience.judge.validity import check_validity
from resilience.model import Answer, Event, EventKind, Expect, Load, Operation, Plan
from resilience.record.samples import read_samples
from tests.judge.builder import Scene
from tests.load.conftest import wait_until
from tests.load.target import answer

READ = Operation(name="read", method="GET", path="/x", weight=1.0, timeout_s=3.0, expect=Expect(status=(200,)))


def judged(order, account, end_s):
    """The run as a case: a baseline from half a second on, and what the generator said of itself."""
    samples, problems = read_samples(Path(order.folder), finished=True)
    assert problems == ()
    scene = Scene(faults=(), load=order.load).record()
    events = (
        Event(0.0, EventKind.HEADER),
        Event(0.0, EventKind.PHASE, "warm-up"),
        Event(0.5, EventKind.PHASE, "baseline"),
        Event(end_s, EventKind.END),
        Event(end_s, EventKind.LOAD, "locust", account),
        Event(end_s, EventKind.FOOTER),
    )
    plan = Plan(run=order.run, seed=order.seed, phases=(), duration_s=end_s, arrivals=len(samples), undo={})
    return prepare(replace(scene, events=events, samples=samples, plan=plan))


def test_a_generator_that_was_held_up_is_the_bottleneck(runner, make_target):
    """Stopped for 1.6 s while it runs: it notes the stall itself, and the verdict is unknown for just that reason."""
    target = make_target(lambda _: answer(200, {}))
    handle, order = runner.start(Load(rate=50.0, operations=(READ,)), target.url)
    wait_until(order, 1.0)
    os.kill(handle.pid, signal.SIGSTOP)
    wait_until(order, 2.6)
    os.kill(handle.pid, signal.SIGCONT)
    wait_until(order, 3.2)
    pieces = list(handle.slices())
    account = handle.stop(10.0)
    case = judged(order, account, 3.2)
    part = check_validity(case)
    assert part.answer is Answer.UNKNOWN
    told = " | ".join(part.evidence)
    assert "the generator, not the target: it stood still for" in told
    assert "operations started" in told
    figures = load_figures(case)
    start_s, length_s = figures["stalls"][0]
    assert 1.3 < length_s < 2.6
    assert 0.9 < start_s < 1.6
    assert (figures["clock_steps"], figures["wall_clock"]) == ([], "steady")
    assert 0 < figures["cpu_share_max"] < 1.5
    assert any(piece.cpu_share > 0 for piece in pieces)
