"""Identities of writers, and the choice of what is read back."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.columns import Mark
from resilience.entry import parse_id
from resilience.load.writes import RECENT, REMEMBERED, Writers


class Lines:
    """A ledger in memory."""

    def __init__(self) -> None:
        self.lines: list[tuple] = []

    def note(self, *line) -> None:
        """Keep one line."""
        self.lines.append(line)


def make(count: int = 2, seed: int = 1) -> tuple[Writers, Lines]:
    lines = Lines()
    return Writers("0badcafe", seed, count, lines), lines


def test_an_attempt_is_noted_before_the_entry_is_known():
    """Whoever has an entry can be sure that its attempt is in the ledger."""
    writers, lines = make()
    entry = writers.begin(1, 5)
    assert lines.lines == [(Mark.ATTEMPTED, 1, 0, 0, 5)]
    assert parse_id(entry.id, "0badcafe") == (1, 0, 0)


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from([Mark.ACKNOWLEDGED, Mark.REJECTED, Mark.INDETERMINATE]))))
def test_sequences_have_no_gaps_and_epochs_end_with_the_first_uncertain_outcome(steps):
    """In each (writer, epoch) seq counts from 0 without gaps, and nothing follows an indeterminate outcome."""
    writers, lines = make(3)
    for writer, mark in steps:
        writers.settle(writers.begin(writer, 0), mark, 0, 0)
    attempts = [(w, e, s) for mark, w, e, s, *_ in lines.lines if mark is Mark.ATTEMPTED]
    assert len(set(attempts)) == len(attempts) == writers.attempted
    for writer, epoch in {(w, e) for w, e, _ in attempts}:
        seqs = [s for w, e, s in attempts if (w, e) == (writer, epoch)]
        assert seqs == list(range(len(seqs)))
        uncertain = [s for mark, w, e, s, *_ in lines.lines if (mark, w, e) == (Mark.INDETERMINATE, writer, epoch)]
        assert uncertain in ([], [seqs[-1]])
    counts = Counter(mark for _, mark in steps)
    assert writers.acknowledged == counts[Mark.ACKNOWLEDGED]
    assert writers.unsettled == counts[Mark.INDETERMINATE]


def test_only_acknowledged_entries_are_picked():
    """Nothing acknowledged: nothing to read back. Rejected and indeterminate entries never are."""
    writers, _ = make()
    for mark in (Mark.REJECTED, Mark.INDETERMINATE):
        writers.settle(writers.begin(0, 0), mark, 0, 0)
    assert writers.pick() is None
    acknowledged = writers.begin(1, 0)
    assert writers.pick() is None
    writers.settle(acknowledged, Mark.ACKNOWLEDGED, 0, 0)
    assert {writers.pick() for _ in range(50)} == {acknowledged}


def test_half_of_the_picks_are_recent_and_old_ones_are_forgotten():
    """Half of the picks come from the last 20, all from the last 10 000, and the same seed picks the same."""
    picked = []
    for _ in range(2):
        writers, _ = make(1, seed=3)
        for _ in range(REMEMBERED + 500):
            writers.settle(writers.begin(0, 0), Mark.ACKNOWLEDGED, 0, 0)
        picked.append([writers.pick().seq for _ in range(4000)])
    assert picked[0] == picked[1]
    assert min(picked[0]) >= 500
    recent = sum(seq >= REMEMBERED + 500 - RECENT for seq in picked[0])
    assert recent == pytest.approx(2000, abs=200)  # more than six standard deviations


def test_a_reading_is_noted_under_its_entry():
    """Seen, missed and wrong name the entry that was read and the time at which the read began."""
    writers, lines = make()
    entry = writers.begin(1, 1)
    writers.settle(entry, Mark.ACKNOWLEDGED, 2, 201)
    writers.read(entry, Mark.MISSED, 3, 404)
    assert lines.lines[1:] == [(Mark.ACKNOWLEDGED, 1, 0, 0, 2, 201), (Mark.MISSED, 1, 0, 0, 3, 404)]
