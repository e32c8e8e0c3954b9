"""Debts survive whatever happens to the process that made them."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.errors import DebtsOutstanding
from resilience.model import Undo
from resilience.runtime import debts
from resilience.runtime.debts import DebtBook, outstanding, read_book

UNDO = Undo(kind="noop", data={"proxy": "redis", "ports": [1, 2]})


def test_owed_is_readable_by_others_at_once(tmp_path: Path):
    """When `owe` returns, another reader has all that a revert needs, and the file is nobody else's to read."""
    book = DebtBook.create(tmp_path, "r1")
    book.owe("redis-down", UNDO, deadline_ns=7)
    page = read_book(book.path)
    (debt,) = page.owed
    assert (debt.fault, debt.undo, debt.deadline_ns) == ("redis-down", UNDO, 7)
    assert page.owner.pid == os.getpid()
    assert page.owner_alive
    assert stat.S_IMODE(book.path.stat().st_mode) == 0o600


def test_settled_book_is_removed_and_open_one_is_not(tmp_path: Path):
    """Closing a book with a debt raises and keeps it; settled, nothing is left."""
    book = DebtBook.create(tmp_path, "r1")
    first, second = book.owe("a", UNDO), book.owe("b", UNDO)
    assert first != second
    book.settle(second)
    with pytest.raises(DebtsOutstanding, match=r"a: noop is still owed"):
        book.close()
    again = DebtBook(book.path)
    assert [debt.id for debt in again.owed()] == [first]
    again.settle(first, by="reap")
    again.close()
    assert not book.path.exists()
    assert outstanding(tmp_path) == ()


def test_a_run_has_one_book(tmp_path: Path):
    """A second runner with the same run cannot take over its book."""
    DebtBook.create(tmp_path, "r1").close()
    DebtBook.create(tmp_path, "r1")
    with pytest.raises(FileExistsError):
        DebtBook.create(tmp_path, "r1")


def test_torn_last_line_is_a_debt_that_never_was(tmp_path: Path):
    """The side effect comes after the line is complete, so half a line means that there was none."""
    book = DebtBook.create(tmp_path, "r1")
    book.owe("a", UNDO)
    whole = book.path.read_bytes()
    book.owe("b", UNDO)
    torn = book.path.read_bytes()[:-20]
    assert torn.startswith(whole)
    book.path.write_bytes(torn)
    page = read_book(book.path)
    assert [debt.fault for debt in page.owed] == ["a"]
    assert page.problems == ()


def test_line_after_a_torn_one_is_not_lost(tmp_path: Path):
    """The reaper writes after the runner died in the middle of a line; its line stands, the torn one is reported."""
    book = DebtBook.create(tmp_path, "r1")
    debt = book.owe("a", UNDO)
    with book.path.open("ab") as stream:
        stream.write(b'\n{"crc": "00000000", "entry": {"state": "ow')
    book.settle(debt, by="reaper")
    page = book.read()
    assert page.settled == {debt: "reaper"}
    assert len(page.problems) == 1


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_byte_never_hides_a_debt(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    """Any single byte changed before the last line: the debt is still there, or the damage is reported."""
    folder = tmp_path_factory.mktemp("book")
    book = DebtBook.create(folder, "r1")
    book.owe("a", UNDO)
    end = book.path.stat().st_size
    book.failed("other", "so that the debt is not on the last line")
    content = bytearray(book.path.read_bytes())
    place = data.draw(st.integers(0, end - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    book.path.write_bytes(bytes(content))
    (page,) = outstanding(folder)
    assert [debt.fault for debt in page.owed] == ["a"] or page.problems


def test_book_that_was_removed_refuses(tmp_path: Path):
    """If somebody removes the file, nothing is taken on any more: it would not be there after a crash."""
    book = DebtBook.create(tmp_path, "r1")
    book.path.unlink()
    with pytest.raises(FileNotFoundError, match="has been removed"):
        book.owe("a", UNDO)


def test_another_boot_or_a_dead_owner_is_not_alive(tmp_path: Path):
    """A pid that exists again after a reboot is not the owner."""
    book = DebtBook.create(tmp_path, "r1")
    book.owe("a", UNDO)
    (page,) = outstanding(tmp_path)
    assert page.owner_alive
    other = debts.Identity(pid=page.owner.pid, start_ticks=page.owner.start_ticks, boot="another")
    assert not debts.processes.alive(other)
