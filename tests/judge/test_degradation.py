"""Graceful degradation: during and after each fault, and in the baseline."""

from dataclasses import replace

import numpy as np

from resilience.judge.degradation import check_baseline, check_degradation
from resilience.model import Answer, Comparison, EventKind, Load, Objective, PhaseName
from tests.judge.builder import OPERATIONS, WRONG, A, Held, K, Scene, Spell, ledger_lines


def part(**changes):
    return check_degradation(Scene(**changes).case())


DURING = {"begin_s": 19.1, "end_s": 27.0}


def rate(limit, operation="all", fault="redis-down", aggregate="rate"):
    text = f"{aggregate}<{limit}"
    return Objective(text, aggregate, Comparison.LT, limit, operation=operation, phase=PhaseName.FAULT, fault=fault)


def test_degraded_answers_are_graceful_and_counted():
    """Requirement J1: fallbacks recognised; figures before, during and after, per operation."""
    found = part(spells=(Spell(**DURING, operation="read-item"),))
    assert found.answer is Answer.PASS
    assert "said they were degraded" in found.because
    rows = {row["operation"]: row for row in found.evidence}
    assert set(rows) == {"read-item", "read-order", "place-order"}
    assert rows["read-item"]["during"]["degraded"] > 1000
    assert rows["read-item"]["before"]["degraded"] == rows["read-item"]["after"]["degraded"] == 0


def test_errors_of_a_critical_operation_under_a_dependency_fault_fail():
    """Requirement J1: five in a hundred is the most, where no objective says otherwise."""
    assert part(spells=(Spell(**DURING, what="failed", share=0.1),)).answer is Answer.FAIL
    assert part(spells=(Spell(**DURING, what="dropped", share=0.1),)).answer is Answer.FAIL
    assert part(spells=(Spell(**DURING, what="failed", share=0.02),)).answer is Answer.PASS


def test_an_operation_that_is_not_critical_may_fail():
    """It may be shed; the others may not."""
    operations = (replace(OPERATIONS[0], critical=False), *OPERATIONS[1:])
    load = Load(rate=250, operations=operations)
    assert part(spells=(Spell(**DURING, what="shed", operation="read-item"),), load=load).answer is Answer.PASS
    assert part(spells=(Spell(**DURING, what="shed", operation="read-order"),), load=load).answer is Answer.FAIL


def test_objectives_rule_where_there_are_any():
    """A stricter or a laxer rate for the fault replaces the default; other aggregates do not."""
    two = (Spell(**DURING, what="failed", share=0.02),)
    ten = (Spell(**DURING, what="failed", share=0.1),)
    assert part(spells=two, objectives=(rate(0.01),)).answer is Answer.FAIL
    assert part(spells=ten, objectives=(rate(0.2),)).answer is Answer.PASS
    assert part(spells=ten, objectives=(rate(0.2, fault=""),)).answer is Answer.PASS
    assert part(spells=ten, objectives=(rate(0.2, operation="read-item"),)).answer is Answer.FAIL
    assert part(spells=ten, objectives=(rate(0.2, fault="other"),)).answer is Answer.FAIL
    assert part(spells=ten, objectives=(rate(0.2, aggregate="degraded"),)).answer is Answer.FAIL


def test_an_objective_for_each_fault_is_judged_in_the_fault_it_speaks_of():
    """`@ fault` with two faults: the second one's errors are not held against the first."""
    faults = (Held(), Held("two", begin_s=36.0, length_s=3.0))
    found = part(faults=faults, spells=(Spell(36.1, 39.0, "failed"),), end_s=60, objectives=(rate(0.2, fault=""),))
    assert found.answer is Answer.FAIL
    assert "fault(two)" in found.because
    assert "more" not in found.because


def test_a_killed_service_need_only_come_back():
    """While it is away nothing can be demanded; in the second half of what follows it must serve again."""
    killed = (Held("killed", "process.kill", "service", length_s=1.0),)
    assert part(faults=killed, spells=(Spell(19.0, 21.0, "failed"),)).answer is Answer.PASS
    found = part(faults=killed, spells=(Spell(19.0, 42.0, "failed"),))
    assert found.answer is Answer.FAIL
    assert "after killed was clear" in found.because


def test_a_fault_that_was_never_gone_is_unknown():
    """Nothing is known of after it."""
    found = part(faults=(Held(without=(EventKind.CLEAR,)),))
    assert found.answer is Answer.UNKNOWN
    assert "never seen gone" in found.because
    assert part(faults=(Held(without=(EventKind.REQUESTED,)),)).answer is Answer.PASS


def test_a_wrong_answer_fails_whenever_it_was_given():
    """Requirement J1: never a wrong answer, by the samples' detail or by the ledger's reads."""
    found = part(spells=(Spell(40.0, 40.1, "wrong"),))
    assert found.answer is Answer.FAIL
    assert "answers were wrong, the first: wrong body" in found.because
    lines = ledger_lines([(0, 0, 0, A, 1), (0, 0, 0, K, 2), (0, 0, 0, WRONG, 3)])
    assert part(lines=lines).answer is Answer.FAIL
    assert part(lines=ledger_lines([(0, 0, 0, A, 1)])).answer is Answer.PASS


def test_nothing_offered_is_unknown():
    """A critical operation without samples under the fault."""

    class Missing(Scene):
        def samples(self):
            samples = super().samples()
            return samples.where((samples.operation != 2) | (samples.arrival_ns < 19e9))

    found = check_degradation(Missing().case())
    assert found.answer is Answer.UNKNOWN
    assert "place-order: nothing was offered under redis-down" in found.because


def test_an_answer_beyond_the_timeout_is_the_clients_failing():
    """The client should have given up: unknown."""
    load = Load(rate=250, operations=(replace(OPERATIONS[0], timeout_s=0.1), *OPERATIONS[1:]))
    found = part(load=load, spells=(Spell(20.0, 20.2, "slow"),))
    assert found.answer is Answer.UNKNOWN
    assert "the client did not give up on time" in found.because


def test_without_a_fault_only_answers_are_judged():
    """A plain load test, and one without baseline."""
    assert part(faults=()).because == "there was no fault to degrade under, and no answer was wrong"
    no_phases = part(without=(EventKind.PHASE,))
    assert no_phases.evidence[0]["before"] is None


def test_the_baseline_must_be_undegraded():
    """Before the method: failing or wrong answers stop it, and degraded ones beyond a stray 1 %."""

    def baseline(*spells, **more):
        return check_baseline(Scene(spells=spells, until_s=19.0, **more).case(finished=False)).answer

    assert baseline() is Answer.PASS
    assert baseline(Spell(10, 10.1)) is Answer.PASS
    assert baseline(Spell(10, 10.25)) is Answer.FAIL
    assert baseline(Spell(4, 19, "failed", 0.2)) is Answer.FAIL
    assert baseline(Spell(10, 10.1, "wrong")) is Answer.FAIL
    assert baseline(without=(EventKind.PHASE,)) is Answer.PASS
    assert check_baseline(Scene(without=(EventKind.PHASE,)).case()).answer is Answer.UNKNOWN


def test_dropped_operations_are_counted():
    """What could not be sent is said."""
    found = part(spells=(Spell(**DURING, what="dropped", share=0.01),))
    dropped = int(np.count_nonzero(Scene(spells=(Spell(**DURING, what="dropped", share=0.01),)).samples().outcome == 3))
    assert f"{dropped} operations could not be sent" in found.because
