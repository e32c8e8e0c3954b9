"""Circuit breakers seen from outside: the times are right, and each way of not working is found."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.judge.breakers import judge_breakers
from resilience.judge.degradation import check_degradation
from resilience.model import Answer, EventKind
from tests.judge.builder import Held, Scene, Spell
from tests.judge.degrading import CACHE, REDIS, declared, readings

QUIET = replace(CACHE, calls="")
CALLS = ((19.4, 200.0), (27.1, 1.0), (45.0, 200.0))


def spells(opened_s=19.4, closed_s=27.6, begin_s=19.0):
    """Everybody waits until the breaker opens; then fallbacks, until it closes."""
    return (
        Spell(begin_s, opened_s, "slow", operation="read-item"),
        Spell(opened_s, closed_s, "degraded", operation="read-item"),
    )


def judged(*more, opened_s=19.4, closed_s=27.6, breaker=QUIET, read=(), **scene):
    case = declared(
        Scene(spells=(*spells(opened_s, closed_s), *more), **scene),
        breakers=(breaker,),
        dependencies=(REDIS,),
        read=read,
    )
    return judge_breakers(case)


def answers(found):
    return {one.answer for one in found.findings}


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**16),
    opens_s=st.floats(0.05, 4.0),
    closes_s=st.floats(0.05, 5.0),
    rate=st.sampled_from([60.0, 250.0]),
)
def test_times_are_measured_within_the_resolution_that_is_stated(seed, opens_s, closes_s, rate):
    """Requirement J2: opening and closing, to the resolution in the verdict; the answer follows from the limits."""
    found = judged(opened_s=19.0 + opens_s, closed_s=27.1 + closes_s, seed=seed, rate=rate)
    (row,) = found.rows
    slack_s = row["resolution_s"] + 6 / rate  # no arrival may fall into the first moments
    assert row["time_to_open_s"] == pytest.approx(opens_s, abs=slack_s)
    assert row["time_to_close_s"] == pytest.approx(closes_s, abs=slack_s)
    late = opens_s > 2.0 + slack_s or closes_s > 3.0 + slack_s
    soon = opens_s < 2.0 - slack_s and closes_s < 3.0 - slack_s
    if late or soon:
        assert row["answer"] == ("fail" if late else "pass")


def test_half_open_probes_are_no_reason_to_call_it_closed_or_not_open():
    """One request in a hundred waits for the dependency while the breaker is open: that is how it finds out."""
    found = judged(Spell(19.4, 27.0, "slow", 0.01, operation="read-item"))
    assert answers(found) == {Answer.PASS}
    assert found.rows[0]["opened_s"] == pytest.approx(19.4, abs=0.12)
    assert 0.97 < found.rows[0]["fallbacks"] < 1


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"opened_s": 27.6}, "did not open"),
        ({"opened_s": 22.0}, "opened after 3.0"),
        ({"closed_s": 31.5}, "closed after 4."),
        ({"closed_s": 42.0}, "did not close"),
    ],
)
def test_what_is_too_late_or_never_fails(how, told):
    """Requirement J2: the limits of the file, and a breaker that never opens or never closes."""
    found = judged(**how)
    assert Answer.FAIL in answers(found)
    assert told in found.rows[0]["because"]
    assert found.rows[0]["answer"] == "fail"


@pytest.mark.parametrize("what", ["failed", "dropped", "wrong", "slow", "unknown"])
def test_while_it_is_open_what_is_asked_falls_back(what):
    """Requirement J2: one answer in five that is anything else is too many."""
    found = judged(Spell(20.0, 27.0, what, 0.2, operation="read-item"))
    assert "while it was open were quick fallbacks" in found.rows[0]["because"]
    assert Answer.FAIL in answers(found)


def test_other_operations_are_not_its_business():
    """Orders that fail meanwhile say nothing of the breaker of the cache."""
    assert answers(judged(Spell(19.0, 27.0, "failed", operation="place-order"))) == {Answer.PASS}


def test_a_breaker_that_opens_again_after_the_fault_fails():
    """It closes, and opens again and again."""
    found = judged(Spell(30.0, 33.0, "degraded", operation="read-item"))
    assert "once it had closed" in found.rows[0]["because"]


@pytest.mark.parametrize(
    ("read", "answer", "told"),
    [
        ((readings(*CALLS),), Answer.PASS, ""),
        ((readings((45.0, 50.0)),), Answer.FAIL, "called 50 times per second while it was open (limit 3)"),
        ((), Answer.UNKNOWN, "no reading is on record"),
        ((replace(readings(*CALLS), problems=("torn",)),), Answer.UNKNOWN, "torn"),
        ((readings(*CALLS, first_s=26.5),), Answer.UNKNOWN, "hardly read"),
        ((readings(*CALLS, name="other"),), Answer.UNKNOWN, "no reading is on record"),
        (
            (replace(readings(*CALLS), count=readings(*CALLS).count % 4000),),
            Answer.UNKNOWN,
            "began to count anew",
        ),
    ],
)
def test_who_still_calls_is_told_by_the_dependency(read, answer, told):
    """Requirement J2: probe traffic while open has a limit; a count that nobody read is not few calls."""
    if "anew" in told:
        count = readings(*CALLS).count.copy()
        count[46:] -= count[46]
        read = (replace(read[0], count=count),)
    found = judged(breaker=CACHE, read=read)
    assert Answer.worst(answers(found)) is answer
    assert told in " ".join(one.because for one in found.findings)


def test_calls_that_were_begun_before_it_opened_are_not_held_against_it():
    """They are counted when they end, after it has opened; from then on there are few (Requirement J2)."""
    slow_s = 0.6  # as the builder has it
    ended = (19.4, 200.0), (19.4 + slow_s, 150.0), (27.1, 1.0), (45.0, 200.0)
    found = judged(breaker=CACHE, read=(readings(*ended),))
    assert Answer.worst(answers(found)) is Answer.PASS
    assert found.rows[0]["calls_per_second"] == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("scene", "told"),
    [
        ({"faults": ()}, "did not take place"),
        ({"faults": (Held(without=(EventKind.CLEAR,)),)}, "never seen gone"),
        ({"faults": (Held(without=(EventKind.REVERTING,)),)}, "never seen gone"),
        ({"spells": ()}, "nothing tried it"),
        ({"spells": spells(20.5, 21.2), "faults": (Held(length_s=1.0),)}, "not open within"),
        ({"spells": spells(19.4, 30.0), "end_s": 29.0}, "not closed within"),
        ({"rate": 0.5, "spells": spells()}, "only"),
    ],
)
def test_what_was_not_watched_is_unknown(scene, told):
    """Requirement J2: no fault, no end, nothing affected, not watched for long enough, hardly any traffic."""
    found = judge_breakers(declared(Scene(**scene), breakers=(QUIET,), dependencies=(REDIS,)))
    assert Answer.worst(answers(found)) is Answer.UNKNOWN
    assert told in " ".join(one.because for one in found.findings)


def test_every_time_of_a_fault_is_judged():
    """Requirement J2: what is held three times has three rows; the one that is worse fails."""
    faults = tuple(
        Held(name=f"redis-down-{n}", of="redis-down", begin_s=at_s, length_s=5) for n, at_s in ((1, 19), (2, 32))
    )
    whole = (*spells(19.3, 24.4), *spells(35.5, 37.5, begin_s=32.0))
    case = declared(Scene(faults=faults, spells=whole, end_s=45.0), breakers=(QUIET,), dependencies=(REDIS,))
    found = judge_breakers(case)
    assert [(row["fault"], row["answer"]) for row in found.rows] == [("redis-down-1", "pass"), ("redis-down-2", "fail")]
    part = check_degradation(case)
    assert part.answer is Answer.FAIL
    assert part.data["breakers"] == list(found.rows)


def test_without_a_breaker_in_the_file_nothing_is_judged():
    """Older files are judged as they were."""
    assert judge_breakers(Scene().case()).findings == ()
