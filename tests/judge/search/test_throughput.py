"""A capacity run judged from its record. Requirement M6."""

from dataclasses import replace

import pytest

from resilience.columns import Record
from resilience.judge.case import prepare
from resilience.judge.search.throughput import check_little, check_scalability, check_throughput
from resilience.judge.search.told import LEVEL, PURPOSE
from resilience.judge.verdict import judge
from resilience.model import Answer, Capacity, Event, EventKind
from resilience.spec.thresholds import parse_objective
from tests.judge.builder import honest
from tests.judge.search.samples import joined, samples

USERS = (1, 2, 4, 8, 16, 32)
CAPACITY = Capacity(users=USERS, objectives=(parse_objective("p(95)<250"),))


def record_of(rate, took_ms=None, *, capacity: Capacity = CAPACITY, users=USERS, late_ms: float = 0.0) -> Record:
    """So many a second at each number of users; unless said, each takes as long as Little's law wants."""
    base, events, pieces, at_s = honest().record(), [], [], 10.0
    for count in users:
        took = 1000 * count / rate(count) if took_ms is None else took_ms(count)
        pieces.append(samples(int(rate(count) * 8), 8.0, took, late_ms=late_ms, begin_s=at_s - 2.0))
        events.append(Event(at_s + 5, EventKind.MARK, LEVEL, {"users": count, "start_s": at_s, "end_s": at_s + 5.0}))
        at_s += 10.0
    header = Event(0.0, EventKind.HEADER, "", {PURPOSE: "capacity"})
    return replace(
        base,
        experiment=replace(base.experiment, capacity=capacity, steps=()),
        events=(header, *events, Event(at_s, EventKind.END)),
        samples=joined(pieces),
    )


def pool(most: float):
    """Twenty a second for each user, up to the size of a pool."""
    return lambda users: min(20.0 * users, most)


def test_capacity_is_told_with_the_users_it_needs():
    """With 100/s at the most, 8 users have all of it: the fewest who do, of those for whom objectives held."""
    part = check_throughput(prepare(record_of(pool(100))))
    assert part.answer is Answer.PASS
    told = part.data["capacity"]
    assert told["best"]["users"] == 8
    assert told["best"]["rps"] == pytest.approx(100, rel=0.02)
    assert [level["users"] for level in told["levels"]] == list(USERS)
    assert "1 copy bears 100.0/s at 8 users" in part.because


def test_the_most_that_was_tried_may_not_be_the_most():
    """Still growing at the last level: it says so."""
    part = check_throughput(prepare(record_of(lambda users: 30.0 * users)))
    assert part.data["capacity"]["best"]["users"] == 32
    assert "it may bear more" in part.because


def test_a_target_that_is_never_good_enough_fails():
    """Certainly slower than allowed with a single user already."""
    part = check_throughput(prepare(record_of(lambda _users: 40.0, lambda _users: 900.0)))
    assert part.answer is Answer.FAIL


def test_levels_that_are_missing_or_spoiled_are_unknown():
    """Cut short after three; or measured by a generator that was late."""
    assert check_throughput(prepare(record_of(pool(100), users=USERS[:3]))).answer is Answer.UNKNOWN
    spoiled = check_throughput(prepare(record_of(pool(100), late_ms=300.0)))
    assert spoiled.answer is Answer.UNKNOWN
    assert "the generator was the limit" in spoiled.because


def test_littles_law_finds_what_was_measured_wrong():
    """Right, and with response times that are half of what they must have been."""
    assert check_little(prepare(record_of(pool(100)))).answer is Answer.PASS
    wrong = check_little(prepare(record_of(pool(100), lambda users: 500 * users / pool(100)(users))))
    assert wrong.answer is Answer.UNKNOWN
    assert "suspect" in wrong.because


def test_a_law_that_does_not_fit_says_nothing_of_a_peak():
    """What collapses; what goes on growing; too few levels."""
    good = check_scalability(prepare(record_of(lambda users: 20 * users / (1 + 0.05 * (users - 1)))))
    assert good.answer is Answer.PASS
    assert "beyond the 32 users that were measured" in good.because
    collapsing = check_scalability(prepare(record_of(lambda users: 20 * users if users < 16 else 15)))
    assert collapsing.answer is Answer.UNKNOWN
    assert "misses a level" in collapsing.because
    few = check_scalability(prepare(record_of(pool(100), users=USERS[:4])))
    assert few.answer is Answer.UNKNOWN


def test_the_verdict_of_a_capacity_run_has_its_own_parts():
    """And is unknown without a single level."""
    verdict = judge(record_of(pool(100)))
    names = ["throughput", "little", "scalability", "writes", "faults", "validity"]
    assert [part.name for part in verdict.parts] == names
    assert verdict.document["capacity"]["best"]["users"] == 8
    base = record_of(pool(100))
    empty = replace(base, events=tuple(one for one in base.events if one.kind is not EventKind.MARK))
    answers = {part.name: part.answer for part in judge(empty).parts}
    assert answers["throughput"] is answers["little"] is answers["scalability"] is Answer.UNKNOWN
