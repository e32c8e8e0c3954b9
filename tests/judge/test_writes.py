"""The write ledger: one planted case for every class, the gates, and what the evidence tells."""

from dataclasses import replace

import pytest

from resilience.judge.case import prepare
from resilience.judge.entries import index
from resilience.judge.writes import check_baseline, check_writes, intervals
from resilience.model import Answer, EventKind
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

BASE = tuple(steady_ledger())
ROWS = tuple(stored(BASE))
LATE = 41_500_000_000


def scene(rows=BASE, truth=None, **changes):
    problems = changes.pop("problems_of_ledger", ())
    return honest(lines=ledger_lines(rows, problems), truth=truth_rows(ROWS) if truth is None else truth, **changes)


def part(*args, **kwargs):
    return check_writes(scene(*args, **kwargs).case())


def counts(found):
    return {name: found.data["writes"][name] for name in found.data["writes"] if found.data["writes"][name]}


GOOD = {"attempted": 800, "acknowledged": 800, "verified": 800}


def test_an_honest_run_passes_with_every_write_verified():
    """Requirement J4: every acknowledged write accounted for, and the crash model that this covers is named."""
    found = part()
    assert found.answer is Answer.PASS
    assert counts(found) == GOOD
    assert "0 of 800" in found.because
    assert any("not covered: operating-system crash" in str(line) for line in found.evidence)


def planted(name, rows=BASE, truth=None, *, answer=Answer.FAIL, n=1, **changes):
    found = part(rows, truth, **changes)
    assert found.answer is answer, found.because
    assert found.data["writes"][name] == n
    return found


def test_a_lost_write_fails_with_its_story():
    """Requirement J4: an acknowledged entry without a row; told with its id, its times and the fault then active."""
    victim = (2, 0, 100)
    found = planted("lost", truth=truth_rows([row for row in ROWS if row != victim]))
    assert found.because == "1 acknowledged write is lost (of 800 acknowledged)"
    (story,) = [line for line in found.evidence if isinstance(line, dict)]
    assert story["lost"] == f"{RUN}-002-000-000100"
    assert story["acknowledged_s"] == pytest.approx(21.005, abs=1e-6)
    assert story["active_fault"] == "redis-down"
    assert story["nearest_event"] == "fault-confirmed redis-down"
    assert story["seen_by_a_read"] is False
    assert counts(found)["verified"] == 799


def test_lost_after_it_was_seen_is_told_apart():
    """A read had returned it: durable, then gone."""
    rows = [*BASE, (2, 0, 100, SEEN, 30_000_000_000)]
    found = planted("lost", rows, truth_rows([row for row in ROWS if row != (2, 0, 100)]))
    assert found.data["writes"]["lost_after_seen"] == 1


def test_many_lost_writes_are_told_as_intervals():
    """The first 32, as sets, and how many more."""
    found = planted("lost", truth=truth_rows([row for row in ROWS if row[0] != 3]), n=200)
    assert "lost: w3.0: 0-31 and 168 more" in found.evidence
    assert len([line for line in found.evidence if isinstance(line, dict)]) == 32


def test_a_lost_write_outside_any_fault_says_so():
    """No fault was active, and the nearest event is named all the same."""
    found = planted("lost", truth=truth_rows([row for row in ROWS if row != (2, 0, 0)]))
    (story,) = [line for line in found.evidence if isinstance(line, dict)]
    assert story["active_fault"] is None
    assert story["nearest_event"] == "fault-requested redis-down"


def test_without_any_fault_a_story_has_no_event_beside_it():
    """Nothing is invented."""
    found = planted("lost", truth=truth_rows([row for row in ROWS if row != (2, 0, 0)]), faults=())
    (story,) = [line for line in found.evidence if isinstance(line, dict)]
    assert story["nearest_event"] is None


def test_a_duplicated_write_fails_unless_duplicates_are_allowed():
    """Requirement J4: Jepsen counts these and lets them pass; here exactly-once means it."""
    twice = truth_rows([*ROWS, (1, 0, 5)])
    planted("duplicated", truth=twice)
    at_least = LEDGER.__class__(truth=LEDGER.truth, duplicates="at-least-once")
    found = planted("duplicated", truth=twice, answer=Answer.PASS, ledger=at_least)
    assert found.data["writes"]["over_applied"] == 1


