"""The reaper is there before anything is done, and its death does not go unnoticed."""

import os
import signal
import time
from pathlib import Path

import pytest

from resilience.errors import EnvironmentNotReady
from resilience.host import processes
from resilience.model import Undo
from resilience.runtime.debts import DebtBook
from resilience.runtime.guard import Guard


def test_comes_and_goes(tmp_path: Path):
    """Ready when `start` returns; gone after `close`, with its book and its log, as nothing is owed."""
    book = DebtBook.create(tmp_path, "r1")
    with Guard.start(book) as guard:
        assert guard.alive()
        reaper = guard.identity
    assert not processes.alive(reaper)
    book.close()
    assert list((tmp_path / "debts").iterdir()) == []


def test_death_is_noticed_within_a_second(tmp_path: Path):
    """Killed or stopped, it is no reaper any more: the run is told once, with the reason."""
    for number in (signal.SIGKILL, signal.SIGSTOP):
        told = []
        book = DebtBook.create(tmp_path, f"r{number.value}")
        guard = Guard.start(book, on_death=told.append)
        os.kill(guard.identity.pid, number)
        began = time.monotonic()
        while not told and time.monotonic() - began < 1.0:
            time.sleep(0.01)
        assert not guard.alive()
        assert ["the reaper is gone" in reason for reason in told] == [True]
        processes.send(guard.identity, signal.SIGCONT)
        guard.close()


def test_what_is_still_owed_at_goodbye_is_settled(tmp_path: Path):
    """Whatever slipped through is put back at the end of the run, by the reaper."""
    book = DebtBook.create(tmp_path, "r1")
    guard = Guard.start(book)
    book.owe("load", Undo(kind="load.process", data={"tag": "tests-nobody-has-this-tag"}))
    guard.close()
    assert not book.path.exists()


def test_not_ready_is_said(tmp_path: Path):
    """A reaper that cannot start is an environment that is not ready, with what it said."""
    book = DebtBook.create(tmp_path, "r1")
    book.path.unlink()
    with pytest.raises(EnvironmentNotReady, match="did not get ready"):
        Guard.start(book)
    assert list((tmp_path / "debts").iterdir()) == []
