"""Samples one file after the other."""

import pyarrow as pa

from resilience.record.samples import SampleWriter
from resilience.record.streaming import columns_and_operations, stream_samples


def write(folder, count=5, sealed=True):
    """A run of so many samples, two to a file."""
    writer = SampleWriter(folder, "load", ("read", "write"))
    for number in range(count):
        writer.add(number, number, number + 1, number % 2, 0)
        if number % 2:
            writer.flush()
    if sealed:
        writer.close()
    else:
        writer.flush()


def test_all_files_in_their_order(tmp_path):
    """Every sample once, a table for each file."""
    write(tmp_path)
    problems = []
    tables = list(stream_samples(tmp_path, problems))
    assert [table.num_rows for table in tables] == [2, 2, 1]
    assert pa.concat_tables(tables)["arrival_ns"].to_pylist() == [0, 1, 2, 3, 4]
    assert problems == []


def test_what_is_wrong_is_told(tmp_path):
    """Missing, damaged and unsealed files; a run without any."""
    write(tmp_path / "unsealed", sealed=False)
    problems = []
    assert len(list(stream_samples(tmp_path / "unsealed", problems))) == 3
    assert "not sealed" in problems[0]
    assert list(stream_samples(tmp_path / "unsealed", [], finished=False))
    write(tmp_path / "hurt")
    (tmp_path / "hurt" / "samples" / "load-00000.parquet").unlink()
    (tmp_path / "hurt" / "samples" / "load-00001.parquet").write_bytes(b"PAR1")
    problems = []
    assert [table.num_rows for table in stream_samples(tmp_path / "hurt", problems)] == [1]
    assert ["missing" in problems[0], "cannot be read" in problems[1]] == [True, True]
    problems = []
    assert list(stream_samples(tmp_path / "none", problems)) == []
    assert "no samples" in problems[0]


def test_columns_and_operations_without_reading_them(tmp_path):
    """What files say of themselves; a damaged one says nothing."""
    write(tmp_path)
    (tmp_path / "samples" / "load-00001.parquet").write_bytes(b"PAR1")
    columns, operations = columns_and_operations(tmp_path)
    assert operations == ("read", "write")
    assert columns[:3] == ("arrival_ns", "start_ns", "end_ns")
