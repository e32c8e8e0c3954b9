"""One trial as a program: what it is given, what is read of it, and that it is ended when that is asked for."""

import json
import sys
import textwrap
import time
from pathlib import Path

import pytest

from resilience.drill.selftest import programs
from resilience.drill.selftest.programs import Patience, run
from resilience.drill.selftest.trials import Kind, Trial

WORDS = "import json, os, signal, sys, time, pathlib\n"


def trial(tmp_path: Path, code: str, **more) -> Trial:
    """A trial whose program is this code; it is called with the words of the real one."""
    program = tmp_path / "program.py"
    program.write_text(WORDS + textwrap.dedent(code))
    given = {"environment": {"TARGET_BUGS": "B1"}, "without": frozenset({"SHOP_RETRIES"}), "planned_s": 1.0} | more
    return Trial(
        name="B1-1",
        kind=Kind.BUG,
        row=None,
        experiment=Path("/x/story.yaml"),
        number=1,
        words=("python", str(program)),
        **given,
    )


def folder(tmp_path: Path) -> Path:
    own = tmp_path / "B1-1"
    own.mkdir()
    return own


def never() -> bool:
    return False


def test_what_a_run_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its experiment, folders of its own, the variables of its row, and none of those that would change it."""
    for name, value in {"TARGET_BUGS": "B9", "SHOP_RETRIES": "1", "RESILIENCE_STACK": "compose", "OTHER": "o"}.items():
        monkeypatch.setenv(name, value)
    names = ("TARGET_BUGS", "SHOP_RETRIES", "RESILIENCE_STACK", "RESILIENCE_STATE", "OTHER")
    told = f"print(json.dumps([sys.argv[1:], {{n: os.environ.get(n) for n in {names!r}}}, os.getcwd()]))"
    own = folder(tmp_path)
    run(trial(tmp_path, told), own, never)
    words, variables, place = json.loads((own / "verdict.json").read_text())
    assert words == ["run", "/x/story.yaml", "--runs", str(own / "runs"), "--json"]
    assert variables == {
        "TARGET_BUGS": "B1",
        "SHOP_RETRIES": None,
        "RESILIENCE_STACK": None,
        "RESILIENCE_STATE": str(own / "state"),
        "OTHER": "o",
    }
    assert place == str(own), "its log files are its own"


def test_the_honest_run_is_the_program_itself():
    """Without a launcher nothing stands between."""
    assert programs._program(()) == (sys.executable, "-m", "resilience.cli")
    assert programs._program(("env", "A=b")) == ("env", "A=b")


def test_what_is_read_of_a_run(tmp_path: Path):
    """Exit code, verdict, what it said, how long it took."""
    code = """
    print(json.dumps({"answer": "fail"}))
    sys.stderr.write("why\\n")
    time.sleep(0.3)
    sys.exit(1)
    """
    ended = run(trial(tmp_path, code), folder(tmp_path), never)
    assert (ended.code, ended.document, ended.said) == (1, {"answer": "fail"}, "why\n")
    assert 0.3 <= ended.took_s < 60
    assert (ended.overdue, ended.owing, ended.left) == (False, (), ())


@pytest.mark.parametrize("out", ["", "no JSON", "[1]", '{"answer": "pass"'])
def test_no_verdict_is_none(tmp_path: Path, out: str):
    """Nothing, or half of one, is not taken for one."""
    assert run(trial(tmp_path, f"print({out!r})"), folder(tmp_path), never).document is None


def test_told_to_stop(tmp_path: Path):
    """It gets SIGTERM, so that it can give everything back, and is waited for."""
    own = folder(tmp_path)
    code = """
    def stop(*_):
        time.sleep(0.3)
        pathlib.Path("gave-back").touch()
        sys.exit(2)
    signal.signal(signal.SIGTERM, stop)
    pathlib.Path("begun").touch()
    time.sleep(60)
    """
    ended = run(trial(tmp_path, code), own, (own / "begun").exists)
    assert (own / "gave-back").exists()
    assert (ended.code, ended.overdue) == (2, False)


def test_what_does_not_stop_is_killed_with_its_children(tmp_path: Path):
    """After its time; whoever started it goes on."""
    own = folder(tmp_path)
    code = """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pathlib.Path("child").write_text(str(os.fork() or os.getpid()))
    pathlib.Path("begun").touch()
    time.sleep(60)
    """
    ended = run(trial(tmp_path, code), own, (own / "begun").exists, Patience(ends_s=0.3))
    assert ended.code == -9
    child = int((own / "child").read_text())
    deadline = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_does_not_end_is_overdue(tmp_path: Path):
    """A run that hangs does not hold everything up for ever."""
    ended = run(trial(tmp_path, "time.sleep(60)", planned_s=0.0), folder(tmp_path), never, Patience(slack_s=0.3))
    assert ended.overdue


def test_what_is_owed_is_seen_and_settled(tmp_path: Path):
    """A run that leaves a debt leaves it in its own state, where it is found and settled, and is told all the same."""
    left = tmp_path / "resilience-left"
    left.mkdir()
    code = f"""
    from resilience.model import Undo
    from resilience.runtime.debts import DebtBook
    state = pathlib.Path(os.environ["RESILIENCE_STATE"])
    state.mkdir()
    book = DebtBook.create(state, "0123abcd")
    book.owe("stack", Undo(kind="stack.embedded", data={{"folder": {str(left)!r}, "tag": "left"}}))
    os._exit(5)
    """
    ended = run(trial(tmp_path, code), folder(tmp_path), never, Patience(settles_s=0.2))
    assert ended.code == 5
    assert "stack.embedded is still owed" in ended.owing[0]
    assert ended.left == ()
    assert not left.exists(), "it was settled"
