"""Whether a run lives, what it holds and whether it has stopped is told from outside. Requirement F7."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from resilience.errors import SpecError
from resilience.model import Undo
from resilience.runtime.debts import DebtBook
from resilience.runtime.stopping import look, stop
from resilience.runtime.watch import ABORT

RUN = "0badcafe"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run folder with a plan."""
    made = tmp_path / "runs" / "one"
    made.mkdir(parents=True)
    (made / "plan.json").write_text(json.dumps({"run": RUN}))
    return made


def say(folder: Path, *events: tuple[str, str]) -> None:
    """Add events to the record, and a line that is being written."""
    with (folder / "events.jsonl").open("a") as log:
        for kind, name in events:
            log.write(json.dumps({"at_s": 0.0, "kind": kind, "name": name}) + "\n")
        log.write('{"at_s": 1.0, "ki\n')


def test_not_a_run(tmp_path: Path):
    """A folder without a plan is refused."""
    with pytest.raises(SpecError, match="not the folder of a run"):
        look(tmp_path, tmp_path)


def test_a_run_that_is_over(folder: Path, tmp_path: Path):
    """Nothing to stop: exit 0, and its folder is not touched."""
    say(folder, ("fault-requested", "x"), ("fault-clear", "x"), ("end", ""))
    told = stop(folder, tmp_path, 1.0)
    assert (told.code, "is over" in told.text) == (0, True)
    assert not (folder / ABORT).exists()


def test_what_a_dead_run_holds_is_said(folder: Path, tmp_path: Path):
    """By its book, or by its record if its book is elsewhere: exit 5 and the command that settles."""
    say(folder, ("fault-requested", "x"), ("fault-requested", "y"), ("fault-clear", "y"))
    told = stop(folder, tmp_path, 1.0)
    assert told.code == 5
    assert "left x in place" in told.text
    code = f"""
from pathlib import Path
from resilience.model import Undo
from resilience.runtime.debts import DebtBook
book = DebtBook.create(Path({str(tmp_path)!r}), {RUN!r})
book.owe("z", Undo(kind="process.pause", data={{}}))
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
    told = stop(folder, tmp_path, 1.0)
    assert told.code == 5
    assert "left z in place" in told.text
    assert "resilience reap" in told.text


def test_a_living_run_stops(folder: Path, tmp_path: Path):
    """It is asked, and waited for until it says so and holds nothing."""
    with DebtBook.create(tmp_path, RUN) as book:
        load = book.owe("load", Undo(kind="load.process", data={"tag": "nobody"}))
        held = book.owe("x", Undo(kind="process.pause", data={}))
        say(folder, ("fault-requested", "x"))
        assert look(folder, tmp_path).held == ("x",)

        def obey() -> None:
            while not (folder / ABORT).exists():
                time.sleep(0.01)
            say(folder, ("interrupted", "run"))
            time.sleep(0.2)
            book.settle(held)

        thread = threading.Thread(target=obey)
        thread.start()
        told = stop(folder, tmp_path, 10.0)
        thread.join()
        assert (told.code, "was stopped" in told.text) == (0, True)
        book.settle(load)


def test_a_living_run_that_does_not_react(folder: Path, tmp_path: Path):
    """Nothing held: unknown (2). Something held: still in place (5). Not waited for: only asked (0)."""
    with DebtBook.create(tmp_path, RUN) as book:
        assert stop(folder, tmp_path, 0.2).code == 2
        held = book.owe("x", Undo(kind="process.pause", data={}))
        told = stop(folder, tmp_path, 0.2)
        assert told.code == 5
        assert "x is in place" in told.text
        assert stop(folder, tmp_path, 0.0).code == 0
        assert (folder / ABORT).exists()
        book.settle(held)
