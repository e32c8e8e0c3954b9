"""Receipts of subscribers: read back as written, sealed, and not believed if they were cut."""

import pytest

from resilience.columns import Mark
from resilience.errors import RecordError
from resilience.record.folder import writes_of
from resilience.record.receipts import Joined, ReceiptWriter, read_receipts, receipts_of

RUN = "0badcafe"


def path_in(folder, name="load"):
    return writes_of(folder, receipts_of("feed")) / f"{name}.ledger"


def written(folder, count=5, name="load", first=0):
    writer = ReceiptWriter(path_in(folder, name), RUN)
    writer.joined(first, 0, Joined.RESUMED, 10, 7)
    for seq in range(1, count + 1):
        writer.message(first, 0, seq, 10 + seq, Mark.SEEN, (3, 1, seq))
    writer.ended(first, 0, count + 1, 99, ours=True)
    return writer


def test_what_is_written_is_read(tmp_path):
    """Confirmation, messages and end, from every process's file."""
    written(tmp_path).close()
    written(tmp_path, name="load2", first=1).close()
    lines = read_receipts(tmp_path, "feed", run=RUN)
    assert lines.problems == ()
    assert lines.writer.tolist() == [0] * 7 + [1] * 7
    assert lines.mark.tolist()[:7] == [Mark.ATTEMPTED, *[Mark.SEEN] * 5, Mark.REJECTED]
    assert (lines.status[0], lines.value[0], lines.status[6]) == (Joined.RESUMED, 7, 1)
    assert list(zip(lines.object, lines.other, lines.value, strict=True))[1:3] == [(3, 1, 1), (3, 1, 2)]


def test_lines_wait_until_they_are_flushed(tmp_path):
    """Blocks are written when they are large, or asked for; a file in progress is read as far as it goes."""
    writer = written(tmp_path)
    assert len(read_receipts(tmp_path, "feed", run=RUN, finished=False)) == 0
    writer.flush()
    assert len(read_receipts(tmp_path, "feed", run=RUN, finished=False)) == 7
    written(tmp_path, 2000, "load-1", 1)
    assert len(read_receipts(tmp_path, "feed", run=RUN, finished=False)) > 1000


def test_a_file_that_was_cut_short_is_a_problem(tmp_path):
    """A writer that died, and bytes that were changed."""
    writer = written(tmp_path)
    writer.flush()
    assert any("not sealed" in problem for problem in read_receipts(tmp_path, "feed", run=RUN).problems)
    writer.close()
    assert read_receipts(tmp_path, "feed", run=RUN).problems == ()
    content = bytearray(path_in(tmp_path).read_bytes())
    content[100] ^= 1
    path_in(tmp_path).write_bytes(content)
    assert read_receipts(tmp_path, "feed", run=RUN).problems != ()


def test_nothing_is_written_after_the_end(tmp_path):
    """A closed file takes nothing more, and closing twice is one close."""
    writer = written(tmp_path)
    writer.close()
    writer.close()
    writer.ended(0, 1, 0, 1, ours=True)
    with pytest.raises(RecordError, match="closed"):
        writer.flush()
