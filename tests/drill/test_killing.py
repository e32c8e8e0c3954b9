"""The command `kill-matrix`: what it tries, what it says, and that it leaves nothing itself."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from resilience.cli import main
from resilience.drill.killing import TABLE

pytestmark = pytest.mark.stack

ONE = ["kill-matrix", "--kinds", "toxiproxy.latency,docker.pause", "--moments", "holding"]


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder that a server's unprivileged user may enter, with a state folder in it."""
    with tempfile.TemporaryDirectory(prefix="killing-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        monkeypatch.setenv("TMPDIR", name)
        monkeypatch.setenv("RESILIENCE_STATE", f"{name}/state")
        yield Path(name)


def test_a_table_of_what_was_tried(place: Path):
    """Passed cells, what could not be tried with its reason, and the page's head is kept (Requirement F7)."""
    page = place / "page.md"
    page.write_text(f"# Head\n\n{TABLE}\n\nold\n")
    words = [sys.executable, "-m", "resilience.cli", *ONE, "--signals", "KILL,int", "--json", "--markdown", str(page)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["passed"] is True
    assert [(cell["signal"], cell["passed"]) for cell in told["cells"]] == [("KILL", True), ("INT", True)]
    assert "container" in told["missing"]["docker.pause"]
    text = page.read_text()
    assert text.startswith(f"# Head\n\n{TABLE}\n\n| kind | KILL | INT | slowest |")
    assert "old" not in text
    assert "| `toxiproxy.latency` | 1 of 1 | 1 of 1 |" in text
    assert list(place.glob("resilience-*")) == [], "its own stack is gone"


def test_killed_itself_it_leaves_nothing(place: Path):
    """SIGKILL while it tries: its stack is ended by a reaper, and nothing is owed."""
    words = [sys.executable, "-m", "resilience.cli", *ONE, "--signals", "STOP"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
    deadline = time.monotonic() + 60
    while not list(place.glob("resilience-drill-*/stack.json")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    while [*place.glob("resilience-drill-*/stack.json"), *(place / "state" / "debts").glob("*.jsonl")]:
        assert time.monotonic() < deadline, "its stack is still there"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--kinds", "toxiproxy.donw"], "'toxiproxy.donw' is not known"),
        (["--moments", "later", "--signals", "TERM,USR1"], "'later' is not known"),
        (["--signals", "USR1"], "there are INT, TERM, HUP, KILL, STOP"),
    ],
)
def test_words_that_are_not_known(words: list[str], told: str):
    """Exit 3 with what there is; nothing is started."""
    done = CliRunner().invoke(main, ["kill-matrix", *words])
    assert done.exit_code == 3
    assert told in done.output