def test_a_phantom_fails():
    """Rows of a writer, an epoch or a seq that the ledger does not have, or with an id that is not ours."""
    planted("phantom", truth=truth_rows([*ROWS, (9, 0, 0), (1, 1, 0), (1, 0, 200), (-1, -1, -1)]), n=4)
    planted("phantom", truth=truth_rows([*ROWS, (-1, -1, -1)], foreign=("0badcafe-x",)))
    planted("phantom", truth=truth_rows(ROWS, foreign=("0badcafe-x", "0badcafe-y")), n=2)


def test_a_rejected_write_that_is_present_fails():
    """Requirement J4: a wrong refusal; Jepsen counts it as recovered."""
    rows = [*BASE, (1, 0, 200, A, LATE), (1, 0, 200, R, LATE)]
    planted("rejected_present", rows, truth_rows([*ROWS, (1, 0, 200)]))
    assert part(rows).answer is Answer.PASS


def test_a_corrupted_write_fails():
    """A row that is not what was sent, or a read that returned something else."""
    planted("corrupted", truth=truth_rows(ROWS, torn=[7]))
    planted("corrupted", [*BASE, (1, 0, 5, WRONG, LATE)])


def test_a_stale_read_fails_if_reads_must_see_what_was_acknowledged():
    """A read begun after the acknowledgement missed an entry that is there; one begun before proves nothing."""
    settled = next(row[4] for row in BASE if row[:4] == (1, 0, 5, K))
    found = planted("stale", [*BASE, (1, 0, 5, MISSED, settled + 1), (1, 0, 5, MISSED, settled + 2)])
    assert found.data["writes"]["stale_reads"] == 2
    planted("stale", [*BASE, (1, 0, 5, MISSED, settled)], answer=Answer.PASS, n=0)
    relaxed = LEDGER.__class__(truth=LEDGER.truth, read_your_writes=False)
    planted("stale", [*BASE, (1, 0, 5, MISSED, settled + 1)], answer=Answer.PASS, ledger=relaxed)


def test_a_read_that_missed_a_lost_write_is_no_stale_read():
    """It is lost, and counted once."""
    rows = [*BASE, (1, 0, 5, MISSED, LATE)]
    planted("stale", rows, truth_rows([row for row in ROWS if row != (1, 0, 5)]), n=0)


def test_writes_stored_out_of_order_fail_if_order_is_promised():
    """Within one writer and epoch the position grows with seq; between writers nothing is promised."""
    positions = list(range(len(ROWS)))
    one, two = ROWS.index((1, 0, 5)), ROWS.index((1, 0, 6))
    positions[one], positions[two] = positions[two], positions[one]
    swapped = truth_rows(ROWS, positions=positions)
    found = planted("out_of_order", truth=swapped)
    assert "out_of_order: w1.0: 6" in found.evidence
    free = LEDGER.__class__(truth=LEDGER.truth, ordered=False)
    planted("out_of_order", truth=swapped, answer=Answer.PASS, ledger=free)
    other = list(range(len(ROWS)))
    other[0], other[1] = other[1], other[0]
    planted("out_of_order", truth=truth_rows(ROWS, positions=other), answer=Answer.PASS, n=0)


def test_equal_positions_are_no_order():
    """Two entries of a writer at one position: the later one did not come after."""
    positions = list(range(len(ROWS)))
    positions[ROWS.index((1, 0, 6))] = positions[ROWS.index((1, 0, 5))]
    planted("out_of_order", truth=truth_rows(ROWS, positions=positions))


