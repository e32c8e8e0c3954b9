"""Files of a table, and their seal."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from resilience.record.parts import Parts, read_part, read_seals


def content(*values):
    stream = io.BytesIO()
    pq.write_table(pa.table({"a": list(values)}), stream)
    return stream.getvalue()


def test_what_is_sealed_reads_back(tmp_path):
    """Every file is named by its writer and number, and the seal knows its rows."""
    parts = Parts(tmp_path / "t", "w")
    parts.add(content(1, 2), 2)
    parts.add(content(3), 1)
    parts.seal()
    problems = []
    sealed = read_seals(tmp_path / "t", problems)
    assert {name: part.rows for name, part in sealed.items()} == {"w-00000.parquet": 2, "w-00001.parquet": 1}
    assert problems == []
    assert read_part(tmp_path / "t" / "w-00001.parquet", sealed["w-00001.parquet"])["a"].to_pylist() == [3]


def test_another_file_under_the_same_name_is_not_the_sealed_one(tmp_path):
    """Its digest tells."""
    parts = Parts(tmp_path, "w")
    parts.add(content(1), 1)
    parts.seal()
    sealed = read_seals(tmp_path, [])
    (tmp_path / "w-00000.parquet").write_bytes(content(2))
    with pytest.raises(ValueError, match="not the file that was sealed"):
        read_part(tmp_path / "w-00000.parquet", sealed["w-00000.parquet"])


def test_a_seal_that_is_damaged_is_told(tmp_path):
    """And nothing of it is believed."""
    (tmp_path / "_w.sealed.json").write_text('{"format": 1, "rows": 2, "parts": {}}')
    problems = []
    assert read_seals(tmp_path, problems) == {}
    assert "_w.sealed.json is damaged" in problems[0]


def test_what_could_not_be_written_is_not_there(tmp_path):
    """No half file under the name that a reader looks for."""
    parts = Parts(tmp_path / "t", "w")
    (tmp_path / "t" / "w-00000.parquet").mkdir()  # the rename cannot replace a folder
    with pytest.raises(OSError, match="directory"):
        parts.add(content(1), 1)
    assert [path.name for path in (tmp_path / "t").iterdir()] == ["w-00000.parquet"]
