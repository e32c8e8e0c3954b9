"""Classes of writes where numbers are large, far apart, negative or equal, and a ledger is gone through in parts."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from resilience.columns import Truth
from resilience.judge import entries as entries_module
from resilience.judge import taxonomy
from resilience.judge.entries import index
from resilience.judge.taxonomy import CLASSES, classify
from tests.judge.builder import MISSED, SEEN, A, K, ledger_lines, steady_ledger, stored, truth_rows


def acknowledged(*names, at_ns=1):
    """Lines of writes that were acknowledged."""
    return [(*name, mark, at_ns) for name in names for mark in (A, K)]


def sizes(lines, truth):
    """How many are in each class."""
    found = classify(index(ledger_lines(lines)), truth)
    return {name: found.count(name) for name in (*CLASSES, "phantom")}


ONE, TWO, THREE = [[(writer, 0, seq) for seq in range(4)] for writer in range(3)]


@pytest.mark.parametrize("copies", [2, 65_535, 65_536, 65_537])
def test_however_many_copies_a_write_has_it_is_duplicated_and_nothing_else(copies):
    """The counter of rows has 16 bits: one that began again at 0 would call it lost, or verified."""
    found = sizes(acknowledged((0, 0, 0)), truth_rows([(0, 0, 0)] * copies))
    assert {name: count for name, count in found.items() if count} == {"duplicated": 1, "over_applied": 1}


@pytest.mark.parametrize(
    "positions",
    [
        (0, 1, 2, 3),
        (-2, -1, 0, 1),
        (2**32 - 2, 2**32 - 1, 2**32, 2**32 + 1),
        (-(2**33), 0, 2**33, 2**34),
        (-(2**63), -(2**62), 0, 2**63 - 1),
        (2**63 - 4, 2**63 - 3, 2**63 - 2, 2**63 - 1),
    ],
)
def test_positions_may_be_any_64_bit_numbers(positions):
    """Only their order counts: ascending is in order, two of them swapped is one out of order."""
    lines = acknowledged(*ONE)
    assert sizes(lines, truth_rows(ONE, positions=positions))["out_of_order"] == 0
    swapped = (positions[1], positions[0], *positions[2:])
    assert sizes(lines, truth_rows(ONE, positions=swapped))["out_of_order"] == 1


def test_two_writes_at_one_position_are_out_of_order():
    """Nobody can say that the later one is stored later."""
    assert sizes(acknowledged(*ONE[:2]), truth_rows(ONE[:2], positions=(5, 5)))["out_of_order"] == 1
    assert sizes(acknowledged(*ONE), truth_rows(ONE, positions=(5, 9, 7, 9)))["out_of_order"] == 2


@pytest.mark.parametrize("far", [1, 2**30, 2**59])
def test_the_disorder_of_one_writer_is_no_other_writers(far):
    """Each writer has an order of its own, wherever its rows stand among the others', near or far."""
    names = [*ONE, *TWO, *THREE]
    where = np.array([0, 2, 1, 7, 0, 1, 0, 7, 4, 5, 6, 7]) * far
    lines, truth = acknowledged(*names), truth_rows(names, positions=where)
    entries = index(ledger_lines(lines))
    disorder = classify(entries, truth).members["out_of_order"].tolist()
    assert [entries.name(slot) for slot in disorder] == [(0, 0, 2), (1, 0, 2)]


def test_the_last_rows_of_all_are_as_good_as_the_first():
    """A row of nobody's stands so far in front that sums of two ranks would not fit in 32 bits."""
    names = [*ONE, *TWO]
    high = [2**31 - 2 + number for number in (0, 1, 2, 5, 0, 2, 1, 5)]
    truth = truth_rows([(9, 9, 9), *names], positions=[0, *high])
    assert sizes(acknowledged(*names), truth)["out_of_order"] == 1


