"""Tenants kept apart: one foreign row anywhere fails, and what was not looked at proves nothing."""

from dataclasses import replace

import numpy as np
import pytest

from resilience.judge.isolation import check_isolation, is_asked
from resilience.judge.verdict import judge
from resilience.model import Answer, Load, Operation, RedisCommand, Segment, Sql, SqlStatement
from tests.judge.builder import Scene

READ = Operation(name="read-item", weight=70, sql=Sql(statement="SELECT 1", tenant="owner"))
OTHERS = (
    Operation(name="read-order", weight=20, path="/orders"),
    Operation(name="place-order", weight=10, path="/orders"),
)
TENANTS = (Segment(name="red"), Segment(name="blue"))
LOAD = Load(rate=250, operations=(READ, *OTHERS), tenants=TENANTS)
FOREIGN = "wrong tenant: a row of 'blue' in an answer to 'red'"


def record(
    detail: str = "", *, places: tuple[int, ...] = (), tenants: int = 2, operation: str = "read-item", ok: bool = True
):
    """A healthy run in which some answers of an operation ended in another way."""
    made = Scene(faults=(), load=LOAD).record()
    samples = made.samples
    found = np.flatnonzero(samples.operation == samples.operations.index(operation))[list(places)]
    outcome, details = samples.outcome.copy(), samples.detail.copy()
    outcome[found], details[found] = 1, 3
    if not ok:
        outcome[samples.operation == 0] = 1
    samples = replace(
        samples,
        outcome=outcome,
        detail=details,
        details=(*samples.details, detail),
        tenant=(np.arange(len(samples)) % tenants).astype(np.int16),
        tenants=("red", "blue"),
    )
    return replace(made, samples=samples)


def part_of(made):
    """The part of the verdict."""
    return next((part for part in judge(made).parts if part.name == "isolation"), None)


def test_no_foreign_row_passes_and_says_how_many_answers_were_looked_at():
    """Requirement L7: the claim is about every answer of the run."""
    part = part_of(record())
    assert part.answer is Answer.PASS
    assert part.because.startswith("none of ")
    assert part.data["isolation"]["foreign"] == 0
    assert part.data["isolation"]["answers"] > 5000


@pytest.mark.parametrize("place", [0, 100, -1])
def test_one_foreign_row_anywhere_fails_whatever_objectives_allow(place):
    """In the first second or the last; it is named, and the run fails for it."""
    verdict = judge(record(FOREIGN, places=(place,)))
    part = next(part for part in verdict.parts if part.name == "isolation")
    assert (verdict.answer, part.answer) == (Answer.FAIL, Answer.FAIL)
    assert part.because.startswith("1 of ")
    assert part.evidence[0].endswith(FOREIGN)
    assert part.evidence[0].startswith("read-item at ")


def test_another_kind_of_failure_is_no_foreign_row():
    """Nor is a text that only mentions it."""
    assert part_of(record("unexpected answer: wrong tenant: x", places=(5,))).answer is Answer.PASS


def test_what_says_nothing_of_tenants_is_not_looked_at():
    """An operation without the column cannot be told apart, and does not count."""
    assert part_of(record(FOREIGN, places=(5,), operation="read-order")).answer is Answer.PASS


def test_no_good_answer_is_unknown():
    """Failures of every other kind were never looked at."""
    part = part_of(record(ok=False))
    assert (part.answer, part.data["isolation"]["answers"]) == (Answer.UNKNOWN, 0)


def test_one_tenant_alone_is_unknown():
    """There was nobody whose rows it could have seen."""
    assert part_of(record(tenants=1)).answer is Answer.UNKNOWN


def test_it_is_judged_only_where_it_was_asked_for():
    """By a statement, one of several, or a command; other runs have no such part."""
    assert part_of(Scene(faults=()).record()) is None
    many = Sql(statements=(SqlStatement(statement="SELECT 1"), SqlStatement(statement="SELECT 2", tenant="owner")))
    command = RedisCommand(command=("GET", "x"), tenant="owner")
    asking = [replace(READ, sql=many), replace(READ, sql=None, redis=command)]
    assert [is_asked(replace(LOAD, operations=(one,))) for one in asking] == [True, True]
    assert not is_asked(replace(LOAD, operations=(replace(READ, sql=Sql(statement="SELECT 1")),)))
    assert check_isolation(Scene(faults=(), load=LOAD).case()).answer is Answer.UNKNOWN
