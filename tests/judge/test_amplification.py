"""Calls per operation, under a fault beside the baseline, from the dependency's own count."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.judge.amplification import judge_calls
from resilience.judge.degradation import check_degradation
from resilience.model import Answer, EventKind
from tests.judge.builder import Held, Scene, Spell
from tests.judge.degrading import REDIS, declared, readings

EVEN = Scene(poisson=False, rate=200.0)


def judged(*rates, scene=EVEN, dependency=REDIS, read=None):
    found = readings(*rates) if read is None else read
    return judge_calls(declared(scene, dependencies=(dependency,), read=(found,)))


def answer(found):
    return Answer.worst(one.answer for one in found.findings)


@settings(deadline=None, max_examples=60)
@given(before=st.floats(5.0, 500.0), factor=st.floats(0.0, 12.0))
def test_the_factor_is_that_of_the_calls(before, factor):
    """Requirement J1: calls per operation under the fault over those of the baseline, diluted by at most 1.5 s."""
    found = judged((19.0, before), (27.1, before * factor), (45.0, before))
    (row,) = found.rows
    seconds = row["operations"] / 200.0
    expected = (factor * 8.1 + seconds - 8.1) / seconds
    assert 9.1 <= seconds <= 10.1
    assert row["amplification"] == pytest.approx(expected, rel=0.02)
    assert row["baseline_per_operation"] == pytest.approx(before / 200.0, rel=0.02)
    if abs(expected - 2.0) > 0.05:
        assert answer(found) is (Answer.FAIL if expected > 2.0 else Answer.PASS)


def test_what_comes_right_after_the_fault_counts():
    """Requirement J1: who holds back its retries until the dependency is there again floods it then."""
    assert answer(judged((19.0, 100.0), (27.2, 0.0), (28.2, 9000.0), (45.0, 100.0))) is Answer.FAIL


def test_the_limit_may_be_for_calls_outright():
    """At most so many calls per operation, however many there were before."""
    rates = ((19.0, 10.0), (27.1, 150.0), (45.0, 10.0))
    for limit, expected in ((0.7, Answer.PASS), (0.5, Answer.FAIL)):
        assert (
            answer(judged(*rates, dependency=replace(REDIS, amplification=None, calls_per_operation=limit))) is expected
        )


def test_only_the_operations_it_is_called_for_are_counted():
    """Calls per order, not per request of any kind; what could not be sent called nobody."""
    one = replace(REDIS, operations=("place-order",))
    (row,) = judged((45.0, 100.0), dependency=one).rows
    assert row["calls_per_operation"] == pytest.approx(5.0, rel=0.2)
    dropped = EVEN.but(spells=(Spell(18.0, 30.0, "dropped"),))
    assert "no operation was sent" in judged((45.0, 100.0), scene=dropped).findings[0].because


@pytest.mark.parametrize(
    ("rates", "change", "told"),
    [
        (((45.0, 100.0),), {"problems": ("torn",)}, "not whole: torn"),
        (((19.0, 0.0), (45.0, 100.0)), {}, "not called in the baseline"),
    ],
)
def test_what_cannot_be_told_is_unknown(rates, change, told):
    """Requirement J1: damage, and nothing to compare with."""
    found = judged(read=replace(readings(*rates), **change))
    assert answer(found) is Answer.UNKNOWN
    assert told in found.findings[0].because


@pytest.mark.parametrize(
    ("begin_s", "end_s", "told"),
    [
        (19.0, 27.0, ""),
        (20.0, 30.0, ""),
        (10.0, 40.0, "farther than 3 s"),
        (15.0, 22.0, "farther than 3 s"),
        (0.0, 20.0, "no reading before"),
        (27.0, 45.0, "none after"),
        (3.0, 17.5, "hardly read in the baseline"),
    ],
)
def test_readings_may_be_missing_inside_the_fault_and_nowhere_else(begin_s, end_s, told):
    """A counter that only grows need not be read while its dependency hangs: before and after is enough."""
    whole = readings((45.0, 100.0))
    kept = (whole.at_ns < begin_s * 1e9) | (whole.at_ns >= end_s * 1e9)
    gaps = replace(whole, at_ns=whole.at_ns[kept], count=whole.count[kept], epoch=whole.epoch[kept])
    found = judged(read=gaps)
    assert answer(found) is (Answer.UNKNOWN if told else Answer.PASS)
    assert told in found.findings[0].because


@pytest.mark.parametrize("how", ["epoch", "count"])
def test_a_counter_that_began_anew_says_nothing(how):
    """A dependency that was started again, or whose statistics were reset, in the middle of the fault."""
    whole = readings((45.0, 100.0))
    later = whole.at_ns > 23e9
    if how == "epoch":
        found = judged(read=replace(whole, epoch=later.astype(np.int32)))
    else:
        found = judged(read=replace(whole, count=np.where(later, whole.count - 2300.0, whole.count)))
    assert answer(found) is Answer.UNKNOWN
    assert "began to count anew" in found.findings[0].because


def test_no_readings_and_no_end_of_the_fault():
    """Neither is few calls."""
    case = declared(EVEN, dependencies=(REDIS,))
    assert answer(judge_calls(case)) is Answer.UNKNOWN
    open_end = EVEN.but(faults=(Held(without=(EventKind.CLEAR,)),))
    assert "never seen gone" in judged((45.0, 1.0), scene=open_end).findings[0].because


def test_it_is_part_of_degradation_and_only_where_it_is_asked_for():
    """The figures stand in the verdict; a dependency that only a breaker looks at has no limit of its own."""
    case = declared(EVEN, dependencies=(REDIS,), read=(readings((19.0, 100.0), (27.1, 900.0), (45.0, 100.0)),))
    part = check_degradation(case)
    assert part.answer is Answer.FAIL
    assert part.data["amplification"][0]["amplification"] > 2
    assert judged((45.0, 1.0), dependency=replace(REDIS, amplification=None)).findings == ()
