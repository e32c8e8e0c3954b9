"""Objectives: each aggregate, each comparison, windows, and what cannot be told."""

from dataclasses import replace

import numpy as np
import pytest

from resilience.judge.case import prepare
from resilience.judge.objectives import check_objectives, judge_objective, measure
from resilience.model import Answer, Comparison, Objective, PhaseName, Region, Segment
from resilience.spec.thresholds import parse_objective
from tests.judge.builder import Held, Scene, Spell

LT, GT = Comparison.LT, Comparison.GT


def objective(aggregate, comparison=LT, limit=0.01, **more):
    text = f"{aggregate}{comparison.value}{limit}"
    return Objective(expression=text, aggregate=aggregate, comparison=comparison, limit=limit, **more)


def one(scene, wanted):
    (judged,) = judge_objective(scene.case(), wanted)
    return judged


@pytest.mark.parametrize(
    ("aggregate", "quantile", "value"),
    [("avg", None, 5.0), ("min", None, 5.0), ("med", None, 5.0), ("max", None, 600.0), ("p", 99.0, 600.0)],
)
def test_latency_aggregates_are_milliseconds(aggregate, quantile, value):
    """Requirement J5: of operations from intended start to end; 2 % are slow by 600 ms."""
    scene = Scene(spells=(Spell(0, 42, "slow", 0.02),))
    found = one(scene, objective(aggregate, limit=1e9, quantile=quantile)).value
    assert found == pytest.approx(value, abs=15 if value < 100 else 1)


@pytest.mark.parametrize(
    ("comparison", "limit", "holds"),
    [
        (Comparison.LT, 0.0, False),
        (Comparison.LE, 0.0, True),
        (Comparison.GT, 0.0, False),
        (Comparison.GE, 0.0, True),
        (Comparison.EQ, 0.0, True),
        (Comparison.NE, 0.0, False),
    ],
)
@pytest.mark.parametrize("window_s", [None, 5.0])
def test_comparisons_at_their_boundary(comparison, limit, holds, window_s):
    """An error rate of exactly 0 against a limit of 0, with and without windows."""
    judged = one(Scene(), objective("rate", comparison, limit, window_s=window_s))
    assert judged.answer is (Answer.PASS if holds else Answer.FAIL)
    assert judged.value == 0.0


def test_the_worst_window_is_the_value():
    """A second of errors is lost in the whole baseline and seen in a window of two seconds."""
    scene = Scene(spells=(Spell(10, 11, "failed"),))
    whole, sliding = one(scene, objective("rate", limit=0.1)), one(scene, objective("rate", limit=0.1, window_s=2.0))
    assert whole.answer is Answer.PASS
    assert sliding.answer is Answer.FAIL
    assert sliding.value == pytest.approx(0.5, abs=0.1)
    assert "worst 2 s of baseline" in sliding.because


def test_a_window_for_a_least_takes_the_smallest():
    """`rps>` over windows is about the slowest of them."""
    scene = Scene(spells=(Spell(10, 12, "failed"),))
    assert one(scene, objective("rps", GT, 100, window_s=2.0)).answer is Answer.FAIL
    assert one(scene, objective("rps", GT, 100)).answer is Answer.PASS


def test_a_window_longer_than_the_phase_cannot_be_told():
    """Unknown, rather than judged over less."""
    assert one(Scene(), objective("rate", window_s=20.0)).answer is Answer.UNKNOWN


def test_no_samples_is_unknown():
    """Requirement J5: k6 passes an empty metric; here it is unknown, except where 0 is a measurement."""
    scene = Scene(rate=250, faults=()).but(end_s=3.9)
    assert one(scene, objective("rate")).answer is Answer.UNKNOWN
    silent = Scene(load=Scene().experiment().load, rate=0.2, end_s=42.0, poisson=False)
    assert one(silent, objective("rate", operation="nothing")).answer is Answer.UNKNOWN


