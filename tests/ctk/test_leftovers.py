"""What dead runs left is shown and offered for settling when the next run begins. Requirement F7."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from resilience.host import processes
from resilience.model import Identity, Launch
from tests.program import CHAOS, RESILIENCE, Program, own_block, short

OWES = """
import sys
from pathlib import Path
from resilience.model import Undo
from resilience.runtime.debts import DebtBook
book = DebtBook.create(Path(sys.argv[1]), "0badcafe")
book.owe("load", Undo(kind="load.process", data={"tag": sys.argv[2]}))
"""


@pytest.fixture
def left(program: Program) -> Identity:
    """A process that a dead run still owes the end of."""
    program.state.mkdir()
    tag = f"tests-{os.getpid()}-{time.monotonic_ns()}"
    launch = Launch(
        name="left",
        argv=(sys.executable, "-c", "import time; time.sleep(60)"),
        environment={},
        folder="/",
        log="/dev/null",
        tag=tag,
    )
    identity = processes.start(launch)
    subprocess.run([sys.executable, "-c", OWES, str(program.state), tag], check=True, timeout=30)
    yield identity
    processes.end([identity])


def hopeless() -> dict:
    """An experiment that is refused right after the leftovers: its stack cannot be had here."""
    document = short("redis-down")
    own_block(document)["stack"] = {"use": "kubernetes"}
    return document


def on_a_terminal(program: Program, words: tuple[str, ...], answer: str) -> tuple[int, str]:
    """Run a program on a terminal of its own, and answer its question; exit code and all it said."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        words, cwd=program.folder, env=program.env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    said, answered, deadline = b"", False, time.monotonic() + 40
    while time.monotonic() < deadline:
        ready, _, _ = select.select([ours], [], [], 0.2)
        try:
            said += os.read(ours, 4096) if ready else b""
        except OSError:
            break
        if b"settle it now?" in said and not answered:
            answered = True
            os.write(ours, answer.encode())
    os.close(ours)
    return process.wait(20), said.decode()


def test_refused_without_a_terminal(program: Program, left: Identity):
    """Nobody can be asked: exit 5, what is owed, the command that settles it; nothing was settled, nothing begun."""
    done = program.chaos("run", program.write(hopeless()))
    assert done.code == 5, done.out + done.err
    assert "load.process is still owed to the target by run 0badcafe" in done.err
    assert "resilience reap" in done.err
    assert "--settle" in done.err
    assert processes.alive(left)
    assert not program.runs.exists()


@pytest.mark.parametrize("start", [CHAOS, RESILIENCE], ids=["chaos", "resilience"])
def test_settled_when_told_to(program: Program, left: Identity, start: tuple[str, ...]):
    """`--settle` settles first, says what, and the run goes on: here to what it lacks."""
    done = program.start(*start, "run", program.write(hopeless()), "--settle").done(60)
    assert done.code == 4, done.out + done.err
    assert "settled: load of run 0badcafe" in done.err
    assert not processes.alive(left)
    assert not list((program.state / "debts").glob("*.jsonl"))


@pytest.mark.parametrize(("answer", "code"), [("\n", 4), ("n\n", 5)])
def test_asked_on_a_terminal(program: Program, left: Identity, answer: str, code: int):
    """Enter settles, no refuses; both see what it is about first."""
    words = (*RESILIENCE, "run", program.write(hopeless()))
    ended, said = on_a_terminal(program, words, answer)
    assert "still owed to the target by run 0badcafe" in said
    assert ended == code, said
    assert processes.alive(left) is (code == 5)


def test_a_living_run_is_left_alone(program: Program):
    """What a running run owes is not offered: it is not left over."""
    program.state.mkdir()
    code = f"{OWES}\nprint('ready', flush=True)\nimport time; time.sleep(60)"
    words = [sys.executable, "-c", code, str(program.state), "nobody-has-this-tag"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as runner:
        try:
            assert runner.stdout.readline() == b"ready\n"
            assert program.chaos("run", program.write(hopeless())).code == 4
        finally:
            runner.kill()
    assert Path(program.state / "debts" / "0badcafe.jsonl").exists()
