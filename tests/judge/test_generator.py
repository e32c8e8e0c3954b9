"""The generator: if it was the bottleneck the answer is unknown and says so; otherwise nothing changes."""

from dataclasses import replace

import numpy as np
import pytest

from resilience.judge.case import prepare
from resilience.judge.generator import load_figures
from resilience.judge.objectives import judge_objective
from resilience.judge.quantiles import FAILED, NS
from resilience.judge.validity import check_validity
from resilience.model import Answer
from resilience.spec.thresholds import parse_objective
from tests.judge.builder import Scene, Spell

WELL = {
    "cpu_share": 0.3,
    "cpu_share_max": 0.5,
    "busy": [],
    "stalls": [[20.0, 0.3]],
    "stalled_s": 0.3,
    "clock_steps": [],
    "clock_moved_s": 0.001,
    "asleep_s": 0.0,
}


def said(**changes):
    return Scene(account={"generator": {**WELL, **changes}}).case()


def late(begin_s, end_s, by_s, *spells):
    """The scene, with operations of a while started late by so much, and ended as much later."""
    record = Scene(poisson=False, spells=spells).record()
    samples = record.samples
    delay = np.zeros(len(samples), np.int64)
    delay[(samples.arrival_ns >= begin_s * NS) & (samples.arrival_ns < end_s * NS)] = round(by_s * NS)
    moved = replace(samples, start_ns=samples.start_ns + delay, end_ns=samples.end_ns + delay)
    return prepare(replace(record, samples=moved))


def test_a_generator_that_fares_well_changes_nothing():
    """A stall of 0.3 s, half a core, clocks that agree: it passes, and the figures are in the verdict."""
    part = check_validity(said())
    assert part.answer is Answer.PASS, part.because
    figures = load_figures(said())
    assert (figures["cpu_share_max"], figures["wall_clock"], figures["dropped"]) == (0.5, "steady", 0)
    assert load_figures(Scene().case())["wall_clock"] is None  # a record from before: not told


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"busy": [[20.0, 26.0, 0.97]]}, "used 97% of a core from 20.0 to 26.0 s"),
        ({"stalls": [[21.5, 1.4]]}, "stood still for 1.40 s at 21.5 s"),
        ({"asleep_s": 30.0}, "was suspended for 30.0 s"),
        ({"busy": "much"}, "cannot be read: busy is 'much'"),
        ({"busy": [[1.0, 2.0]]}, "3 numbers were expected"),
        ({"stalls": [[1.0, None]]}, "a number was expected"),
        ({"clock_steps": 3}, "clock_steps is 3"),
        ({"asleep_s": float("nan")}, "a number was expected"),
    ],
)
def test_a_bottleneck_is_unknown_and_says_so(changes, told):
    """Requirement J5: processor, stalls, sleep; an account that cannot be read is no proof that all was well."""
    part = check_validity(said(**changes))
    assert part.answer is Answer.UNKNOWN
    assert told in part.because


@pytest.mark.parametrize("changes", [{"busy": [[0.5, 3.9, 0.99]]}, {"stalls": [[1.0, 2.5]]}])
def test_what_was_in_the_warm_up_is_not_judged(changes):
    """Nothing that is judged arrived then."""
    assert check_validity(said(**changes)).answer is Answer.PASS


def test_a_step_of_the_wall_clock_is_told_and_makes_only_wall_time_unknown():
    """Requirement J5: instants come from the monotonic clock; what the wall clock said is not relied on, and told."""
    for changes, words in (
        ({"clock_steps": [[22.0, -2.0]], "clock_moved_s": -2.0}, "stepped by -2.000 s at 22.0 s"),
        ({"clock_moved_s": 0.4}, "was pulled by +0.400 s"),
    ):
        case = said(**changes)
        part = check_validity(case)
        assert part.answer is Answer.PASS
        assert words in part.because
        assert "instants by the wall clock are unknown" in part.evidence[1]
        assert load_figures(case)["wall_clock"] == "unknown"


def test_late_starts_in_a_fault_phase_are_the_generators():
    """Requirement J5: more than the longest bin late at p99 in any phase: what is judged is of another time."""
    part = check_validity(late(20, 26, 1.2))
    assert part.answer is Answer.UNKNOWN
    assert "in fault(redis-down) operations started 1.20 s late at p99" in part.because
    assert check_validity(late(20, 26, 0.8)).answer is Answer.PASS


def test_ports_that_ran_out_are_counted_apart():
    """Requirement J5: EADDRNOTAVAIL is the generator's want, not the target's refusal; in the warm-up it is nothing."""
    for at_s, answer in ((20, Answer.UNKNOWN), (1, Answer.PASS)):
        record = Scene().record()
        hit = (record.samples.arrival_ns >= at_s * NS) & (record.samples.arrival_ns < (at_s + 1) * NS)
        text = "generator out of resources: Cannot assign requested address"
        outcome = np.where(hit, FAILED, record.samples.outcome).astype(np.int8)
        samples = replace(record.samples, details=("", text), detail=hit.astype(np.int32), outcome=outcome)
        counts = {"ok": int(np.count_nonzero(outcome == 0)), "failed": int(np.count_nonzero(hit))}
        scene = Scene(account=counts)
        case = prepare(replace(record, samples=samples, events=scene.events(scene.samples())))
        part = check_validity(case)
        assert part.answer is answer, part.because
        figures = load_figures(case)["out_of_resources"]
        assert figures == ({"Cannot assign requested address": int(np.count_nonzero(hit))} if at_s == 20 else {})
        if answer is Answer.UNKNOWN:
            assert "not sent for want of its own: Cannot assign requested address" in part.because


def test_a_latency_that_only_the_generator_made_long_is_no_fail():
    """Requirement J5: 0.4 s late by its own doing is unknown; a target that is slow itself still fails."""
    wanted = parse_objective("p(95)<300 @ fault")
    (judged,) = judge_objective(late(19, 27, 0.4), wanted)
    assert judged.answer is Answer.UNKNOWN
    assert "from when the generator really began" in judged.because
    (judged,) = judge_objective(late(19, 27, 0.4, Spell(19, 27, "slow")), wanted)
    assert judged.answer is Answer.FAIL
    (judged,) = judge_objective(late(19, 27, 0.1), wanted)
    assert judged.answer is Answer.PASS