def test_indeterminate_writes_may_be_there_or_not():
    """Present once: recovered. Absent: vanished. Never settled: the same. None of it is a fault of the target."""
    rows = [*BASE, (1, 0, 200, A, LATE), (1, 0, 200, U, LATE), (2, 0, 200, A, LATE), (3, 0, 200, A, LATE)]
    found = planted("recovered", rows, truth_rows([*ROWS, (1, 0, 200)]), answer=Answer.PASS)
    assert counts(found) == GOOD | {
        "attempted": 803,
        "indeterminate": 3,
        "open": 2,
        "recovered": 1,
        "vanished": 2,
    }


def test_an_indeterminate_write_that_is_there_twice_is_duplicated():
    """Uncertain once is not twice."""
    rows = [*BASE, (1, 0, 200, A, LATE), (1, 0, 200, U, LATE)]
    planted("duplicated", rows, truth_rows([*ROWS, (1, 0, 200), (1, 0, 200)]))


def test_a_write_acknowledged_after_the_truth_was_read_cannot_be_checked():
    """Unknown, neither lost nor verified."""
    found = planted("unchecked", truth=truth_rows(ROWS[:-1], read_ns=LATE - 10**9), answer=Answer.UNKNOWN, n=8)
    assert found.data["writes"]["lost"] == 0


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([*BASE, (1, 0, 200, K, LATE)], "settled but never attempted"),
        ([*BASE, (1, 0, 5, K, LATE)], "settled more than once"),
        ([*BASE, (1, 0, 5, A, LATE)], "attempted more than once"),
        ([*BASE, (1, 0, 201, A, LATE), (1, 0, 201, K, LATE)], "a gap in seq"),
        ([*BASE, (1, 0, 200, A, LATE), (1, 0, 200, K, LATE - 1)], "a clock went back"),
        ([*BASE, (1, 0, 200, A, LATE), (1, 0, 201, A, LATE), (1, 0, 201, K, LATE)], "went on in the same epoch"),
        ([*BASE, (1, 0, 200, SEEN, LATE)], "read but never attempted"),
        ([*BASE, (1, 0, 200, 9, LATE)], "impossible"),
        ([*BASE, (-1, 0, 0, A, LATE), (1, -1, 0, A, LATE), (1, 0, -1, A, LATE)], "3 lines have an impossible"),
        ([*BASE, (1, 0, 10**15, A, LATE)], "impossible"),
    ],
)
def test_a_ledger_that_contradicts_itself_is_not_believed(rows, told):
    """Unknown even though writes look lost: nothing is said on such ground."""
    found = part(rows, truth_rows(ROWS[:-5]))
    assert found.answer is Answer.UNKNOWN
    assert told in " ".join(found.evidence)
    assert found.data["writes"]["lost"] is None


def test_a_torn_ledger_is_not_believed():
    """Harness mutants H6, H7 and H8: a missing, torn or damaged file keeps the verdict from passing."""
    found = part(problems_of_ledger=("writes/w03 is missing",))
    assert found.answer is Answer.UNKNOWN
    assert "writes/w03 is missing" in found.because


def test_what_a_missing_ledger_would_have_named_is_no_phantom():
    """Rows that nobody sent, by ledgers that fall short of what was counted: it is the tool's own files that lack."""
    record = scene(tuple(row for row in BASE if row[0] != 3)).record()
    assert check_writes(prepare(record)).answer is Answer.FAIL
    short = "the load generator counted 800 attempted, the record has 600"
    found = check_writes(prepare(replace(record, incomplete=(short,))))
    assert found.answer is Answer.UNKNOWN
    assert short in found.because


def test_no_truth_or_an_empty_one_is_unknown():
    """Harness mutant H4: an empty read proves nothing, neither loss nor its absence."""
    missing = check_writes(honest(truth=None).case())
    assert missing.answer is Answer.UNKNOWN
    assert "could not be read" in missing.because
    assert part(truth=truth_rows([])).answer is Answer.UNKNOWN


def test_an_empty_store_is_right_if_nothing_was_acknowledged_and_still_proves_nothing():
    """Harness mutants H9 and H11: nothing acknowledged, nothing to lose."""
    unsure = [(writer, epoch, 0, mark, 10**9) for writer in range(4) for epoch in range(50) for mark in (A, U)]
    for rows in (unsure, []):
        found = part(rows, truth_rows([]))
        assert found.answer is Answer.UNKNOWN
        assert "only 0 writes were acknowledged" in found.because


