"""What is told of writes: the numbers by name, who is named, and the story of each lost one."""

from dataclasses import replace

import numpy as np
import pytest

from resilience.judge import writes
from resilience.judge.entries import index
from resilience.judge.writes import SHOWN, check_baseline, check_writes, intervals
from resilience.model import Answer, Event, EventKind
from tests.judge.builder import (
    LEDGER,
    MISSED,
    RUN,
    SEEN,
    WRONG,
    A,
    Held,
    K,
    R,
    U,
    honest,
    ledger_lines,
    steady_ledger,
    stored,
    truth_rows,
)

BASE = steady_ledger()
ROWS = stored(BASE)
NUMBERS = {
    *("attempted", "acknowledged", "rejected", "indeterminate", "open", "verified", "lost", "phantom"),
    *("duplicated", "corrupted", "stale", "out_of_order", "recovered", "over_applied", "rejected_present", "vanished"),
}


def judged(rows=BASE, truth=None, **changes):
    return check_writes(honest(lines=ledger_lines(rows), truth=truth or truth_rows(ROWS), **changes).case())


def without(*names, **changes):
    return truth_rows([row for row in ROWS if row not in names], **changes)


def stories(part):
    return [line for line in part.evidence if isinstance(line, dict)]


def test_where_nothing_can_be_counted_there_are_no_numbers():
    """No ledger declared, or none in the record: the key is there, and nothing in it."""
    assert check_writes(honest(ledger=None).case()).data == {"writes": None}
    assert check_writes(honest(lines=None).case()).data == {"writes": None}


def test_what_is_told_of_a_ledger_without_a_truth():
    """How many there were; of what became of them nothing, and all acknowledged ones are unverified."""
    rows = [*BASE, (1, 0, 200, A, 10**9), (1, 0, 200, R, 10**9), (2, 0, 200, A, 10**9)]
    found = check_writes(honest(lines=ledger_lines(rows), truth=None).case()).data["writes"]
    counted = {"attempted": 802, "acknowledged": 800, "rejected": 1, "indeterminate": 1, "open": 1, "unverified": 800}
    assert found == dict.fromkeys(NUMBERS) | counted


def test_what_is_told_of_a_judged_ledger():
    """Every number by its name, and the names of the promises that were broken."""
    truth = truth_rows([row for row in ROWS if row != (2, 0, 100)] + [(9, 9, 9)], read_ns=40_700_000_000)
    found = judged([*BASE, (2, 0, 100, SEEN, 30 * 10**9)], truth).data["writes"]
    late = sum(row[3] is K and row[4] > 40_700_000_000 for row in BASE)
    assert late == 4
    others = {"lost_after_seen", "unverified", "unchecked", "stale_reads", "late_materialised", "broken"}
    assert set(found) == NUMBERS | others
    told = {"attempted": 800, "acknowledged": 800, "verified": 799 - late, "lost": 1, "phantom": 1}
    told |= {"lost_after_seen": 1, "unverified": late, "unchecked": late, "broken": ["lost", "phantom"]}
    assert {name: value for name, value in found.items() if value} == told


def test_the_story_of_a_lost_write():
    """When it was sent and acknowledged, whether a read had returned it, and what was being done to the target."""
    at_ns = next(row[4] for row in BASE if row[:3] == (2, 0, 100))
    (story,) = stories(judged(truth=without((2, 0, 100))))
    assert story == {
        "lost": f"{RUN}-002-000-000100",
        "attempted_s": pytest.approx(at_ns / 1e9, abs=1e-9),
        "acknowledged_s": pytest.approx(at_ns / 1e9 + 0.005, abs=1e-9),
        "seen_by_a_read": False,
        "active_fault": "redis-down",
        "nearest_event": "fault-confirmed redis-down",
        "nearest_event_s": 19.05,
    }


@pytest.mark.parametrize(
    ("at_s", "event", "fault"),
    [
        (18.9, "fault-requested", None),
        (19.0, "fault-requested", "redis-down"),
        (26.9, "fault-reverting", "redis-down"),
        (27.1, "fault-clear", "redis-down"),
        (27.2, "fault-clear", None),
    ],
)
def test_what_was_being_done_when_it_was_acknowledged(at_s, event, fault):
    """A fault is active from its request until it is clear, both included; events of other kinds explain nothing."""
    at_ns = round(at_s * 1e9)
    rows = [*BASE, (5, 0, 0, A, at_ns - 1000), (5, 0, 0, K, at_ns)]
    (story,) = stories(judged(rows, extra=(Event(at_s, EventKind.PROBLEM, "beside it", {}),)))
    assert (story["nearest_event"], story["active_fault"]) == (f"{event} redis-down", fault)


def test_a_fault_that_was_never_cleared_is_active_to_the_end():
    """Also long after it was to end."""
    rows = [*BASE, (5, 0, 0, A, 35 * 10**9), (5, 0, 0, K, 35 * 10**9)]
    (story,) = stories(judged(rows, faults=(Held(without=(EventKind.CLEAR,)),)))
    assert story["active_fault"] == "redis-down"


