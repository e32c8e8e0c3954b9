"""What is wrong is refused before anything is touched: exit 3 for the file, 4 for the environment. Requirement E2."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.program import Done, Program, own_block, short


def assert_untouched(program: Program) -> None:
    """No record, no debt, no folder, no process."""
    assert [path.name for path in program.runs.glob("*")] == []
    books = program.state / "debts"
    assert not books.exists() or list(books.iterdir()) == []
    assert [pid for pid in pids() if str(program.state).encode() in environment_of(pid)] == []


def pids() -> list[int]:
    """Every process of the machine, whoever its parent is."""
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]


def environment_of(pid: int) -> bytes:
    """What it was started with; nothing of a process that has gone or is another user's."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The short experiment with a change in our block."""
    document = short("redis-down")
    change(own_block(document))
    return document


WRONG = {
    "unknown key": (lambda own: own.update(laod={}), "laod"),
    "wrong unit": (lambda own: own["load"].update(baseline="4 parsecs"), "4 parsecs"),
    "negative rate": (lambda own: own["load"].update(rate=-5), "-5"),
    "objective nobody can judge": (lambda own: own["objectives"].append({"expression": "p(95)<x @ after"}), "p(95)<x"),
    "unknown stack": (lambda own: own["stack"].update(use="mainframe"), "mainframe"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_value(program: Program, what: str):
    """The value is shown with its place, nothing is touched, exit 3."""
    change, said = WRONG[what]
    done = program.chaos("run", program.write(changed(change)))
    assert done.code == 3
    assert said in done.err
    assert "extensions[0]" in done.err
    assert_untouched(program)
    assert not program.state.exists(), "not even a folder for state"


def test_every_problem_is_listed(program: Program):
    """Three mistakes, three problems, each on a line of its own: not one per attempt."""
    document = changed(lambda own: own["load"].update(rate=-5, keyz=3))
    document["method"][0]["provider"]["arguments"]["kind"] = "toxiproxy.dwon"
    wrong = program.chaos("run", program.write(document))
    assert wrong.code == 3
    lines = [line for line in wrong.err.splitlines() if line.startswith("  ")]
    assert any("-5" in line for line in lines)
    assert any("keyz" in line for line in lines)
    del own_block(document)["load"]["keyz"]
    own_block(document)["load"]["rate"] = 250
    kind = program.chaos("run", program.write(document))
    assert kind.code == 3
    assert "toxiproxy.dwon" in kind.err
    assert "toxiproxy.down" in kind.err, "and what was probably meant"


def test_repeated_key(program: Program):
    """YAML with the same key twice is refused with its line: a parser would silently take the last."""
    name = program.write(short("redis-down"))
    path = program.folder / name
    path.write_text(path.read_text().replace("    rate: 250\n", "    rate: 250\n    rate: 1\n", 1))
    done = program.chaos("run", name)
    assert done.code == 3
    assert "rate" in done.err
    assert "line" in done.err
    assert_untouched(program)


@pytest.mark.parametrize("command", ["run", "validate"])
def test_missing_file(program: Program, command: str):
    """A path that is wrong is said, and is not taken for an experiment of somebody else."""
    done = program.resilience(command, "nowhere.yaml")
    assert done.code == 3
    assert "nowhere.yaml" in done.err
    assert_untouched(program)


@pytest.mark.parametrize("option", ["--dry=activities", "--no-validation", "--rollback-strategy=never", "--fail-fast"])
def test_options_that_would_weaken_a_run(program: Program, option: str):
    """Options of `chaos run` that could make a run pass unseen, or leave a fault, are refused: exit 3."""
    done = program.chaos("run", program.write(short("redis-down")), option)
    assert done.code == 3
    assert option.partition("=")[0] in done.err
    assert_untouched(program)


def refused(program: Program, document: dict[str, Any], *words: str, **env: str) -> Done:
    """A run that the environment is not ready for."""
    done = program.chaos("run", program.write(document), *words, **env)
    assert done.code == 4, done.out + done.err
    assert "Traceback" not in done.err
    assert_untouched(program)
    return done


def folder_of_stacks() -> set[str]:
    """Folders of stacks on this machine."""
    return {path.name for path in Path("/tmp").glob("resilience-stack-*")}  # noqa: S108 - only looked at


def test_program_that_does_not_work(program: Program):
    """A Redis that was named on purpose and does not answer: exit 4, named, nothing left."""
    before = folder_of_stacks()
    done = refused(program, short("redis-down"), RESILIENCE_REDIS_SERVER="/bin/false")
    assert "RESILIENCE_REDIS_SERVER" in done.err
    assert folder_of_stacks() <= before


@pytest.mark.stack
@pytest.mark.parametrize(
    ("bugs", "said"), [("B99", ("B99", "B01", "B19")), ("B01,nonsense", ("nonsense",))], ids=["unknown", "one of two"]
)
def test_unknown_bug(program: Program, bugs: str, said: tuple[str, ...]):
    """A planted bug that is not there must not look like one that was found harmless: exit 4, known ones listed."""
    done = refused(program, short("redis-down"), TARGET_BUGS=bugs)
    assert all(word in done.err for word in said)


@pytest.mark.stack
@pytest.mark.parametrize("command", [["python", "-c", "raise SystemExit('no such shop')"], ["no-such-program"]])
def test_service_that_does_not_start(program: Program, command: list[str]):
    """A service that ends at once, or is not there: exit 4, its last words shown, servers ended, no record."""
    document = changed(lambda own: own["stack"]["service"].update(command=command))
    done = refused(program, document)
    assert "no such shop" in done.err or "no-such-program" in done.err


@pytest.mark.parametrize("kind", ["file", "below a file"])
def test_folder_of_records_that_cannot_be_made(program: Program, kind: str):
    """A path that cannot be a folder: exit 4 and said, before a stack is started."""
    (program.folder / "taken").write_text("a file")
    path = "taken" if kind == "file" else "taken/runs"
    done = refused(program, short("redis-down"), "--runs", path)
    assert "taken" in done.err
    assert (program.folder / "taken").read_text() == "a file"


def test_stack_that_is_not_there(program: Program):
    """`--stack` with a stack that this version has not: exit 4, not a run on another one."""
    done = refused(program, short("redis-down"), "--stack", "kubernetes")
    assert "kubernetes" in done.err


def test_json_output_stays_json(program: Program):
    """With `--json`, problems go to standard error and standard output stays empty."""
    done = program.chaos("run", program.write(changed(WRONG["negative rate"][0])), "--json")
    assert done.code == 3
    assert done.out == ""
    listed = program.resilience("validate", "--json", "short.yaml")
    assert listed.code == 3
    (problems,) = json.loads(listed.out).values()
    assert any("-5" in problem["message"] for problem in problems)
