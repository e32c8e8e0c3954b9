"""Slots found by arithmetic, block by block, against names looked up one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.columns import LedgerLines, Truth
from resilience.judge import entries as filled
from resilience.judge import places, taxonomy
from resilience.judge.canary import run_canary
from resilience.judge.entries import index
from resilience.judge.places import WIDTH, Places, blocks_of
from resilience.judge.taxonomy import classify
from tests.judge.builder import ledger_lines, truth_rows
from tests.judge.test_taxonomy import READ_NS, histories, named, oracle

SMALL = st.integers(-2, 5)
WILD = st.sampled_from([-(2**31), -1, 0, 1, 7, 2**16, 2**31 - 1])
LENGTHS = st.dictionaries(
    st.tuples(st.integers(0, 4), st.integers(0, 4))
    | st.tuples(st.sampled_from([0, 2**31 - 1]), st.sampled_from([1, 2**30])),
    st.integers(1, 4),
    max_size=6,
)


@given(
    LENGTHS,
    st.lists(st.tuples(SMALL | WILD, SMALL | WILD, SMALL | st.sampled_from([2**40, -(2**63), 2**63 - 1])), max_size=12),
)
def test_a_name_has_its_slot_or_none(lengths, names):
    """Requirement J4: the slot of an entry is its place among all entries by name; what has none gets −1."""
    ordered = sorted(lengths)
    codes = np.array([writer * WIDTH + epoch for writer, epoch in ordered], np.int64)
    base = np.cumsum([0, *(lengths[run] for run in ordered)], dtype=np.int64)
    every = [(*run, seq) for run in ordered for seq in range(lengths[run])]
    table = np.array(names, dtype=np.int64).reshape(-1, 3)
    writer, epoch = table[:, 0].astype(np.int32), table[:, 1].astype(np.int32)
    found = Places(codes, base).slots(writer, epoch, table[:, 2])
    assert found.tolist() == [every.index(name) if name in every else -1 for name in names]
    if len(table) and table.min() >= -(2**7) and table.max() < 2**7:  # rows just read are as narrow as they may be
        narrow = Places(codes, base).slots(writer.astype(np.int8), epoch.astype(np.int8), table[:, 2].astype(np.int8))
        assert narrow.tolist() == found.tolist()


class Knowing(LedgerLines):
    """A ledger that is gone through in blocks, and knows how far its entries go."""

    def blocks(self):
        """Itself, three lines at a time."""
        inside = LedgerLines(self.writer, self.epoch, self.seq, self.mark, self.status, self.at_ns)
        return (block for block in blocks_of(inside) if len(block))

    def highest(self):
        """By looking at each line."""
        found = {}
        for writer, epoch, seq in zip(self.writer.tolist(), self.epoch.tolist(), self.seq.tolist(), strict=True):
            found[writer * WIDTH + epoch] = max(seq, found.get(writer * WIDTH + epoch, 0))
        return found


class Reaching(Truth):
    """A truth that knows where its positions lie."""

    def reach(self):
        """The lowest and the highest position."""
        return (int(self.position.min()), int(self.position.max())) if len(self) else None


@pytest.fixture(scope="module")
def small():
    """Blocks of three lines and rows, chunks of two slots."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places, "_BLOCK", 3)
        for module in (filled, taxonomy):
            patch.setattr(module, "CHUNK", 2)
        yield


@pytest.mark.usefixtures("small")
@given(histories())
def test_blocks_and_chunks_of_any_size_say_what_the_oracle_says(history):
    """Requirement J4: no class depends on where a block of lines, rows or slots ends, or on what was known before."""
    lines, rows, torn, positions = history
    table, truth = ledger_lines(lines), truth_rows(rows, torn=torn, positions=positions, read_ns=READ_NS)
    expected, phantoms = oracle(lines, rows, torn, positions)
    columns = (table.writer, table.epoch, table.seq, table.mark, table.status, table.at_ns)
    held = (truth.writer, truth.epoch, truth.seq, truth.intact, truth.position, (), {}, truth.read_ns)
    for ledger, store in ((table, truth), (Knowing(*columns), Reaching(*held))):
        entries = index(ledger)
        assert entries.problems == ()
        classified = classify(entries, store)
        assert named(entries, classified) == expected
        assert classified.phantom == phantoms
        assert run_canary(ledger, entries, store, classified) == "" or classified.count("verified") < 4


def test_a_ledger_that_knows_of_a_seq_beyond_all_lines_is_gone_through_all_the_same():
    """One torn number must not make as many slots as it says."""
    table = ledger_lines([(0, 0, 0, 1, 1), (0, 0, 0, 2, 2), (0, 0, 2**40, 1, 3)])
    entries = index(Knowing(table.writer, table.epoch, table.seq, table.mark, table.status, table.at_ns))
    assert len(entries) == 1
    assert entries.problems == ("1 line has an impossible writer, epoch, seq or mark",)