def test_a_strike_is_an_event_that_a_loss_may_be_near():
    """It is told as such."""
    rows = [*BASE, (5, 0, 0, A, 19_049_000_000), (5, 0, 0, K, 19_050_000_000)]
    (story,) = stories(judged(rows, faults=(Held("kill", strike=True),)))
    assert story["nearest_event"] == "struck kill"


def test_the_entries_of_every_bad_class_are_named():
    """Each class with a line of its own, so that whoever mends the target knows where to look."""
    late = 41_600_000_000
    rows = [
        *BASE,
        *((1, 0, 200, A, 10**9), (1, 0, 200, R, 10**9), (1, 0, 5, WRONG, late), (1, 0, 7, MISSED, late)),
        *((5, 0, 0, A, late), (5, 0, 0, K, late)),
    ]
    kept = [row for row in ROWS if row != (2, 0, 9)]
    there = [*kept, (1, 0, 200), (3, 0, 4)]
    place = list(range(len(there)))
    one, two = there.index((0, 0, 5)), there.index((0, 0, 6))
    place[one], place[two] = place[two], place[one]
    found = judged(rows, truth_rows(there, positions=place, read_ns=41_550_000_000))
    assert {line for line in found.evidence if isinstance(line, str) and ": w" in line} == {
        *("lost: w2.0: 9", "corrupted: w1.0: 5", "rejected_present: w1.0: 200", "duplicated: w3.0: 4"),
        *("over_applied: w3.0: 4", "out_of_order: w0.0: 6", "stale: w1.0: 7", "unchecked: w5.0: 0"),
    }


def test_intervals_are_as_short_as_they_can_be_and_no_longer_than_they_may_be():
    """Neighbours are joined, others are not; those of a writer stand together; how many more there are is said."""
    entries = index(ledger_lines(BASE))
    assert intervals(entries, np.array([0, 1, 3, 5, 6, 200])) == "w0.0: 0-1, 3, 5-6; w1.0: 0"
    assert intervals(entries, np.arange(SHOWN)) == "w0.0: 0-31"
    assert intervals(entries, np.arange(SHOWN + 1)) == "w0.0: 0-31 and 1 more"


def test_what_failed_and_what_is_not_known_are_both_told():
    """Of one write in the singular, of more in the plural; a reason to doubt stands beside a failure."""
    assert judged(truth=without((2, 0, 9))).because == "1 acknowledged write is lost (of 800 acknowledged)"
    two = judged(truth=without((2, 0, 9), (2, 0, 10), facts={"fsync": "off"}))
    assert two.because == "2 acknowledged writes are lost (of 800 acknowledged)"
    assert two.evidence[0] == "2 acknowledged writes are lost"
    assert "fsync = off" in two.evidence
    assert any("does not promise durability" in str(line) for line in two.evidence)


def test_a_store_whose_index_lies_fails():
    """What users cannot find is lost to them; it is told under its own name."""
    found = judged(truth=truth_rows(ROWS, facts={"index": "orders_pkey", "index_agrees": "false"}))
    assert found.answer is Answer.FAIL
    assert len(found.data["writes"]["broken"]) == 1


def test_a_canary_that_was_not_found_is_a_reason_to_doubt(monkeypatch):
    """The checker itself: unknown, and said."""
    monkeypatch.setattr(writes, "run_canary", lambda *_: "lost: 0, expected 1")
    found = judged()
    assert found.answer is Answer.UNKNOWN
    assert found.because == "the checker itself failed its canary: lost: 0, expected 1"


@pytest.mark.parametrize(
    ("reads", "answer"),
    [
        ([], Answer.PASS),
        ([(1, 0, 5, MISSED, 0)], Answer.PASS),  # at the very moment of the acknowledgement: it proves nothing
        ([(1, 0, 5, MISSED, 1)], Answer.FAIL),
        ([(1, 0, 5, SEEN, 1)], Answer.PASS),
        ([(1, 0, 5, WRONG, 0)], Answer.FAIL),
    ],
)
def test_a_read_before_the_method(reads, answer):
    """Only one that began after the acknowledgement can have missed what was acknowledged."""
    settled = next(row[4] for row in BASE if row[:4] == (1, 0, 5, K))
    rows = [*BASE, *((w, e, s, mark, settled + after) for w, e, s, mark, after in reads)]
    assert check_baseline(honest(lines=ledger_lines(rows)).case()).answer is answer


def test_a_read_of_what_was_not_acknowledged_may_miss_it():
    """Nothing was promised of it; nor is anything if reads need not see what was written."""
    settled = next(row[4] for row in BASE if row[:4] == (1, 0, 5, K))
    unsure = [*BASE, (1, 0, 200, A, 1), (1, 0, 200, U, 2), (1, 0, 200, MISSED, 10**12)]
    assert check_baseline(honest(lines=ledger_lines(unsure)).case()).answer is Answer.PASS
    relaxed = replace(LEDGER, read_your_writes=False)
    missed = ledger_lines([*BASE, (1, 0, 5, MISSED, settled + 1)])
    assert check_baseline(honest(lines=missed, ledger=relaxed).case()).answer is Answer.PASS