def test_an_empty_phase_is_unknown(silent_baseline):
    """No arrivals in the phase: no error rate, no latency, and no blame for a throughput that nobody asked for."""
    assert one(silent_baseline, objective("rate")).answer is Answer.UNKNOWN
    assert one(silent_baseline, objective("p", quantile=95.0)).answer is Answer.UNKNOWN
    assert one(silent_baseline, objective("rps", GT, 200)).answer is Answer.UNKNOWN
    assert one(silent_baseline, objective("count", GT, 0)).answer is Answer.UNKNOWN


def test_throughput_that_was_not_asked_for_is_not_missed():
    """200/s sent of 250/s is the fault of the generator; 200/s answered of 250/s that of the target."""
    asked = Scene().experiment().load
    assert one(Scene(load=asked, rate=200), objective("rps", GT, 225)).answer is Answer.UNKNOWN
    shed = Scene(spells=(Spell(0, 42, "failed", 0.2),))
    assert one(shed, objective("rps", GT, 225)).answer is Answer.FAIL
    assert one(Scene(), objective("rps", GT, 225)).answer is Answer.PASS


def test_quick_refusals_are_no_latency():
    """If nothing was answered ok, soon refused is not soon answered."""
    refused = Scene(spells=(Spell(0, 42, "failed"),))
    judged = one(refused, objective("p", limit=500, quantile=95.0))
    assert judged.answer is Answer.UNKNOWN
    assert one(refused, objective("degraded", Comparison.EQ, 0.0)).answer is Answer.UNKNOWN


def test_windows_with_nothing_to_measure_are_not_passed_over():
    """One window without samples: unknown although all others hold; and fail still wins."""
    gap = Scene(spells=(Spell(10, 14, "failed"),))
    judged = one(gap, objective("max", limit=500, window_s=2.0))
    assert judged.answer is Answer.UNKNOWN
    assert "had nothing to measure" in judged.because
    assert one(gap, objective("max", limit=1, window_s=2.0)).answer is Answer.FAIL


def test_a_fault_phase_without_a_name_means_each_on_its_own():
    """`@ fault` is judged in every fault phase; `@ fault(name)` in one; a phase that never came is unknown."""
    scene = Scene(faults=(Held(), Held("two", begin_s=36.0, length_s=2.0)), spells=(Spell(36.0, 38.0, "failed"),))
    both = judge_objective(scene.case(), objective("rate", phase=PhaseName.FAULT))
    assert [(one.phase, one.answer) for one in both] == [
        ("fault(redis-down)", Answer.PASS),
        ("fault(two)", Answer.FAIL),
    ]
    assert one(scene, objective("rate", phase=PhaseName.FAULT, fault="redis-down")).answer is Answer.PASS
    assert one(scene, objective("rate", phase=PhaseName.FAULT, fault="three")).answer is Answer.UNKNOWN
    assert one(scene, objective("rate", phase=PhaseName.AFTER)).answer is Answer.UNKNOWN


def test_one_operation_is_judged_alone():
    """Errors of another operation do not count."""
    scene = Scene(spells=(Spell(0, 42, "failed", operation="read-item"),))
    assert one(scene, objective("rate", operation="place-order")).answer is Answer.PASS
    assert one(scene, objective("rate", operation="read-item")).answer is Answer.FAIL


def test_an_unknown_aggregate_is_an_error():
    """Said with what was expected; the verdict makes unknown of it."""
    with pytest.raises(ValueError, match="expected one of"):
        measure(objective("mode"), Scene().samples(), 1.0)
    assert measure(objective("rps"), Scene().samples(), 0.0) is None


def test_the_part_says_what_was_missed():
    """Worst first; none at all passes and says so."""
    case = Scene(spells=(Spell(5, 6, "failed"),)).case()
    met = objective("p", limit=1000, quantile=95.0)
    part = check_objectives(case, (met, objective("rate"), objective("rate", operation="x")))
    assert part.answer is Answer.FAIL
    assert part.because.startswith("all: rate<0.01 was 0.06")
    assert "1 more" in part.because
    assert [one["answer"] for one in part.data["objectives"]] == ["pass", "fail", "unknown"]
    assert check_objectives(case, (met,)).because == "all 1 objectives were met"
    assert check_objectives(case, ()).answer is Answer.PASS


