"""Units of several rows: all or none, whatever became of them, beside a naive count of rows."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.judge.effects import EFFECTS
from resilience.judge.effects.plants import canary, plants
from resilience.judge.effects.sent import sent
from tests.judge.builder import K, R, U, truth_rows
from tests.judge.effects.made import OBJECTS, READ_NS, Write, account, judged, ledgers, lines_of

SENT = [Write((0, 0, seq), K, 2 * seq, 2 * seq + 1) for seq in range(6)]
NOBODY = (7, 0, 0)


def rows_of(*names, torn=()):
    """A store that holds these rows, in this order."""
    return truth_rows(list(names), torn=torn, read_ns=READ_NS)


def whole(writes, rows):
    """All rows of each, one unit after another."""
    return [write.name for write in writes for _ in range(rows)]


@pytest.mark.parametrize("mark", [K, U, R])
@pytest.mark.parametrize("there", [1, 2])
def test_a_unit_in_part_fails_whatever_its_client_was_told(mark, there):
    """Requirement J4: acknowledged, unsure or refused, a part of it is there and a part is not."""
    half = Write((1, 0, 0), mark, 50, 51)
    found = judged(account("insert", rows=3), [*SENT, half], rows_of(*whole(SENT, 3), *[half.name] * there))
    assert found.counts["partial"] == 1
    assert "1 write is stored in part" in found.broken
    assert f"partial: w1.0: 0 has {there} rows, 3 are a whole" in found.evidence
    assert (found.counts["lost"], found.counts["recovered"], found.counts["verified"]) == (0, 0, 6)
    assert found.counts["rejected_present"] == (mark is R)


def test_what_is_unsure_is_there_or_not():
    """Both are fine, as long as it is one of them."""
    unsure = [Write((1, epoch, 0), U, 50 + epoch, 60 + epoch) for epoch in range(2)]
    found = judged(account("insert", rows=2), [*SENT, *unsure], rows_of(*whole([*SENT, unsure[0]], 2)))
    assert found.broken == ()
    assert (found.counts["recovered"], found.counts["vanished"], found.counts["verified"]) == (1, 1, 6)


def test_a_row_that_is_not_intact_spoils_its_unit():
    """Whichever of them it is."""
    for torn in (4, 5):
        found = judged(account("insert", rows=2), SENT, rows_of(*whole(SENT, 2), torn=(torn,)))
        assert (found.counts["corrupted"], found.counts["verified"]) == (1, 5)
        assert found.counts["partial"] == 0


def test_a_unit_stands_where_its_first_row_does():
    """Rows of different units may be stored among each other; a unit that began before an earlier one may not."""
    names = whole(SENT, 2)
    mixed = [*names[:1], names[2], names[1], *names[3:]]
    assert judged(account("insert", rows=2), SENT, rows_of(*mixed)).broken == ()
    early = [names[2], *names[:2], *names[3:]]
    assert judged(account("insert", rows=2), SENT, rows_of(*early)).counts["out_of_order"] == 1


@st.composite
def stores(draw):
    """Writes, how many rows a unit has, and any rows in any order."""
    writes = draw(ledgers())
    names = [write.name for write in writes]
    held = draw(st.lists(st.sampled_from([*names, NOBODY]), max_size=20))
    return writes, draw(st.integers(1, 4)), held


@given(stores())
def test_it_counts_as_one_does_by_hand(drawn):
    """A dictionary of rows, and the definitions word by word."""
    writes, rows, held = drawn
    counts = judged(account("insert", rows=rows), writes, rows_of(*held)).counts
    there = Counter(held)
    units = {write.name: -(-there[write.name] // rows) for write in writes}
    partial = {name for name in units if there[name] % rows}
    assert counts.get("partial", 0) == len(partial)
    assert counts["phantom"] == there[NOBODY]
    assert counts["lost"] == sum(write.sure and units[write.name] == 0 for write in writes)
    assert counts["duplicated"] == sum(count > 1 for count in units.values())
    assert counts["rejected_present"] == sum(write.mark is R and units[write.name] > 0 for write in writes)
    unsure = [write.name for write in writes if write.mark in {U, None}]
    assert counts["recovered"] == sum(units[name] == 1 and name not in partial for name in unsure)
    assert counts["vanished"] == sum(units[name] == 0 for name in unsure)


@given(ledgers(most=12), st.integers(2, 4))
def test_an_honest_store_passes_and_every_plant_in_it_is_found(writes, rows):
    """Requirement J4: no false alarm, and whatever is planted adds one to its class, half a unit too."""
    one = account("insert", rows=rows)
    done = sorted((write for write in writes if write.sure), key=lambda write: write.begun)
    truth = rows_of(*whole(done, rows))
    found = judged(one, writes, truth)
    assert found.broken == ()
    told = sent(lines_of(writes), READ_NS, objects=OBJECTS)
    amiss = canary(EFFECTS[one.effect], told, truth, one, found)
    assert amiss == ("" if len(found.right) else "nothing was verified, so that no error could be planted")
    planted = {name for name, _ in plants(told, truth, one, found.right)}
    assert planted == ({"phantom", "partial", "lost", "duplicated", "corrupted"} if done else {"phantom"})


def test_a_row_each_is_what_it_always_was():
    """Without `rows` nothing is counted that was not, and the same figures come."""
    truth = rows_of(*whole(SENT, 1))
    plain = judged(account("insert"), SENT, truth)
    assert "partial" not in plain.counts
    assert np.array_equal(plain.right, judged(account("queue"), SENT, truth).right)
