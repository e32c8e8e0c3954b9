"""The classes against a naive oracle of sets and counters, and the laws that any ledger checker must obey."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.judge import canary
from resilience.judge.canary import VICTIMS, excerpt, run_canary, tamper
from resilience.judge.entries import index
from resilience.judge.taxonomy import CLASSES, classify
from tests.judge.builder import MISSED, SEEN, WRONG, A, K, R, U, ledger_lines, steady_ledger, stored, truth_rows

READ_NS = 10_000


def oracle(lines, rows, torn, positions):
    """The definitions, as slowly and as plainly as they can be written down."""
    marks = {}
    for writer, epoch, seq, mark, at_ns in lines:
        marks.setdefault((writer, epoch, seq), []).append((mark, at_ns))
    acked = {name: at for name, told in marks.items() for mark, at in told if mark is K}
    rejected = {name for name, told in marks.items() if R in {mark for mark, _ in told}}
    unsure = set(marks) - set(acked) - rejected
    times = Counter(row for row in rows if row in marks)
    first = {}
    for row, position in sorted(zip(rows, positions, strict=True), key=lambda pair: pair[1]):
        first.setdefault(row, position)
    late = {name for name, at in acked.items() if at > READ_NS}
    reads = [(name, mark, at) for name, told in marks.items() for mark, at in told]
    found = {
        "lost": {name for name in acked if not times[name]} - late,
        "duplicated": {name for name in times if times[name] > 1},
        "over_applied": {name for name in times if times[name] > 1},
        "rejected_present": {name for name in rejected if times[name]},
        "corrupted": {rows[i] for i in torn if rows[i] in marks} | {name for name, mark, _ in reads if mark is WRONG},
        "stale": {n for n, mark, at in reads if mark is MISSED and n in acked and at > acked[n] and times[n]},
        "out_of_order": {
            name
            for name in acked
            if times[name]
            and any(
                other[:2] == name[:2] and other[2] < name[2] and times[other] and first[other] >= first[name]
                for other in acked
            )
        },
        "recovered": {name for name in unsure if times[name] == 1},
        "vanished": {name for name in unsure if not times[name]},
        "unchecked": late,
    }
    bad = found["corrupted"] | found["stale"] | found["out_of_order"] | late
    found["verified"] = {name for name in acked if times[name] == 1} - bad
    return found, sum(row not in marks for row in rows)


@st.composite
def histories(draw):
    """A sound ledger of a few writers, and a store that may hold anything."""
    lines, now = [], 0
    for writer in range(draw(st.integers(0, 3))):
        epoch = seq = 0
        for mark in draw(st.lists(st.sampled_from([K, K, K, R, U, None]), max_size=8)):
            lines.append((writer, epoch, seq, A, now))
            if mark is not None:
                lines.append((writer, epoch, seq, mark, draw(st.sampled_from([now, now, now, now + 2 * READ_NS]))))
            reads = draw(st.lists(st.sampled_from([SEEN, MISSED, WRONG]), max_size=1))
            lines += [(writer, epoch, seq, read, now + draw(st.integers(-2, 2))) for read in reads]
            epoch, seq = (epoch, seq + 1) if mark in {K, R} else (epoch + 1, 0)
            now += 1
    names = [*sorted({row[:3] for row in lines}), (-1, -1, -1), (0, 0, 99), (9, 9, 9)]
    rows = draw(st.lists(st.sampled_from(names), max_size=20))
    torn = draw(st.lists(st.integers(0, len(rows) - 1), max_size=2)) if rows else []
    positions = draw(st.lists(st.integers(0, 15), min_size=len(rows), max_size=len(rows)))
    return lines, rows, torn, positions


def named(entries, classified):
    return {name: {entries.name(slot) for slot in classified.members[name].tolist()} for name in CLASSES}


@given(histories())
def test_every_class_equals_the_oracle(history):
    """Requirement J4: whatever the ledger and the store, the fast arrays say what the slow sets say."""
    lines, rows, torn, positions = history
    entries = index(ledger_lines(lines))
    assert entries.problems == ()
    classified = classify(entries, truth_rows(rows, torn=torn, positions=positions, read_ns=READ_NS))
    expected, phantoms = oracle(lines, rows, torn, positions)
    assert named(entries, classified) == expected
    assert classified.phantom == phantoms


def judged(lines, rows, **more):
    return classify(index(ledger_lines(lines)), truth_rows(rows, **more))


def sizes(classified):
    return {name: len(slots) for name, slots in classified.members.items()} | {"phantom": classified.phantom}


FAILING = ("lost", "duplicated", "rejected_present", "corrupted", "stale", "out_of_order", "phantom")


@given(histories())
def test_turning_acknowledged_into_indeterminate_never_makes_a_failure(history):
    """To have seen less of what happened can hide a loss, never invent one."""
    lines, rows, torn, positions = history
    before = sizes(judged(lines, rows, torn=torn, positions=positions))
    unsure = [(w, e, s, U if mark is K else mark, at) for w, e, s, mark, at in lines]
    after = sizes(judged(unsure, rows, torn=torn, positions=positions))
    assert all(after[name] <= before[name] for name in FAILING)


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_lines_and_the_numbers_of_writers_say_nothing(history, random):
    """Splitting files, permuting writers, interleaving differently: the same verdict."""
    lines, rows, torn, positions = history
    before = sizes(judged(lines, rows, torn=torn, positions=positions))
    swap = {0: 2, 1: 0, 2: 1}
    moved = [(swap[w], e, s, mark, at) for w, e, s, mark, at in lines]
    random.shuffle(moved)
    there = [(swap.get(w, w), e, s) for w, e, s in rows]
    assert sizes(judged(moved, there, torn=torn, positions=positions)) == before


@given(histories())
def test_an_acknowledged_write_that_is_absent_adds_exactly_one_lost(history):
    """And nothing else changes."""
    lines, rows, torn, positions = history
    before = sizes(judged(lines, rows, torn=torn, positions=positions))
    after = sizes(judged([*lines, (5, 0, 0, A, 1), (5, 0, 0, K, 2)], rows, torn=torn, positions=positions))
    assert after == before | {"lost": before["lost"] + 1}


@given(histories())
def test_rejected_absent_writes_and_reads_of_stable_ones_change_nothing(history):
    """Refusals that are really absent, and reads that saw what is there."""
    lines, rows, torn, positions = history
    before = sizes(judged(lines, rows, torn=torn, positions=positions))
    more = [*lines, (5, 0, 0, A, 1), (5, 0, 0, R, 2), *((*row[:3], SEEN, 99) for row in lines if row[3] is A)]
    assert sizes(judged(more, rows, torn=torn, positions=positions)) == before


def test_doubling_a_present_row_adds_exactly_one_duplicated():
    """One entry more that is duplicated, one fewer that is verified."""
    lines = steady_ledger()
    rows = stored(lines)
    before, after = sizes(judged(lines, rows)), sizes(judged(lines, [*rows, rows[17]]))
    changed = {"duplicated": 1, "over_applied": 1, "verified": before["verified"] - 1}
    assert after == before | changed


def test_planted_numbers_of_every_class_are_found_exactly_among_many():
    """Requirement J4: 200,000 writes with known numbers of each class: exactly those, and their very entries."""
    writers, each = 16, 12_500
    total = writers * each
    names = np.asarray([(w, 0, s) for w in range(writers) for s in range(each)], dtype=np.int64)
    rng = np.random.default_rng(7)
    lost, doubled, torn, refused, missed = np.split(rng.choice(total, 500, replace=False), 5)
    mark = np.full(total, int(K))
    mark[refused] = int(R)
    at_ns = np.arange(total)
    table = np.concatenate(
        (
            np.column_stack((names, np.full(total, int(A)), at_ns)),
            np.column_stack((names, mark, at_ns)),
            np.column_stack((names[missed], np.full(100, int(MISSED)), at_ns[missed] + 1)),
        )
    )
    kept = np.setdiff1d(np.arange(total), lost)
    rows = np.concatenate((kept, doubled))
    truth = truth_rows(names[rows], torn=np.flatnonzero(np.isin(rows, torn)))
    found = classify(index(ledger_lines(table)), truth)
    for name, planted in (
        ("lost", lost),
        ("duplicated", doubled),
        ("corrupted", torn),
        ("rejected_present", refused),
        ("stale", missed),
    ):
        assert found.members[name].tolist() == sorted(planted.tolist()), name
    assert found.count("verified") == total - 500
    assert found.count("out_of_order") == found.phantom == 0


def test_the_canary_is_found_exactly_in_good_and_in_bad_ledgers():
    """Requirement J4: one error of every class planted in the very arrays that are judged."""
    lines = steady_ledger(each=20)
    good = stored(lines)
    bad = [row for row in good if row != (1, 0, 5)] + [(2, 0, 7), (-1, -1, -1)]
    for rows in (good, bad):
        table, truth = ledger_lines(lines), truth_rows(rows, foreign=("x", "y"))
        entries = index(table)
        classified = classify(entries, truth)
        assert run_canary(table, entries, truth, classified) == ""
        shadow = tamper(table, entries, truth, classified)
        assert all(len(shadow.expected[name]) > len(classified.members[name]) for name in VICTIMS)


def test_the_canary_of_a_large_ledger_is_its_beginning(monkeypatch):
    """The first lines and rows, more of them until some writes are verified there; the answer is the same."""
    lines = steady_ledger(writers=9, each=20)
    lost = {line[:3] for line in lines[:50]}
    rows = [*[row for row in stored(lines) if row not in lost], (2, 0, 17), (-1, -1, -1), (77, 0, 0)]
    table, truth = ledger_lines(lines), truth_rows(rows, foreign=("x", "y"))
    some_lines, some_truth = excerpt(table, truth, 100)
    assert some_lines.at_ns.tolist() == table.at_ns[:100].tolist()
    assert some_truth.position.tolist() == truth.position[:100].tolist()
    entries = index(table)
    classified = classify(entries, truth)
    monkeypatch.setattr(canary, "LARGE", 100)
    for size in (10_000, 10):
        monkeypatch.setattr(canary, "EXCERPT", size)
        assert run_canary(table, entries, truth, classified) == ""
    monkeypatch.setattr(canary, "tamper", lambda *_: tamper(table, entries, truth, classified))
    assert "expected" in run_canary(table, entries, truth, classified)
    monkeypatch.setattr(canary, "tamper", tamper)
    monkeypatch.setattr(canary, "classify", lambda entries, truth: replace(classify(entries, truth), phantom=7))
    assert "phantom: 7, expected 8" in run_canary(table, entries, truth, classified)


@pytest.mark.parametrize("name", [*CLASSES, "phantom"])
def test_a_class_that_is_dead_is_noticed_by_the_canary(name):
    """A checker that cannot see a class, as if it always found one fewer: the canary says which."""
    table, truth = ledger_lines(steady_ledger()), truth_rows(stored(steady_ledger()))
    entries = index(table)
    classified = classify(entries, truth)
    if name == "phantom":
        wrong = replace(classified, phantom=classified.phantom + 1)
    else:
        wrong = replace(classified, members=classified.members | {name: np.asarray([3, 4, 799])})
    assert name in run_canary(table, entries, truth, wrong)


def test_positions_may_lie_far_apart():
    """Numbers of transactions or times: only their order counts."""
    lines = steady_ledger(each=20)
    rows = stored(lines)
    far = [10**17 + 10**12 * i for i in range(len(rows))]
    assert sizes(judged(lines, rows, positions=far)) == sizes(judged(lines, rows))
    assert judged(lines, rows, positions=far[::-1]).count("out_of_order") == 4 * 19


def test_writers_and_epochs_may_be_any_numbers():
    """Few lines of far-apart writers are found as well as many of near ones."""
    lines = [(w, e, s, mark, 1) for w in (0, 2**31 - 1) for e in (7, 2**31 - 1) for s in (0, 1) for mark in (A, K)]
    assert judged(lines, stored(lines)).count("verified") == 8


def test_without_verified_writes_there_is_no_canary():
    """Said, so that such a run cannot pass."""
    table, truth = ledger_lines([]), truth_rows([])
    entries = index(table)
    assert "too few" in run_canary(table, entries, truth, classify(entries, truth))
