"""Queues and streams: what each promise makes of the classes, and gaps told apart from what is late."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.judge.builder import K, R, truth_rows
from tests.judge.effects.made import READ_NS, Write, account, judged, ledgers

SENT = [Write((0, 0, seq), K, 2 * seq, 2 * seq + 1) for seq in range(8)]


def received(*seqs):
    """What arrived of the one writer, in that order."""
    return truth_rows([(0, 0, seq) for seq in seqs], read_ns=READ_NS)


@pytest.mark.parametrize(
    ("duplicates", "lost", "doubled"),
    [("exactly-once", False, False), ("at-least-once", False, True), ("at-most-once", True, False)],
)
def test_what_is_promised_decides_what_fails(duplicates, lost, doubled):
    """Requirement J4: whether a message may be lost, or have its effect twice."""
    queue = account("queue", duplicates=duplicates)
    assert judged(queue, SENT, received(*range(8))).broken == ()
    without, twice = judged(queue, SENT, received(*range(7))), judged(queue, SENT, received(*range(8), 3))
    assert (without.counts["lost"], without.broken == ()) == (1, lost)
    assert (twice.counts["duplicated"], twice.broken == ()) == (1, doubled)


@pytest.mark.parametrize(
    ("arrived", "gaps", "unseen", "late"),
    [
        ((0, 1, 2, 3, 4, 5, 6, 7), 0, 0, 0),
        ((0, 1, 4, 5, 7), 2, 0, 0),
        ((0, 1, 2, 3), 1, 4, 0),
        ((0, 1, 3, 4, 2, 5, 6, 7), 0, 0, 1),
        ((0, 1, 3, 2, 6, 7), 1, 0, 1),
        ((), 1, 8, 0),
    ],
)
def test_gaps_are_told_apart_from_what_is_late(arrived, gaps, unseen, late):
    """Requirement J4: a hole, an end that did not come, and what came after a later one."""
    counts = judged(account("stream"), SENT, received(*arrived)).counts
    assert (counts["gaps"], counts["unseen"], counts["late"]) == (gaps, unseen, late)


def test_a_rejected_message_between_does_not_part_a_gap():
    """Two lost messages with one between that never had to arrive are one gap."""
    sent = [Write(w.name, R if w.name[2] == 3 else K, w.begun, w.settled) for w in SENT]
    assert judged(account("stream"), sent, received(0, 1, 5, 6, 7)).counts["gaps"] == 1


def naive(writes, arrived):
    """Gaps and unseen, writer by writer."""
    gaps = unseen = 0
    for run in {w.name[:2] for w in writes}:
        due = [w.name in arrived for w in sorted(writes, key=lambda w: w.name) if w.name[:2] == run and w.sure]
        gaps += sum(1 for place, there in enumerate(due) if not there and (place == 0 or due[place - 1]))
        unseen += len(due) - (max((place for place, there in enumerate(due) if there), default=-1) + 1)
    return gaps, unseen


@given(ledgers(), st.randoms(use_true_random=False))
def test_what_is_late_equals_the_oracle(writes, random):
    """In whatever order everything arrived."""
    arrived = [w.name for w in writes if w.sure]
    random.shuffle(arrived)
    place = {name: number for number, name in enumerate(arrived)}
    after = {
        name for name in arrived for one in arrived if name[:2] == one[:2] and name < one and place[one] < place[name]
    }
    counts = judged(account("stream"), writes, truth_rows(arrived, read_ns=READ_NS)).counts
    assert counts["late"] == len(after)


@given(ledgers())
def test_gaps_equal_the_oracle(writes):
    """Whatever was published and whichever half of it arrived."""
    arrived = {w.name for w in writes if w.sure and (w.value + w.object) % 2}
    counts = judged(account("stream"), writes, truth_rows(sorted(arrived), read_ns=READ_NS)).counts
    assert (counts["gaps"], counts["unseen"]) == naive(writes, arrived)
