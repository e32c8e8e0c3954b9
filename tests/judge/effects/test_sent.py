"""What was sent: which entries must and may have had their effect, and ledgers that contradict themselves."""

from dataclasses import replace

import numpy as np
import pytest

from resilience.judge.effects.sent import per_object, sent
from tests.judge.builder import K, R, U
from tests.judge.effects.made import OBJECTS, READ_NS, Write, lines_of

WRITES = [
    Write((0, 0, 0), K, 1, 2, 5, 1),
    Write((0, 0, 1), R, 3, 4, 6, 1),
    Write((0, 0, 2), U, 5, 6, 7, 2),
    Write((1, 0, 0), K, 5, READ_NS + 1, 8, 0),
    Write((2, 0, 0), None, 9, 9, 9, 0),
]


def test_what_must_and_what_may():
    """Acknowledged in time is sure; unknown, open or acknowledged too late is unsure; rejected is neither."""
    told = sent(lines_of(WRITES), READ_NS, objects=OBJECTS)
    assert told.problems == ()
    assert told.sure.tolist() == [True, False, False, False, False]
    assert told.unsure.tolist() == [False, False, True, True, True]
    assert told.late == 1
    assert told.begun_ns.tolist() == [1, 3, 5, 5, 9]
    assert told.value.tolist() == [5, 6, 7, 8, 9]
    assert per_object(told, told.unsure, told.value).tolist() == [17, 0, 7]


@pytest.mark.parametrize(
    ("column", "values", "says"),
    [
        ("value", [5, 6], "say something else"),
        ("object", [1, 2], "say something else"),
        ("object", [9, 9], "objects that the account does not have"),
        ("object", [-1, -1], "objects that the account does not have"),
        ("other", [OBJECTS, OBJECTS], "objects that the account does not have"),
    ],
)
def test_a_ledger_that_contradicts_itself_is_told(column, values, says):
    """What was to be done stands the same on every line of an entry, and is about an object that there is."""
    lines = replace(lines_of(WRITES[:1]), **{column: np.asarray(values)})
    problems = sent(lines, READ_NS, objects=OBJECTS).problems
    assert len(problems) == 1
    assert says in problems[0]
