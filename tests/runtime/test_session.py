"""The order of a run, and that everything is given back from wherever it ends. Requirements E1, F7.

Stack, load and faults are fakes behind their ports; event log, debt book, reaper, record and judgement are real.
"""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from resilience.errors import EnvironmentNotReady, FaultError, Interrupted, RecordError, ResilienceError
from resilience.faults import registry
from resilience.model import (
    Answer,
    BeginFault,
    EventKind,
    Observe,
    PhaseName,
    Problem,
    Region,
)
from resilience.record import documents
from resilience.runtime import debts
from resilience.spec.resolve import draw
from tests.runtime.fakes import FakeFault, Scene, scenes


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    """Makes scenes; `fail` names the step that fails."""
    with scenes(tmp_path) as make:
        yield make


def test_order_of_a_run(scene):
    """Stack and load first, then phases, the fault under its lease, load drained, truth read, judged, stack ended."""
    run = scene()
    run.session.open()
    held = run.session.hold_fault("redis-down")
    run.session.observe(PhaseName.RECOVERY, 0.1)
    run.session.observe(PhaseName.AFTER, 0.1)
    verdict = run.session.finish()
    run.session.close()
    assert run.steps == [
        "load launch",
        "stack start",
        "load prepare",
        "load start",
        "collect",
        "inject",
        "revert",
        "load stop",
        "collected",
        "truth",
        "judge",
        "load close",
        f"display {verdict.answer.value}",
        "stack stop",
    ]
    assert 0.1 < held["confirmed_s"] < held["clear_s"]
    assert [name for kind, name in run.events() if kind == "phase"] == [
        "warm-up",
        "baseline",
        "fault",
        "recovery",
        "after",
    ]
    kinds = [kind for kind, _ in run.events() if kind != "mark"]
    assert kinds[kinds.index("fault-requested") :] == [
        "fault-requested",
        "fault-confirmed",
        "fault-reverting",
        "fault-clear",
        "phase",
        "phase",
        "end",
        "load",
        "footer",
    ]
    assert run.given_back()
    assert run.display.events[0].kind.value == "header"
    assert json.loads((run.folder / "verdict.json").read_text())["answer"] == verdict.answer.value


def test_no_traffic_is_no_pass(scene):
    """Everything in order except that nothing was ever sent: unknown (Requirement L3)."""
    run = scene()
    run.session.open()
    run.session.hold_fault("redis-down")
    assert run.session.finish().answer is Answer.UNKNOWN


def test_a_verdict_is_given_once(scene):
    """The second `finish` returns the same verdict; nothing is drained, read or judged again."""
    run = scene()
    run.session.open()
    first = run.session.finish()
    assert run.session.finish() is first
    assert run.steps.count("judge") == run.steps.count("load stop") == run.steps.count("truth") == 1
    run.session.problem("late", "after the verdict")
    run.session.interrupt("after the verdict")
    assert run.events()[-1][0] == "footer", "the record is closed"


def test_fault_that_has_no_effect(scene):
    """A fault that nobody saw is noted, given back, and the verdict on faults is unknown, never pass."""
    run = scene(dead=True)
    run.session.open()
    with pytest.raises(FaultError, match="not observed active"):
        run.session.hold_fault("redis-down")
    verdict = run.session.finish()
    assert ("fault-problem", "redis-down") in run.events()
    assert "fault-confirmed" not in [kind for kind, _ in run.events()]
    parts = {part.name: part for part in verdict.parts}
    assert parts["faults"].answer is Answer.UNKNOWN
    assert "redis-down" in parts["faults"].because
    assert verdict.answer is not Answer.PASS
    assert run.steps.count("revert") >= 1