def test_a_replica_is_no_truth():
    """Harness mutant H5: read from a store in recovery."""
    found = part(truth=truth_rows(ROWS, facts={"pg_is_in_recovery": "true"}))
    assert found.answer is Answer.UNKNOWN
    assert "replica" in found.because


@pytest.mark.parametrize("name", ["fsync", "synchronous_commit"])
def test_a_store_that_promises_nothing_cannot_pass(name):
    """Killing a process does not show what fsync would have saved: unknown; but a loss is a loss."""
    facts = {"fsync": "on", "synchronous_commit": "on"} | {name: "off"}
    found = part(truth=truth_rows(ROWS, facts=facts))
    assert found.answer is Answer.UNKNOWN
    assert f"{name} = off" in found.because
    assert part(truth=truth_rows(ROWS[:-1], facts=facts)).answer is Answer.FAIL


def test_every_fault_must_have_had_something_to_lose():
    """Too few acknowledged near a fault, or a fault never requested: unknown."""
    quiet = [row for row in BASE if not 16 * 10**9 < row[4] < 28 * 10**9]
    moved = [(w, 1 if at > 20 * 10**9 else 0, s if at < 20 * 10**9 else s - 135, m, at) for w, _, s, m, at in quiet]
    found = part(moved, truth_rows(stored(moved)))
    assert found.answer is Answer.UNKNOWN
    assert "redis-down had only 0 acknowledged writes to lose" in found.because
    never = part(faults=(Held(without=(EventKind.REQUESTED,)),))
    assert "never requested" in never.because
    still = part(faults=(Held(without=(EventKind.CLEAR,)),))
    assert still.answer is Answer.PASS


def test_without_a_declared_ledger_there_is_nothing_to_judge():
    """Said so; a declared one that is not in the record is unknown."""
    assert check_writes(honest(ledger=None).case()).answer is Answer.PASS
    assert check_writes(honest(lines=None).case()).answer is Answer.UNKNOWN


def test_slots_have_names_and_names_have_slots():
    """There and back for every entry; −1 for what the ledger does not have."""
    rows = [(w, e, s, m, 10**9) for w in (0, 7) for e in (0, 3) for s in range(4) for m in (A, K)]
    entries = index(ledger_lines(rows))
    truth = truth_rows([*stored(rows), (7, 2, 0), (8, 0, 0), (0, 0, 4), (-1, -1, -1)])
    slots = entries.slots(truth.writer, truth.epoch, truth.seq)
    assert [entries.name(slot) for slot in slots[:16].tolist()] == stored(rows)
    assert slots[16:].tolist() == [-1] * 4
    assert intervals(entries, slots[[1, 2, 3, 8]]) == "w0.0: 1-3; w7.0: 0"


def test_the_baseline_passes_if_something_was_acknowledged_and_reads_are_right():
    """Before the method: unknown without writes, fail for a wrong or missing read."""

    def baseline(rows, **changes):
        return check_baseline(honest(lines=ledger_lines(rows, changes.pop("p", ())), **changes).case()).answer

    assert baseline(BASE) is Answer.PASS
    assert baseline(BASE, ledger=None) is Answer.PASS
    assert baseline([]) is Answer.UNKNOWN
    assert baseline(BASE, p=("torn",)) is Answer.UNKNOWN
    assert baseline([*BASE, (1, 0, 5, WRONG, LATE)]) is Answer.FAIL
    assert baseline([*BASE, (1, 0, 5, MISSED, LATE)]) is Answer.FAIL
    assert check_baseline(honest(lines=None).case()).answer is Answer.UNKNOWN


def test_faults_in_place_together_expose_writes_together():
    """A fault of a moment inside a longer one needs no writes of its own; nothing is said of it as never requested."""
    faults = (Held("a"), Held("b", begin_s=22.0, length_s=0.1, inside=True))
    assert check_writes(honest(faults=faults).case()).answer is Answer.PASS
