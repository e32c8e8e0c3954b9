"""Counters against the definition, written down as plainly as it can be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.judge.builder import K, R, U, truth_rows
from tests.judge.effects.made import OBJECTS, READ_NS, Write, account, judged, ledgers

COUNTER = account("counter")


def held(values):
    """A store that holds a value for each object that is named."""
    return truth_rows([(0, 0, number) for number in values], positions=list(values.values()), read_ns=READ_NS)


def oracle(writes, values):
    """Bounds by going through everything once for each object."""
    under, over, right = set(), set(), set()
    for number in range(OBJECTS):
        mine = [write for write in writes if write.object == number]
        low = sum(w.value for w in mine if w.sure) + sum(min(w.value, 0) for w in mine if w.unsure)
        high = sum(w.value for w in mine if w.sure) + sum(max(w.value, 0) for w in mine if w.unsure)
        value = values.get(number, 0)
        under |= {number} if value < low else set()
        over |= {number} if value > high else set()
        right |= {number} if low <= value <= high and any(w.sure or w.unsure for w in mine) else set()
    return {"under_applied": len(under), "over_applied": len(over), "verified": len(right)}


stores = st.dictionaries(st.integers(0, OBJECTS - 1), st.integers(-3, 25))


@given(ledgers(values=st.integers(-2, 5)), stores)
def test_every_counter_is_compared_with_its_bounds(writes, values):
    """Requirement J4: whatever was written and whatever is there."""
    counts = judged(COUNTER, writes, held(values)).counts
    assert {name: counts[name] for name in ("under_applied", "over_applied", "verified")} == oracle(writes, values)
    assert counts["phantom"] == counts["duplicated"] == 0


@given(ledgers())
def test_one_acknowledged_amount_more_that_is_not_there_is_one_counter_too_low(writes):
    """An exact store passes; with one write more that it does not have, it fails, and for nothing else."""
    exact = {number: sum(w.value for w in writes if w.sure and w.object == number) for number in range(OBJECTS)}
    before = judged(COUNTER, writes, held(exact))
    assert before.broken == ()
    after = judged(COUNTER, [*writes, Write((7, 0, 0), K, 1, 2, 1000, 1)], held(exact))
    assert after.counts["under_applied"] == 1
    assert after.broken == ("1 counter is below what was acknowledged",)


@given(ledgers(marks=(K, K, R)), stores)
def test_to_have_seen_less_never_makes_a_failure(writes, values):
    """What was acknowledged may as well have been indeterminate: bounds only get wider."""
    before = judged(COUNTER, writes, held(values)).counts
    unsure = [Write(w.name, U if w.mark is K else w.mark, w.begun, w.settled, w.value, w.object) for w in writes]
    unsure = [Write((n, 0, 0), w.mark, w.begun, w.settled, w.value, w.object) for n, w in enumerate(unsure)]
    after = judged(COUNTER, unsure, held(values)).counts
    assert after["under_applied"] <= before["under_applied"]
    assert after["over_applied"] <= before["over_applied"]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([(0, 0, 0), (0, 0, 0)], "duplicated"),
        ([(0, 0, 0), (0, 0, OBJECTS)], "phantom"),
        ([(0, 0, 0), (1, 0, 0)], "phantom"),
        ([(0, 0, 0), (-1, -1, -1)], "phantom"),
    ],
)
def test_a_row_too_many_is_found(rows, told):
    """The same object twice, an object that is not there, another account's, one that cannot be read."""
    writes = [Write((0, 0, 0), K, 1, 2, 5, 0)]
    found = judged(COUNTER, writes, truth_rows(rows, positions=[5] * len(rows), read_ns=READ_NS))
    assert found.counts[told] == 1
    assert len(found.broken) == 1


def test_which_counter_is_off_and_by_how_much_is_told():
    """An engineer sees what is there beside what should be."""
    found = judged(COUNTER, [Write((0, 0, 0), K, 1, 2, 5, 2), Write((0, 0, 1), R, 3, 4, 5, 2)], held({2: 10}))
    assert found.evidence == ("over_applied: object 2 holds 10, at most 5 was expected",)