@pytest.mark.parametrize("fail", ["launch", "stack", "prepare", "start"])
def test_every_step_of_the_beginning_may_fail(scene, fail: str):
    """Wherever it fails, `close` gives everything back, twice if need be, and there is nothing to judge."""
    run = scene(fail)
    with pytest.raises(ResilienceError):
        run.session.open()
    assert not run.session.began
    with pytest.raises(ResilienceError, match="did not begin"):
        run.session.finish()
    run.session.close()
    assert run.given_back()
    assert "display no verdict" in run.steps
    run.session.close()


def test_what_does_not_fit_is_refused_before_any_load(scene):
    """What speaks against a fault here is told before load starts."""
    run = scene(fits=(Problem("redis-down", "no proxy in front of it"),))
    with pytest.raises(EnvironmentNotReady, match="no proxy"):
        run.session.open()
    assert "load start" not in run.steps


def test_a_part_that_the_stack_has_not(scene):
    """The part is named, with those that are there."""
    run = scene(on_part="mongo")
    with pytest.raises(EnvironmentNotReady, match="no part 'mongo'; it has redis, service"):
        run.session.open()


def test_interrupted(scene):
    """Once told to stop, nothing begins any more: no fault, no phase; the record says why, once; not a pass."""
    run = scene()
    run.session.open()
    run.session.interrupt("first reason")
    run.session.interrupt("second reason")
    with pytest.raises(Interrupted, match="first reason"):
        run.session.hold_fault("redis-down")
    with pytest.raises(Interrupted, match="first reason"):
        run.session.observe(PhaseName.AFTER, 0.1)
    assert "inject" not in run.steps
    verdict = run.session.finish()
    assert [kind for kind, _ in run.events()].count("interrupted") == 1
    assert ("phase", "after") not in run.events()
    assert ("phase", "fault") not in run.events()
    assert verdict.answer is Answer.UNKNOWN
    assert "first reason" in verdict.because
    (validity,) = (part for part in verdict.parts if part.name == "validity")
    assert [str(said).count("first reason") for said in validity.evidence].count(1) == 1, "said once"


def test_why_it_was_interrupted_is_written_down_whole(scene):
    """What an objective that ended the run was seen to be stands in the record, for the judge (Requirement L2)."""
    run = scene()
    run.session.open()
    run.session.interrupt("an objective was missed", objective="rate<0.1 @ baseline", value=0.5)
    run.session.finish()
    (event,) = [event for event in run.display.events if event.kind is EventKind.INTERRUPTED]
    assert event.detail == {"reason": "an objective was missed", "objective": "rate<0.1 @ baseline", "value": 0.5}


def test_a_stack_without_ways_for_regions_is_refused(scene):
    """Requirement L9: their operations would come from somewhere else; nothing is sent."""
    run = scene(regions=(Region(name="eu", latency_s=0.02), Region(name="us")))
    with pytest.raises(EnvironmentNotReady, match="no way 'service-eu' to the service"):
        run.session.open()
    assert "load start" not in run.steps


def test_load_that_ends_by_itself(scene):
    """The watch interrupts the run: what waits in a fault gives it back at once."""
    run = scene(held_s=30.0)
    run.session.open()
    run.load.running = False
    with pytest.raises(Interrupted, match="the load generator ended"):
        run.session.hold_fault("redis-down")
    assert not run.fault.on


def test_reaper_that_is_gone(scene):
    """Without a reaper the run is interrupted, and its record says that it was not there until the end."""
    run = scene(held_s=30.0)
    run.session.open()
    assert run.guard.identity is not None
    os.kill(run.guard.identity.pid, signal.SIGKILL)
    with pytest.raises(Interrupted, match="the reaper is gone"):
        run.session.hold_fault("redis-down")
    run.session.finish()
    assert ("problem", "reaper") in run.events()


