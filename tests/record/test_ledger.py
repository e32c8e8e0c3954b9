"""The write ledger, written and read back."""

import resource
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.columns import Mark
from resilience.errors import RecordError
from resilience.judge.entries import index
from resilience.judge.places import WIDTH
from resilience.record import ledger as ledgers
from resilience.record.ledger import HEADER_SIZE, SEAL_SIZE, LedgerWriter, read_ledger
from resilience.record.lines import LINE_SIZE, with_crc

RUN = "0badcafe"
LINES = st.tuples(
    st.sampled_from(Mark),
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 599),
)


def lines_of(ledger):
    columns = (ledger.mark, ledger.writer, ledger.epoch, ledger.seq, ledger.at_ns, ledger.status)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@settings(deadline=None)
@given(lines=st.lists(LINES, max_size=20))
def test_ledger_reads_back(tmp_path_factory, lines):
    """Every line is read back as it was noted, in order, and a sealed ledger has no problem (Requirement J4)."""
    folder = tmp_path_factory.mktemp("run")
    writer = LedgerWriter(folder / "writes" / "load.ledger", RUN)
    for line in lines:
        writer.note(*line)
    writer.close()
    ledger = read_ledger(folder, run=RUN)
    assert lines_of(ledger) == lines
    assert ledger.problems == ()
    assert not ledger.seq.flags.writeable


@pytest.fixture
def run(tmp_path):
    """Two writers' files, 100 lines each."""
    for number in range(2):
        writer = LedgerWriter(tmp_path / "writes" / f"load-{number}.ledger", RUN)
        for seq in range(50):
            writer.note(Mark.ATTEMPTED, number, 0, seq, seq * 10)
            writer.note(Mark.ACKNOWLEDGED, number, 0, seq, seq * 10 + 5, 201)
        writer.close()
    return tmp_path


@pytest.fixture
def path(run):
    return run / "writes" / "load-0.ledger"


def test_files_are_read_together(run):
    """Several processes write a file each; together they are the ledger."""
    ledger = read_ledger(run)
    assert ledger.problems == ()
    assert ledger.writer.tolist() == [0] * 100 + [1] * 100


@pytest.mark.parametrize("damage", [False, True])
def test_large_ledger_is_read_from_its_files(run, path, monkeypatch, damage):
    """A ledger that is not held in memory has the same lines, the same columns and the same problems."""
    if damage:
        content = bytearray(path.read_bytes())
        for line in (3, 16, 17, 60):
            content[HEADER_SIZE + line * LINE_SIZE + 5] ^= 1
        path.write_bytes(content)
    held = read_ledger(run)
    monkeypatch.setattr(ledgers, "LARGE", 0)
    monkeypatch.setattr(ledgers, "BLOCK", 17)
    stored = read_ledger(run)
    assert isinstance(stored, ledgers.StoredLines)
    assert stored.problems == held.problems
    assert bool(held.problems) is damage
    assert len(stored) == len(held) == (196 if damage else 200)
    assert lines_of(stored) == lines_of(held)
    assert stored.highest() == (None if damage else {0: 49, WIDTH: 49})
    assert [line for block in stored.blocks() for line in lines_of(block)] == lines_of(held)
    entries, same = index(stored), index(held)
    assert entries.problems == same.problems
    assert (entries.state == same.state).all()
    assert (entries.settled_ns == same.settled_ns).all()


def test_line_is_in_the_file_before_note_returns(tmp_path):
    """What was noted is there for a reader at once, and without complaint while the run goes on."""
    writer = LedgerWriter(tmp_path / "writes" / "load.ledger", RUN)
    for seq in range(3):
        writer.note(Mark.ATTEMPTED, 0, 0, seq, 0)
        ledger = read_ledger(tmp_path, finished=False)
        assert ledger.seq.tolist() == list(range(seq + 1))
        assert ledger.problems == ()
    writer.close()


