"""Lists against the definition, written down as plainly as it can be."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.judge.effects.append import PLACES
from tests.judge.builder import K, truth_rows
from tests.judge.effects.made import OBJECTS, READ_NS, Write, account, judged, ledgers

LISTS = account("append")
NOBODY = (8, 0, 0)


def held(elements):
    """A store with elements (name, list, place)."""
    names = [name for name, _, _ in elements]
    positions = [number * PLACES + place for _, number, place in elements]
    return truth_rows(names, positions=positions, read_ns=READ_NS)


def oracle(writes, elements):
    """The classes, element by element."""
    by_name = {write.name: write for write in writes}
    times = Counter(name for name, _, _ in elements)
    first = {}
    for name, number, place in elements:
        first[name] = min(first.get(name, (99, 99)), (number, place))
    at_home = {w.name: first[w.name][1] for w in writes if w.sure and first.get(w.name, (99,))[0] == w.object}
    disorder = {
        name
        for name, place in at_home.items()
        for other, earlier in at_home.items()
        if other[:2] == name[:2] and other[2] < name[2] and by_name[other].object == by_name[name].object
        if earlier >= place
    }
    strays = {name for name, number, _ in elements if name in by_name and by_name[name].object != number}
    right = {w.name for w in writes if w.sure and times[w.name] == 1} - disorder - strays
    return {
        "lost": sum(1 for w in writes if w.sure and not times[w.name]),
        "duplicated": sum(1 for w in writes if times[w.name] > 1),
        "misattributed": len(strays),
        "out_of_order": len(disorder),
        "phantom": sum(1 for name, _, _ in elements if name not in by_name),
        "verified": len(right),
    }


@st.composite
def histories(draw):
    """Appends, and lists that may hold anything."""
    writes = draw(ledgers())
    names = st.sampled_from([write.name for write in writes] + [NOBODY])
    elements = draw(st.lists(st.tuples(names, st.integers(0, OBJECTS - 1), st.integers(0, 9)), max_size=6))
    homes = [(w.name, w.object, draw(st.integers(0, 9))) for w in writes if draw(st.booleans())]
    return writes, elements + homes


@given(histories())
def test_every_class_equals_the_oracle(history):
    """Requirement J4: whatever was appended and whatever is there."""
    writes, elements = history
    counts = judged(LISTS, writes, held(elements)).counts
    expected = oracle(writes, elements)
    assert {name: counts[name] for name in expected} == expected


FIRST, SECOND = Write((0, 0, 0), K, 1, 2, 0, 0), Write((0, 0, 1), K, 3, 4, 0, 0)


@pytest.mark.parametrize(
    ("elements", "told"),
    [
        ([(FIRST.name, 0, 0)], "lost"),
        ([(FIRST.name, 0, 0), (SECOND.name, 1, 0)], "misattributed"),
        ([(FIRST.name, 0, 1), (SECOND.name, 0, 0)], "out_of_order"),
        ([(FIRST.name, 0, 0), (SECOND.name, 0, 1), (SECOND.name, 0, 2)], "duplicated"),
        ([(FIRST.name, 0, 0), (SECOND.name, 0, 1), (NOBODY, 0, 2)], "phantom"),
    ],
)
def test_each_class_has_a_planted_positive(elements, told):
    """One history for each class, which fails for that and nothing else."""
    found = judged(LISTS, [FIRST, SECOND], held(elements))
    assert found.counts[told] == 1
    assert len(found.broken) == 1


def test_places_in_different_lists_say_nothing_of_each_other():
    """The second may stand at a smaller place, if it is another list."""
    writes = [FIRST, Write((0, 0, 1), K, 3, 4, 0, 1)]
    assert judged(LISTS, writes, held([(FIRST.name, 0, 5), ((0, 0, 1), 1, 0)])).broken == ()
