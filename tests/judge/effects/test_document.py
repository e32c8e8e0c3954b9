"""Documents against the definition, written down as plainly as it can be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.judge.effects.document import CLASSES
from tests.judge.builder import K, R, U, truth_rows
from tests.judge.effects.made import OBJECTS, READ_NS, Write, account, judged, ledgers, versioned

RULES = {True: account("document"), False: account("document", ordered=False)}
NOBODY = ((-1, -1, -1), (8, 0, 0))


def may_be_last(write, mine, ordered):
    """Whether a write may be what is there."""
    if not (write.sure or write.unsure):
        return False
    if ordered:
        highest = max((abs(w.value) for w in mine if w.sure), default=0)
        return abs(write.value) > highest if write.unsure else abs(write.value) == highest
    return write.unsure or not any(w.sure and w.begun > write.settled for w in mine)


def oracle(writes, rows, torn, ordered):
    """The classes, object by object and row by row."""
    counts = dict.fromkeys(CLASSES, 0)
    by_name = {write.name: write for write in writes}
    right = set()
    for place, (name, number) in enumerate(rows):
        write = by_name.get(name)
        mine = [w for w in writes if write and w.object == write.object]
        if write is None or write.value < 0:
            counts["phantom"] += 1
        elif write.object != number:
            counts["misattributed"] += 1
        elif not (write.sure or write.unsure):
            counts["rejected_present"] += 1
        elif place in torn:
            counts["corrupted"] += 1
        elif not may_be_last(write, mine, ordered):
            sure = [w for w in mine if w.sure]
            last = max(sure, key=lambda w: abs(w.value) if ordered else w.begun)
            counts["resurrected" if last.value < 0 else "lost_updates"] += 1
        else:
            counts["recovered"] += write.unsure
            right |= set() if write.unsure else {number}
    for number in range(OBJECTS):
        mine = [w for w in writes if w.object == number]
        there = sum(1 for _, one in rows if one == number)
        absent = not any(w.sure for w in mine) or any(w.value < 0 and may_be_last(w, mine, ordered) for w in mine)
        counts["duplicated"] += there > 1
        counts["lost"] += there == 0 and not absent
        gone = there == 0 and absent and any(w.sure for w in mine)
        counts["verified"] += gone or (there == 1 and number in right)
    return counts


@st.composite
def histories(draw):
    """Writes, and a store that holds any of them anywhere."""
    writes = versioned(draw(ledgers()))
    names = [write.name for write in writes] + list(NOBODY)
    right = [(write.name, write.object) for write in writes]
    anything = st.tuples(st.sampled_from(names), st.integers(0, OBJECTS))
    rows = draw(st.lists(st.one_of(*([st.sampled_from(right)] if right else []), anything), max_size=5))
    torn = draw(st.sets(st.integers(0, 4), max_size=1))
    return writes, rows, {place for place in torn if place < len(rows)}


def held(rows, torn=()):
    """A store with those rows."""
    names, numbers = [name for name, _ in rows], [number for _, number in rows]
    return truth_rows(names, torn=torn, positions=numbers, read_ns=READ_NS)


@given(histories(), st.booleans())
def test_every_class_equals_the_oracle(history, ordered):
    """Requirement J4: whatever was written and whatever is there, with versions and without."""
    writes, rows, torn = history
    assert judged(RULES[ordered], writes, held(rows, torn)).counts == oracle(writes, rows, torn, ordered)


@given(histories(), st.booleans(), st.randoms(use_true_random=False))
def test_a_store_that_does_one_after_the_other_passes(history, ordered, random):
    """Every write has its effect at one instant while it is under way, or never if nobody knows: nothing is broken."""
    writes, *_ = history
    happened = [w for w in writes if w.sure or (w.unsure and random.random() < 0.5)]
    if ordered:
        happened.sort(key=lambda w: abs(w.value))
    else:
        ends = {w.name: w.settled if w.sure else w.settled + 50 for w in happened}
        happened.sort(key=lambda w: random.uniform(w.begun, ends[w.name]))
    there = {}
    for write in happened:
        there[write.object] = write
    rows = [(write.name, number) for number, write in there.items() if write.value > 0]
    assert judged(RULES[ordered], writes, held(rows)).broken == ()


FIRST, SECOND = Write((0, 0, 0), K, 1, 2, 1, 0), Write((1, 0, 0), K, 3, 4, 2, 0)
GONE = Write((1, 0, 0), K, 3, 4, -2, 0)


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(
    ("writes", "rows", "told"),
    [
        ([FIRST, SECOND], [(FIRST.name, 0)], "lost_updates"),
        ([FIRST, GONE], [(FIRST.name, 0)], "resurrected"),
        ([FIRST, SECOND], [], "lost"),
        ([FIRST, SECOND], [(SECOND.name, 1)], "misattributed"),
        ([FIRST, Write((1, 0, 0), R, 3, 4, 2, 0)], [((1, 0, 0), 0)], "rejected_present"),
        ([FIRST, SECOND], [(SECOND.name, 0), (SECOND.name, 0)], "duplicated"),
        ([FIRST, SECOND], [(SECOND.name, 0), ((8, 0, 0), 1)], "phantom"),
        ([FIRST, Write((1, 0, 0), U, 3, 4, 2, 0)], [((1, 0, 0), 0)], "recovered"),
    ],
)
def test_each_class_has_a_planted_positive(ordered, writes, rows, told):
    """One history for each class, in which it is found."""
    found = judged(RULES[ordered], writes, held(rows))
    assert found.counts[told] == 1
    assert (found.broken == ()) is (told == "recovered")


def test_a_write_that_was_under_way_with_the_removal_may_stay():
    """Without versions neither order can be told from the other; with them the higher one is the last."""
    both = [Write((0, 0, 0), K, 1, 9, 1, 0), Write((1, 0, 0), K, 3, 4, -2, 0)]
    assert judged(RULES[False], both, held([((0, 0, 0), 0)])).broken == ()
    assert judged(RULES[True], both, held([((0, 0, 0), 0)])).counts["resurrected"] == 1
