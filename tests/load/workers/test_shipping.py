"""Files of a worker on another host come whole, whatever becomes of pieces on the way. Requirement L5."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.columns import Mark
from resilience.load.workers.shipping import PIECE, WINDOW, Receiver, Sender
from resilience.model import OUTCOMES, Outcome
from resilience.record.ledger import LedgerWriter, read_ledger
from resilience.record.samples import SampleWriter, read_samples

LEDGER = "writes/load-2.ledger"


class Way:
    """From a worker's folder to the run's: pieces and answers wait in two rows until they are let go."""

    def __init__(self, tmp_path: Path) -> None:
        self.there, self.here = tmp_path / "there", tmp_path / "here"
        self.there.mkdir(parents=True)
        self.pieces, self.answers = [], []
        self.sender = Sender(self.there, self.pieces.append)
        self.receiver = Receiver(self.here, "load-2", ["likes"])

    def pass_on(self, now_s: float, keep=lambda: True) -> bool:
        """One round, of which some is lost; whether the sender says that everything has come."""
        for piece in self.pieces:
            if keep():
                self.answers.append(self.receiver.take(piece))
        self.pieces.clear()
        for answer in self.answers:
            if keep():
                self.sender.known(answer, now_s)
        self.answers.clear()
        return self.sender.go_on(now_s)

    def all_of_it(self, keep=lambda: True) -> None:
        """As many rounds as it takes."""
        for second in range(2000):
            if self.pass_on(float(second), keep):
                return
        raise AssertionError("it never came")


def write(folder: Path, count: int) -> None:
    """What a worker writes, sealed."""
    samples, ledger = SampleWriter(folder, "load-2", ["read"]), LedgerWriter(folder / LEDGER, "0badcafe")
    for number in range(count):
        samples.add(number, number, number + 5, 0, OUTCOMES.index(Outcome.OK))
        ledger.note(Mark.ATTEMPTED, 3, 0, number, number)
        if number % 50 == 0:
            samples.flush()
    samples.close()
    ledger.close()


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from([0.0, 0.1, 0.5]))
def test_what_was_sealed_there_is_whole_here(tmp_path_factory, seed, lost):
    """Pieces and answers that are lost are sent again; nothing is doubled, and seals hold."""
    way, chance = Way(tmp_path_factory.mktemp("way")), random.Random(seed)  # noqa: S311 - a reproducible choice
    write(way.there, 1000)
    way.all_of_it(lambda: chance.random() >= lost)
    samples, problems = read_samples(way.here)
    ledger = read_ledger(way.here)
    assert problems == ledger.problems == ()
    assert (len(samples), len(ledger)) == (1000, 1000)


def test_a_ledger_comes_while_it_grows(tmp_path):
    """So that of a worker that dies only the tail is missing."""
    way = Way(tmp_path)
    ledger = LedgerWriter(way.there / LEDGER, "0badcafe")
    for number in range(10):
        ledger.note(Mark.ATTEMPTED, 0, 0, number, number)
        way.pass_on(float(number))
        way.pass_on(float(number))
        assert len(read_ledger(way.here, finished=False)) == number + 1
    assert any("not sealed" in problem for problem in read_ledger(way.here).problems)


def test_no_more_is_under_way_than_may_be(tmp_path):
    """Flow control: what is not acknowledged waits on the worker's disk."""
    way = Way(tmp_path)
    (way.there / "writes").mkdir()
    (way.there / LEDGER).write_bytes(bytes(3 * WINDOW * PIECE))
    for _ in range(5):
        way.sender.go_on(0.0)
    assert sum(len(piece["data"]) for piece in way.pieces) == WINDOW * PIECE
    way.all_of_it()
    assert (way.here / LEDGER).stat().st_size == 3 * WINDOW * PIECE


def test_samples_that_have_come_are_not_kept_there(tmp_path):
    """A worker's disk does not fill with what the record has already."""
    way = Way(tmp_path)
    write(way.there, 500)
    way.all_of_it()
    assert list((way.there / "samples").glob("*.parquet")) == []
    assert len(list((way.here / "samples").glob("*.parquet"))) > 5


@pytest.mark.parametrize(
    "path",
    [
        "events.jsonl",
        "../load-2.ledger",
        "writes/../../load-2.ledger",
        "writes/load-1.ledger",
        "writes/accounts/other/load-2.ledger",
        "samples/load-1-00000.parquet",
        "samples/load-20-00000.parquet",
        "samples/../load-2-00000.parquet",
        "/tmp/load-2.ledger",  # noqa: S108 - is refused
        "writes/load-2.ledger\n",
        "writes/accounts/likes/other/load-2.ledger",
    ],
)
def test_a_worker_writes_its_own_files_only(tmp_path, path):
    """Whatever a worker says, nothing else of the record, or of this machine, is touched."""
    receiver = Receiver(tmp_path / "run", "load-2", ["likes"])
    with pytest.raises(ValueError, match="not its to write"):
        receiver.take({"path": path, "at": 0, "data": b"x", "last": True})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "piece", [{}, {"path": LEDGER, "at": "0", "data": b""}, {"path": LEDGER, "at": 0, "data": "x"}]
)
def test_what_is_no_piece_is_refused(tmp_path, piece):
    """And says what came."""
    with pytest.raises(TypeError, match="cannot be understood"):
        Receiver(tmp_path, "load-2", []).take(piece)


def test_accounts_of_the_ledger_have_folders_of_their_own(tmp_path):
    """As in any record."""
    receiver = Receiver(tmp_path, "load-2", ["likes"])
    for path in ("writes/accounts/likes/load-2.ledger", "writes/accounts/likes/receipts/load-2.ledger"):
        receiver.take({"path": path, "at": 0, "data": b"x", "last": False})
        assert (tmp_path / path).read_bytes() == b"x"


def test_half_a_file_is_not_left_behind(tmp_path):
    """Samples appear when they are whole; of a ledger every line counts."""
    receiver = Receiver(tmp_path, "load-2", [])
    receiver.take({"path": "samples/load-2-00000.parquet", "at": 0, "data": b"half", "last": False})
    receiver.take({"path": LEDGER, "at": 0, "data": b"line", "last": False})
    receiver.close()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["load-2.ledger"]
