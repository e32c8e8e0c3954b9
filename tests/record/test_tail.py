"""The samples of a run that goes on, a file at a time: the same as the whole record's."""

from pathlib import Path

import numpy as np
import pytest

from resilience.errors import RecordError
from resilience.record.folder import SAMPLES
from resilience.record.samples import SampleWriter, read_samples
from resilience.record.tail import SampleTail


def writer_of(folder: Path) -> SampleWriter:
    """Writes samples of two operations."""
    return SampleWriter(folder, "g", ["read", "write"])


def add(writer: SampleWriter, begin_s: float, count: int = 10) -> None:
    """Some that take 0.1 s each."""
    for index in range(count):
        at = int((begin_s + index / 10) * 1e9)
        detail = "refused" if index % 5 == 0 else ""
        writer.add(at, at + 1000, at + 100_000_000, index % 2, 1 if index % 5 == 0 else 0, 200, index % 3 == 0, detail)
    writer.flush()


def rows(samples) -> list[tuple]:
    """What is said of each operation, by name."""
    return sorted(
        (
            int(samples.arrival_ns[i]),
            int(samples.start_ns[i]),
            int(samples.end_ns[i]),
            samples.operations[samples.operation[i]],
            int(samples.outcome[i]),
            int(samples.status[i]),
            bool(samples.degraded[i]),
            samples.details[samples.detail[i]],
            bool(samples.shed[i]),
        )
        for i in range(len(samples))
    )


def test_it_reads_what_has_come_and_nothing_twice(tmp_path: Path):
    """After each flush the tail has the same rows as the whole record."""
    writer, tail = writer_of(tmp_path), SampleTail(tmp_path)
    assert len(tail.samples()) == 0
    for begin_s in (0.0, 1.0, 2.0):
        add(writer, begin_s)
        tail.look()
        tail.look()
        assert rows(tail.samples()) == rows(read_samples(tmp_path, finished=False)[0])


def test_what_ended_before_is_forgotten_and_not_read_again(tmp_path: Path):
    """A file with one operation that ended later stays whole."""
    writer, tail = writer_of(tmp_path), SampleTail(tmp_path)
    for begin_s in (0.0, 1.0, 2.0):
        add(writer, begin_s)
    tail.look()
    tail.forget(2.05)
    assert len(tail.samples()) == 10
    tail.look()
    assert len(tail.samples()) == 10
    assert np.all(tail.samples().arrival_ns >= 2e9)
    tail.forget(100.0)
    assert len(tail.samples()) == 0


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path):
    """Nothing is decided on what is half there."""
    (tmp_path / SAMPLES).mkdir()
    (tmp_path / SAMPLES / "g-00000.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(RecordError, match="g-00000"):
        SampleTail(tmp_path).look()