def test_an_objective_may_name_a_fault_as_written_or_one_time_of_it():
    """`fault(cache)` is every time, each on its own; `fault(cache-2)` is that one."""
    held = (Held("cache-1", of="cache", length_s=4.0), Held("cache-2", of="cache", begin_s=32.0, length_s=4.0))
    case = Scene(faults=held).case()

    def phases(fault):
        objective = Objective("rate<0.5", "rate", Comparison.LT, 0.5, phase=PhaseName.FAULT, fault=fault)
        return [judged.phase for judged in judge_objective(case, objective)]

    assert phases("cache") == phases("") == ["fault(cache-1)", "fault(cache-2)"]
    assert phases("cache-2") == ["fault(cache-2)"]


def segmented(*spells, **changes):
    """A scene whose arrivals take turns between two tenants, the spells being those of the second alone."""
    load = replace(
        Scene().experiment().load, tenants=(Segment(name="blue"), Segment(name="green")), regions=(Region(name="eu"),)
    )
    scene = Scene(poisson=False, load=load, **changes)
    good, ill = scene.samples(), scene.but(spells=spells).samples()
    turn = (np.arange(len(good)) % 2).astype(np.int16)
    pick = turn == 1
    mixed = {
        name: np.where(pick, getattr(ill, name), getattr(good, name)) for name in ("end_ns", "outcome", "degraded")
    }
    samples = replace(
        good,
        **mixed,
        tenant=turn,
        region=np.zeros(len(turn), np.int16),
        tenants=("blue", "green"),
        regions=("eu",),
    )
    return prepare(replace(scene.record(), samples=samples))


def test_each_tenant_is_judged_on_its_own():
    """Requirement J7: half of the requests of one of two tenants fail; all together 25 %, of one none."""
    case = segmented(Spell(0, 42, "failed", 0.5))
    wanted = objective("rate", limit=0.3)
    (whole,) = judge_objective(case, wanted)
    blue, green = judge_objective(case, replace(wanted, tenant="each"))
    assert (whole.answer, blue.answer, green.answer) == (Answer.PASS, Answer.PASS, Answer.FAIL)
    assert (blue.value, green.value) == (0.0, pytest.approx(0.5, abs=0.05))
    assert blue.count + green.count == whole.count
    assert green.because.startswith("all of tenant green: rate<0.3 was 0.5")
    assert (green.json()["tenant"], green.json()["region"]) == ("green", "")
    (one,) = judge_objective(case, replace(wanted, tenant="blue", region="eu", operation="place-order"))
    assert one.answer is Answer.PASS
    assert one.because.startswith("place-order of tenant blue from region eu:")


def test_a_tenant_without_samples_is_unknown():
    """Requirement J5: nobody, a tenant of a load that had none, and one that was never offered anything."""
    case = segmented()
    for named in ({"tenant": "red"}, {"region": "us"}):
        (judged,) = judge_objective(case, replace(objective("rate"), **named))
        assert judged.answer is Answer.UNKNOWN
        assert "was ever offered" in judged.because
    assert one(Scene(), replace(objective("rate"), tenant="each")).answer is Answer.UNKNOWN


def test_windows_and_tenants_go_together():
    """Two seconds of failures of one tenant are seen in a window of that tenant alone."""
    case = segmented(Spell(10, 12, "failed"))
    wanted = replace(objective("rate", limit=0.6, window_s=2.0), tenant="each")
    assert [judged.answer for judged in judge_objective(case, wanted)] == [Answer.PASS, Answer.FAIL]


def test_a_relation_is_judged_over_the_whole_phase():
    """Requirement J1: the scene's baseline of 15 s is too short to compare anything with, and that is said."""
    (judged,) = judge_objective(Scene().case(), parse_objective("p(95) no worse than 10% @ fault"))
    assert judged.answer is Answer.UNKNOWN
    assert "blocks of 5 s" in judged.because
    assert judged.json()["low"] is None
