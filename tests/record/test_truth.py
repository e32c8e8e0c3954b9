"""The truth about writes in a run folder."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.columns import LedgerLines, Truth
from resilience.errors import RecordError
from resilience.judge.entries import index
from resilience.judge.taxonomy import classify
from resilience.record import truth as truths

INT32 = st.integers(-1, 2**31 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)


def truth_of(rows, **more):
    columns = list(zip(*rows, strict=True)) or [()] * 5
    kinds = (np.int32, np.int32, np.int64, np.bool_, np.int64)
    fields = {"foreign": (), "facts": {}, "read_ns": 0, **more}
    return Truth(*(np.array(column, kind) for column, kind in zip(columns, kinds, strict=True)), **fields)


def contents(truth):
    names = ("writer", "epoch", "seq", "intact", "position")
    columns = [(getattr(truth, name).dtype, getattr(truth, name).tolist()) for name in names]
    return columns, truth.foreign, truth.facts, truth.read_ns


@settings(deadline=None, max_examples=25)
@given(
    rows=st.lists(st.tuples(INT32, INT32, INT64, st.booleans(), INT64), max_size=5),
    foreign=st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3).map(tuple),
    facts=st.dictionaries(st.sampled_from(["fsync", "version"]), st.text("onf")),
    read_ns=INT64,
)
def test_truth_reads_back(tmp_path_factory, rows, foreign, facts, read_ns):
    """Rows, facts and foreign ids are read back as they were saved, types included (Requirement J4)."""
    folder = tmp_path_factory.mktemp("run")
    truth = truth_of(rows, foreign=foreign, facts=facts, read_ns=read_ns)
    truths.save(folder, truth)
    back = truths.load(folder)
    assert contents(back) == contents(truth)
    assert not back.seq.flags.writeable


def test_large_truth_is_read_from_its_file(tmp_path, monkeypatch):
    """A truth that is not held in memory has the same rows, column by column and block by block."""
    truth = truth_of([(n % 3, 0, n // 3, n % 7 > 0, n * n) for n in range(100)], facts={"fsync": "on"}, read_ns=5)
    monkeypatch.setattr(truths, "BLOCK", 9)
    truths.save(tmp_path, truth)
    assert contents(truths.load(tmp_path)) == contents(truth)
    monkeypatch.setattr(truths, "LARGE", 0)
    stored = truths.load(tmp_path)
    assert isinstance(stored, truths.StoredTruth)
    assert contents(stored) == contents(truth)
    assert stored.reach() == (0, 99 * 99)
    assert len(stored) == 100
    assert np.concatenate([block.position for block in stored.blocks()]).tolist() == truth.position.tolist()
    lines = LedgerLines(*(np.zeros(0, kind) for kind in ("i4", "i4", "i8", "i1", "i2", "i8")))
    assert classify(index(lines), stored).phantom == 100


def test_narrow_columns_are_saved_as_what_they_are(tmp_path):
    """Columns in memory may be as narrow as their values allow; on disk there is one form."""
    wide = truth_of([(1, 0, 2, True, 3), (-1, -1, -1, False, 4)])
    kinds = {"writer": np.int16, "epoch": np.int16, "seq": np.int32}
    truths.save(tmp_path, replace(wide, **{name: getattr(wide, name).astype(kind) for name, kind in kinds.items()}))
    assert contents(truths.load(tmp_path)) == contents(wide)


def test_rows_in_a_row_take_little_room(tmp_path):
    """Ten writers that write in turn: less than two bytes a row on disk."""
    rows = 200_000
    number = np.arange(rows)
    narrow = [(number % 10).astype(np.int16), np.zeros(rows, np.int16), (number // 10).astype(np.int32)]
    truths.save(tmp_path, Truth(*narrow, np.ones(rows, bool), number, foreign=(), facts={}, read_ns=0))
    assert (tmp_path / "writes" / truths.ROWS).stat().st_size < 2 * rows


def change(path, **more):
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, **more}))


DAMAGE = {
    "no rows": (lambda writes: (writes / truths.ROWS).unlink(), "No such file"),
    "no facts": (lambda writes: (writes / truths.FACTS).unlink(), "No such file"),
    "other rows": (lambda writes: (writes / truths.ROWS).write_bytes(b"PAR1"), "is not the file"),
    "other count": (lambda writes: change(writes / truths.FACTS, rows=2), "1 rows, 2 were expected"),
    "other format": (lambda writes: change(writes / truths.FACTS, format=2), "format 2, 1 was expected"),
    "facts that are none": (lambda writes: change(writes / truths.FACTS, facts=[]), "cannot be read"),
    "a list": (lambda writes: (writes / truths.FACTS).write_text("[]"), "cannot be read"),
    "no JSON": (lambda writes: (writes / truths.FACTS).write_text("{"), "cannot be read"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE.keys())
def test_damaged_truth_is_no_truth(tmp_path, damage, message):
    """A truth that is not whole is an error: half of it would report losses that are none, or hide some."""
    truths.save(tmp_path, truth_of([(1, 0, 2, True, 3)]))
    damage(tmp_path / "writes")
    with pytest.raises(RecordError, match=message):
        truths.load(tmp_path)


def test_truth_that_cannot_be_written_is_an_error(tmp_path):
    """No folder to write to is said, not swallowed."""
    (tmp_path / "writes").write_text("in the way")
    with pytest.raises(RecordError, match="cannot be written"):
        truths.save(tmp_path, truth_of([]))