@pytest.mark.parametrize(
    ("settings", "source"),
    [
        ({"fail": "stop"}, "load"),
        ({"truth": lambda *_: (_ for _ in ()).throw(RecordError("no such table"))}, "truth"),
        ({"users": 0}, "way"),
    ],
    ids=["account", "truth", "way"],
)
def test_what_goes_wrong_is_in_the_record(scene, settings, source: str):
    """An account that does not close, a truth that cannot be read, a part that nobody uses: noted, and not a pass."""
    run = scene(**settings)
    run.session.open()
    run.session.hold_fault("redis-down")
    verdict = run.session.finish()
    assert ("problem", source) in run.events()
    assert verdict.answer is not Answer.PASS


def test_baseline_is_judged_before_the_method(scene):
    """Probes before the method ask about the baseline alone; what did not pass is noted once; the run is not over."""
    run = scene()
    run.session.open()
    assert run.session.baseline_failures() == ()
    assert not run.session.answers("objectives")
    assert not run.session.answers("writes")
    assert run.steps.count("judge baseline") == 1
    assert "judge" not in run.steps
    failed = run.session.baseline_failures()
    assert failed
    assert [name for kind, name in run.events() if kind == "problem"] == ["baseline"] * len(failed)
    run.session.hold_fault("redis-down")
    assert not run.session.answers("objectives"), "and now of the whole run"
    assert run.steps.count("judge") == 1


def test_secrets_are_taken_out(scene):
    """What a stack says is secret is in no event."""
    run = scene()
    run.session.open()
    run.session.problem("leaky", "the password is hunter2-and-longer")
    run.session.finish()
    assert all(b"hunter2-and-longer" not in path.read_bytes() for path in run.folder.rglob("*") if path.is_file())


def test_debts_before_deeds(scene):
    """Load and stack are owed before they are started, and the fault before it is injected."""
    run = scene("stack")
    with pytest.raises(EnvironmentNotReady):
        run.session.open()
    owed = [debt.fault for page in debts.outstanding(run.state) for debt in page.owed]
    assert owed == ["load", "stack"]


def begun(scene) -> Scene:
    """A run in which a fault is begun that no step ends."""
    run = scene(method=lambda fault: (BeginFault(replace(fault, at_most_s=30.0)),))
    run.session.open()
    run.session.begin_fault("redis-down")
    assert run.fault.on
    return run


def test_a_fault_that_the_method_leaves_in_place(scene):
    """It is given back before the load ends, and that it had to be is in the record: not a pass."""
    run = begun(scene)
    verdict = run.session.finish()
    assert not run.fault.on
    assert ("problem", "lease") in run.events()
    kinds = [kind for kind, _ in run.events()]
    assert kinds.index("fault-clear") < kinds.index("end")
    assert verdict.answer is not Answer.PASS
    run.session.close()
    assert run.given_back()


def test_what_was_begun_is_given_back_as_soon_as_the_run_is_interrupted(scene):
    """From whatever thread, without waiting for the next step."""
    run = begun(scene)
    thread = threading.Thread(target=run.session.interrupt, args=("somebody asked",))
    thread.start()
    thread.join(timeout=10)
    assert not run.fault.on
    with pytest.raises(Interrupted, match="somebody asked"):
        run.session.end_fault("redis-down")
    assert "somebody asked" in run.session.finish().because


def test_parts_are_drawn_by_the_seed_of_the_plan(scene):
    """What was drawn is what is done, in the experiment of the record and in its plan."""
    among = ("redis", "service")
    run = scene(method=lambda fault: (replace(fault, on="", among=among), Observe(PhaseName.RECOVERY, 0.1)))
    drawn = draw(among, run.session.plan.seed, "redis-down")
    assert run.session.plan.parts == {"redis-down": drawn}
    run.session.open()
    run.session.hold_fault("redis-down")
    run.session.finish()
    assert documents.load_experiment(run.folder).faults[0].on == drawn
    requested = next(event for event in run.display.events if event.kind is EventKind.REQUESTED)
    assert requested.detail["on"] == drawn


def test_fakes_know_no_other_kinds():
    """The fake fault has the kind of a real one, so that its debt could be settled by a reaper."""
    assert FakeFault.kind in registry.KINDS
