"""What carries our marks and stands in no book is found, shown, and removed only by name. Requirement F7."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from resilience import scan
from resilience.errors import FaultError
from resilience.faults import cgroup, registry
from resilience.host import processes
from resilience.model import Undo
from resilience.runtime.debts import DebtBook

ORPHAN = """
import sys
from resilience.host import processes
from resilience.model import Launch
argv = (sys.executable, "-c", "import time; time.sleep(60)")
print(processes.start(Launch(name="x", argv=argv, environment={}, folder="/", log="/dev/null", tag=sys.argv[1])).pid)
"""


@pytest.fixture
def tag() -> Iterator[str]:
    """Of processes that are ended after the test."""
    name = f"resilience-hold-tests-{os.getpid()}-{time.monotonic_ns()}"
    yield name
    processes.end(processes.tagged(name))


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder without books and stacks."""
    monkeypatch.setenv("RESILIENCE_STATE", str(tmp_path / "state"))
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


def orphan(tag: str) -> None:
    """Leave a process behind, as a starter that dies does."""
    subprocess.run([sys.executable, "-c", ORPHAN, tag], check=True, timeout=30, capture_output=True)
    (left,) = processes.tagged(tag)
    assert processes.parent_of(left).pid != os.getpid()


def names(state: Path) -> set[str]:
    """Of what is found."""
    return {stray.name for stray in scan.strays(state)}


def test_a_process_whose_starter_died(state: Path, tag: str):
    """It is found with its number, and ended by name."""
    orphan(tag)
    (left,) = processes.tagged(tag)
    (found,) = [stray for stray in scan.strays(state) if stray.name == tag]
    assert str(left.pid) in found.what
    assert f"--remove {tag}" in found.problem().hint
    scan.remove(state, (tag,))
    assert not processes.alive(left)
    assert tag not in names(state)


def test_what_a_book_names_is_no_stray(state: Path, tag: str):
    """It is owed: `reap` settles it."""
    orphan(tag)
    with DebtBook.create(state, "r1") as book:
        debt = book.owe("load", Undo(kind="load.process", data={"tag": tag}))
        assert tag not in names(state)
        with pytest.raises(FaultError, match="is no stray"):
            scan.remove(state, (tag,))
        book.settle(debt)
    assert tag in names(state)


def test_what_is_at_work_is_no_stray(state: Path, tag: str):
    """Its starter lives."""
    words = [sys.executable, "-c", f"{ORPHAN}\nsys.stdout.flush()\nimport time; time.sleep(60)", tag]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as starter:
        assert starter.stdout.readline()
        assert processes.tagged(tag)
        assert tag not in names(state)
        starter.kill()
        starter.wait()
        assert tag in names(state)


def test_what_mechanisms_find(state: Path, monkeypatch: pytest.MonkeyPatch):
    """A module's `leftovers` are shown, without a name to remove them by; those that a book names are not."""
    monkeypatch.setattr(
        cgroup, "leftovers", lambda: ("control group /x/resilience-fault-1", "group resilience-fault-2")
    )
    with DebtBook.create(state, "r1") as book:
        debt = book.owe("x", Undo(kind="cgroup.cpu", data={"group": "/x/resilience-fault-2"}))
        found = [stray for stray in scan.strays(state) if not stray.name]
        book.settle(debt)
    assert "control group /x/resilience-fault-1" in [stray.what for stray in found]
    assert "group resilience-fault-2" not in [stray.what for stray in found]
    assert "by hand" in found[0].problem().hint


def test_every_hook_can_be_asked():
    """They look only, and say sentences."""
    assert all(isinstance(sentence, str) and sentence for sentence in registry.leftovers())