def test_how_many_slots_are_looked_at_together_says_nothing(monkeypatch):
    """A ledger of several parts has the classes that it has as one."""
    lines = steady_ledger(writers=5, each=20)
    rows = stored(lines)
    bad = [row for row in rows if row != (3, 0, 7)] + [(2, 0, 7), (4, 0, 19)]
    order = np.arange(len(bad))
    order[[40, 45, 80, 85]] = order[[45, 40, 85, 80]]
    table = ledger_lines([*lines, (4, 0, 2, MISSED, 10**12), (3, 0, 7, SEEN, 10**12)])
    truth = truth_rows(bad, positions=order, torn=(11,))
    whole = classify(index(table), truth)
    assert whole.count("lost") == 1
    assert whole.count("out_of_order") > 1
    for size in (1, 16, 33):
        monkeypatch.setattr(taxonomy, "CHUNK", size)
        monkeypatch.setattr(entries_module, "CHUNK", size)
        parts = classify(index(table), truth)
        assert {name: slots.tolist() for name, slots in parts.members.items()} == {
            name: slots.tolist() for name, slots in whole.members.items()
        }
        assert parts.lost_after_seen.tolist() == whole.lost_after_seen.tolist() == [67]


@dataclass(frozen=True)
class Parts:
    """A truth that comes in parts, some of them empty."""

    truth: Truth
    sizes: tuple[int, ...]

    def __getattr__(self, name):
        return getattr(self.truth, name)

    def __len__(self):
        return len(self.truth)

    def blocks(self) -> Iterator[Truth]:
        """One after the other."""
        begin = 0
        for size in self.sizes:
            part = slice(begin, begin + size)
            columns = {
                name: getattr(self.truth, name)[part] for name in ("writer", "epoch", "seq", "intact", "position")
            }
            yield replace(self.truth, **columns)
            begin += size


def test_a_truth_may_come_in_parts_of_any_size():
    """Also in empty ones, and with the lowest and the highest position in the middle."""
    names = [*ONE, (7, 7, 7)]
    truth = truth_rows(names, positions=(2**33, 2**33 + 1, -(2**33), 2**34, 5), torn=(1,))
    whole = sizes(acknowledged(*ONE), truth)
    assert (whole["out_of_order"], whole["phantom"], whole["corrupted"]) == (1, 1, 1)
    for parts in ((5,), (0, 2, 0, 3), (1, 1, 1, 1, 1), (4, 1, 0)):
        assert sizes(acknowledged(*ONE), Parts(truth, parts)) == whole
    assert sizes(acknowledged(*ONE), Parts(truth_rows([]), (0,)))["lost"] == 4


def test_rows_of_nobody_are_counted_whether_they_have_a_name_of_ours_or_not():
    """Those without a name are among the rows, or told beside them: never twice, never less than there are."""
    lines = acknowledged(*ONE)
    assert sizes(lines, truth_rows([*ONE, (9, 9, 9)]))["phantom"] == 1
    assert sizes(lines, truth_rows([*ONE, (-1, -1, -1), (9, 9, 9)], foreign=("x",)))["phantom"] == 2
    assert sizes(lines, truth_rows([*ONE, (9, 9, 9)], foreign=("x", "y")))["phantom"] == 3


def test_what_was_acknowledged_when_the_truth_was_read_is_checked():
    """Only what came later is not."""
    for read_ns, unchecked in ((99, 4), (100, 0), (101, 0)):
        assert sizes(acknowledged(*ONE, at_ns=100), truth_rows([], read_ns=read_ns))["unchecked"] == unchecked


def test_lost_after_seen_is_lost_and_was_seen():
    """Not one of both."""
    lines = [*acknowledged(*ONE[:3]), (0, 0, 0, SEEN, 9), (0, 0, 2, SEEN, 9)]
    found = classify(index(ledger_lines(lines)), truth_rows([ONE[0]]))
    assert found.members["lost"].tolist() == [1, 2]
    assert found.lost_after_seen.tolist() == [2]