def test_sigkill_loses_no_line(tmp_path):
    """A process killed with SIGKILL right after noting has noted; the ledger says that it is not sealed."""
    program = (
        "import os, signal, sys, pathlib\n"
        "from resilience.columns import Mark\n"
        "from resilience.record.ledger import LedgerWriter\n"
        "writer = LedgerWriter(pathlib.Path(sys.argv[1]), '0badcafe')\n"
        "for seq in range(1000): writer.note(Mark.ATTEMPTED, 0, 0, seq, 0)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "writes" / "load.ledger")], check=False)
    assert done.returncode == -9
    ledger = read_ledger(tmp_path)
    assert ledger.seq.tolist() == list(range(1000))
    assert ledger.problems == ("writes/load.ledger is not sealed: its writer was cut short",)


@settings(deadline=None)
@given(cut=st.integers(min_value=1))
def test_cut_ledger_is_never_whole(tmp_path_factory, cut):
    """Wherever a file ends too early, the whole lines before are read and there is a problem (Requirement J4)."""
    folder = tmp_path_factory.mktemp("cut")
    path = folder / "writes" / "load.ledger"
    writer = LedgerWriter(path, RUN)
    for seq in range(5):
        writer.note(Mark.ATTEMPTED, 0, 0, seq, 0)
    writer.close()
    content = path.read_bytes()
    kept = content[: -(cut % len(content)) or len(content) - 1]
    path.write_bytes(kept)
    ledger = read_ledger(folder)
    assert ledger.problems
    whole = max(0, (len(kept) - HEADER_SIZE) // LINE_SIZE)
    assert ledger.seq.tolist() == list(range(min(5, whole)))


def test_any_flipped_bit_is_noticed(run, path):
    """Any changed bit anywhere in a file is a problem; only the line that it hit is left out (Requirement J4)."""
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        path.write_bytes(content)
        ledger = read_ledger(run)
        assert ledger.problems, f"byte {place}"
        in_header = place < HEADER_SIZE
        in_lines = HEADER_SIZE <= place < len(whole) - SEAL_SIZE
        assert len(ledger) == 200 - (100 if in_header else 1 if in_lines else 0), f"byte {place}"


def line_at(index):
    start = HEADER_SIZE + index * LINE_SIZE
    return slice(start, start + LINE_SIZE)


def replaced(content, index, line):
    place = line_at(index)
    return content[: place.start] + line + content[place.stop :]


def swapped(content):
    first, second = content[line_at(0)], content[line_at(1)]
    return replaced(replaced(content, 0, second), 1, first)


def strange(content):
    """A line that is whole and has a mark nobody knows."""
    return replaced(content, 7, with_crc(struct.pack("<qQIIhBx", 0, 0, 0, 0, 0, 99)))


def other_version(content):
    return with_crc(content[:8] + b"\x09\x00" + content[10 : HEADER_SIZE - 4]) + content[HEADER_SIZE:]


def other_boot(content):
    return with_crc(content[:28] + bytes(16) + content[44 : HEADER_SIZE - 4]) + content[HEADER_SIZE:]


DAMAGE = {
    "unsealed": (lambda content: content[:-SEAL_SIZE], "is not sealed", 200),
    "torn tail": (lambda content: content[: -SEAL_SIZE - 5], "ends in 27 bytes of a line", 199),
    "damaged tail": (
        lambda content: content[: -SEAL_SIZE - 4] + bytes(4),
        "ends in 1 damaged lines, the first is number 100",
        199,
    ),
    "damaged middle": (
        lambda c: replaced(c, 6, bytes(LINE_SIZE - 1) + b"x"),
        "has 1 damaged lines, the first is num",
        199,
    ),
    "zeros": (lambda c: replaced(c, 6, bytes(LINE_SIZE)), "damaged lines", 199),
    "line missing": (lambda c: replaced(c, 6, b""), "100 lines were sealed, 99 are there", 199),
    "line twice": (lambda c: replaced(c, 6, c[line_at(6)] * 2), "100 lines were sealed, 101 are there", 201),
    "lines swapped": (swapped, "or they were changed", 200),
    "unknown mark": (strange, "has 1 lines with marks that are not known", 199),
    "empty": (lambda _content: b"", "has no header that can be read", 100),
    "other version": (other_version, "was expected", 100),
    "other boot": (other_boot, "different boots", 200),
    "text": (lambda _content: b"not a ledger" * 20, "has no header that can be read", 100),
}


@pytest.mark.parametrize(("damage", "message", "left"), DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_is_a_problem_and_the_rest_is_read(run, path, damage, message, left):
    """Torn, corrupt, reordered, miscounted: each is said; what can be believed is read (Requirement J4)."""
    path.write_bytes(damage(path.read_bytes()))
    ledger = read_ledger(run)
    assert message in " ".join(ledger.problems)
    assert len(ledger) == left


def test_no_ledger_is_a_problem(tmp_path):
    """No file at all is a problem, never an empty ledger in which nothing was lost."""
    ledger = read_ledger(tmp_path)
    assert len(ledger) == 0
    assert "there is no write ledger" in ledger.problems[0]


def test_writer_in_two_files_is_a_problem(run):
    """Two processes that both call themselves writer 0 cannot be told apart."""
    writer = LedgerWriter(run / "writes" / "more.ledger", RUN)
    writer.note(Mark.ATTEMPTED, 0, 0, 0, 0)
    writer.close()
    assert read_ledger(run).problems == ("writer 0 is in writes/load-0.ledger and in writes/more.ledger",)


def test_ledger_of_another_run_is_left_out(run):
    """A file of another run in the folder is not counted, and said."""
    writer = LedgerWriter(run / "writes" / "old.ledger", "ffffffff")
    writer.note(Mark.ATTEMPTED, 5, 0, 0, 0)
    writer.close()
    ledger = read_ledger(run, run=RUN)
    assert len(ledger) == 200
    assert ledger.problems == ("writes/old.ledger is of run 'ffffffff', '0badcafe' was expected",)


def test_folder_in_place_of_a_file_is_a_problem(run):
    """Whatever stands where a ledger should be, reading goes on."""
    (run / "writes" / "x.ledger").mkdir()
    ledger = read_ledger(run)
    assert len(ledger) == 200
    assert "writes/x.ledger" in ledger.problems[0]


def test_full_disk_stops_the_writer_for_good(tmp_path):
    """After half a line nothing more is noted and nothing may be sent; the ledger stays unsealed (Requirement J4)."""
    path = tmp_path / "writes" / "load.ledger"
    writer = LedgerWriter(path, RUN)
    writer.note(Mark.ATTEMPTED, 0, 0, 0, 0)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, before[1]))
    try:
        with pytest.raises(RecordError, match="10 of 32 bytes were written"):
            writer.note(Mark.ATTEMPTED, 0, 0, 1, 0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with pytest.raises(RecordError, match="nothing may be sent"):
        writer.note(Mark.ATTEMPTED, 0, 0, 1, 0)
    writer.close()
    ledger = read_ledger(tmp_path)
    assert ledger.seq.tolist() == [0]
    assert len(ledger.problems) == 2


def test_writer_cannot_be_misused(tmp_path):
    """No second writer in the same file, no line after the seal, no run name that does not fit."""
    path = tmp_path / "writes" / "load.ledger"
    writer = LedgerWriter(path, RUN)
    with pytest.raises(RecordError, match="cannot be made"):
        LedgerWriter(path, RUN)
    writer.close()
    writer.close()
    with pytest.raises(RecordError, match="closed"):
        writer.note(Mark.ATTEMPTED, 0, 0, 0, 0)
    for name in ("", "x" * 17):
        with pytest.raises(RecordError, match="1 to 16"):
            LedgerWriter(tmp_path / "other", name)
    assert path.stat().st_mode & 0o777 == 0o600


@settings(deadline=None)
@given(content=st.binary(min_size=LINE_SIZE - 4, max_size=LINE_SIZE - 4))
def test_vectorised_checksum_is_crc32(tmp_path_factory, content):
    """The checksum taken of all lines at once is the CRC-32 of each: a line is good exactly if zlib says so."""
    line = content[:-2] + bytes([1 + content[-2] % 7, content[-1]])
    folder = tmp_path_factory.mktemp("crc")
    path = folder / "writes" / "load.ledger"
    LedgerWriter(path, RUN).close()
    header = path.read_bytes()[:HEADER_SIZE]
    path.write_bytes(
        header + line + struct.pack("<I", zlib.crc32(line)) + line + struct.pack("<I", ~zlib.crc32(line) % 2**32)
    )
    assert len(read_ledger(folder)) == 1


@pytest.mark.slow
def test_ten_million_lines_in_seconds(tmp_path):
    """The size that judging aims at is read in seconds (Requirement J4)."""
    path = tmp_path / "writes" / "load.ledger"
    writer = LedgerWriter(path, RUN)
    for seq in range(100_000):
        writer.note(Mark.ATTEMPTED, 0, 0, seq, seq)
    content = path.read_bytes()
    path.write_bytes(content[:HEADER_SIZE] + content[HEADER_SIZE:] * 100)
    ledger = read_ledger(tmp_path, finished=False)
    assert len(ledger) == 10_000_000
    assert int(np.count_nonzero(ledger.seq == 7)) == 100
