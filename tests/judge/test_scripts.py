"""A load by somebody's script: what it leaves unknown keeps the verdict from passing. Requirement L10."""

from dataclasses import replace

import numpy as np
import pytest

from resilience.judge.closed import closed_figures
from resilience.judge.coverage import coverage
from resilience.judge.degradation import check_degradation
from resilience.judge.scripts import with_operations
from resilience.judge.validity import check_validity
from resilience.judge.verdict import judge
from resilience.model import Answer, Load
from resilience.spec.thresholds import parse_objective
from tests.judge.builder import NAMES, Scene, Spell, honest

SCRIPT = Load(driver="k6", script="shop.js", warm_up_s=4.0, baseline_s=15.0)
SAID = {"program": "k6", "first_s": 0.1, "problems": [], "wall_clock": True, "waiting_users": 0}


def scene(*, said=None, generator=None, **changes):
    """A run whose load was a script of k6."""
    account = {"script": SAID | (said or {}), "generator": generator or {}}
    return Scene(load=changes.pop("load", SCRIPT), account=account, **changes)


def test_a_sound_run_by_a_script_is_valid_and_says_what_it_cannot():
    """It passes, and does not claim that operations were sent on time."""
    part = check_validity(scene().case())
    assert part.answer is Answer.PASS
    assert "when they were meant to start is not known" in part.because
    told = " ".join(coverage(scene().case(), [])["not_covered"])
    assert "does not tell when an operation was meant to start" in told
    assert "does not tell what was in flight at the end" in told


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"said": {"problems": ["2 of 9 virtual users told nothing"]}}, "2 of 9 virtual users told nothing"),
        ({"said": {"ended_s": 30.0, "ended_because": "its script was over"}}, "k6 ended by itself at 30.0 s"),
        ({"said": {"first_s": 6.5}}, "sent its first operation at 6.5 s"),
        ({"generator": {"clock_steps": [[20.0, 0.5]]}}, "the wall clock stepped by +0.500 s at 20.0 s, and k6"),
        ({"spells": (Spell(0, 99, "failed", operation="place-order"),)}, "place-order was never ok"),
    ],
)
def test_what_a_script_leaves_unknown_is_no_pass(changes, told):
    """Load that was gone, came late, hung, or whose instants cannot be placed."""
    part = check_validity(scene(**changes).case())
    assert part.answer is Answer.UNKNOWN
    assert told in " ".join(str(one) for one in part.evidence)


def test_a_script_that_ends_after_the_last_phase_is_sound():
    """What it does after the end is of no consequence; nor is a step of the clock where no wall clock is read."""
    assert check_validity(scene(said={"ended_s": 42.5}).case()).answer is Answer.PASS
    monotonic = scene(said={"wall_clock": False}, generator={"clock_steps": [[20.0, 0.5]]})
    assert check_validity(monotonic.case()).answer is Answer.PASS


def test_a_phase_without_an_operation_is_no_pass():
    """A closed script that hangs altogether sends nothing; that is not silence to be passed over."""
    record = scene().record()
    samples = record.samples
    outside = (samples.arrival_ns < 19_000_000_000) | (samples.arrival_ns > 27_200_000_000)
    part = next(
        part for part in judge(replace(record, samples=samples.where(outside))).parts if part.name == "validity"
    )
    assert part.answer is Answer.UNKNOWN
    assert "fault(redis-down) had no operation of the script" in " ".join(str(one) for one in part.evidence)


def test_what_a_script_did_in_the_baseline_is_what_is_judged():
    """Each as critical: a script of which nothing is critical would degrade gracefully whatever happened."""
    record = with_operations(scene().record())
    operations = record.experiment.load.operations
    assert {one.name for one in operations} == set(NAMES)
    assert all(one.critical and one.timeout_s > 0 for one in operations)
    down = scene(spells=(Spell(19.0, 27.0, "failed", operation="place-order"),))
    part = check_degradation(down.case())
    assert part.answer is Answer.FAIL
    assert "place-order" in part.because
    unchanged = honest().record()
    assert with_operations(unchanged) is unchanged


def test_what_waiting_users_would_have_asked_is_put_back():
    """Users of a script that wait ask less of a target that stalls: a pass must stand with what they left out.

    Twenty users at 250 operations a second begin one each 80 ms; all of them hang for the last six seconds of the
    fault, so that only twenty operations of it are slow. Of 2,000 that is one in a hundred; of what they would have
    asked it is most.
    """
    objective = parse_objective("p(95)<500 @ fault(redis-down)")

    def answer(waiting_users):
        record = scene(said={"waiting_users": waiting_users}, objectives=(objective,)).record()
        samples = record.samples
        hung = (samples.arrival_ns > 21_000_000_000) & (samples.arrival_ns < 26_900_000_000)
        first = hung & (np.cumsum(hung) <= 20)
        ends = np.where(first, 26_900_000_000, samples.end_ns)
        fewer = replace(record, samples=replace(samples, end_ns=ends).where(~hung | first))
        return next(part for part in judge(fewer).parts if part.name == "objectives")

    assert answer(0).answer is Answer.PASS
    assert answer(20).answer is Answer.UNKNOWN
    assert "would have begun meanwhile" in answer(20).because
    assert closed_figures(scene(said={"waiting_users": 20}).case())["users_at_most"] == 20
