"""The program `resilience`, as users call it: its results, as text and as JSON, and its exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from resilience.model import Undo
from resilience.runtime.debts import DebtBook
from resilience.spec.schema import schema
from tests.program import ROOT, SHIPPED, Program, short

COMMITTED_SCHEMA = ROOT / "src" / "resilience" / "spec" / "experiment.schema.json"


def test_version_and_help(program: Program):
    """It says what it is, and every command says how it is used."""
    assert program.resilience("--version").out.strip().endswith("0.1.0")
    listed = program.resilience("--help")
    assert listed.code == 0
    assert "run" in listed.out
    assert not program.state.exists()


def test_plan_as_json(program: Program):
    """Requirement E4: phases, arrivals, seed and how each fault is undone, without having touched anything."""
    done = program.resilience("plan", str(SHIPPED), "--seed", "7", "--json")
    assert done.code == 0, done.err
    planned = json.loads(done.out)
    assert planned["seed"] == 7
    assert [phase["name"] for phase in planned["phases"]] == [
        "warm-up",
        "baseline",
        *["fault", "recovery"] * 3,
        "after",
    ]
    assert planned["duration_s"] == 69.0
    assert planned["arrivals"] == pytest.approx(69 * 250, rel=0.05)
    assert set(planned["undo"]) == {"redis-down", "redis-hung", "service-killed"}
    assert all(planned["undo"].values())
    assert not program.state.exists()
    assert list(program.folder.iterdir()) == []


def test_plan_is_the_same_every_time(program: Program):
    """The same file and seed plan the same; only the run's own id is new."""
    one, two = (json.loads(program.resilience("plan", str(SHIPPED), "--seed", "7", "--json").out) for _ in range(2))
    assert one["run"] != two["run"]
    assert one | {"run": ""} == two | {"run": ""}


def test_plan_as_text(program: Program):
    """What a person reads before a run: what is done to what, how it is undone, and that nothing was touched."""
    done = program.resilience("plan", str(SHIPPED), COLUMNS="200")
    assert done.code == 0
    for word in ("fault(redis-down)", "toxiproxy.down on redis", "arrivals", "seed 1", "nothing was touched"):
        assert word in done.out


def test_plan_of_a_wrong_file(program: Program):
    """Exit 3, and every problem on standard error."""
    document = short("redis-down")
    document["extensions"][0]["load"]["rate"] = -1
    done = program.resilience("plan", program.write(document))
    assert done.code == 3
    assert "-1" in done.err
    assert done.out == ""


def test_schema_is_the_committed_one(program: Program):
    """Requirement E2: what editors get is what is in the repository, and what the parser uses."""
    done = program.resilience("schema")
    assert done.code == 0
    assert json.loads(done.out) == json.loads(COMMITTED_SCHEMA.read_text()) == schema()


def test_validate_several(program: Program):
    """Every file is looked at, each problem says in which; one bad file is exit 3."""
    bad = short("redis-down")
    bad["extensions"][0]["lode"] = {}
    program.write(bad, "bad.yaml")
    done = program.resilience("validate", str(SHIPPED), "bad.yaml", "missing.yaml")
    assert done.code == 3
    assert f"{SHIPPED}: valid" in done.out
    assert "bad.yaml" in done.err
    assert "lode" in done.err
    assert "missing.yaml" in done.err
    listed = json.loads(program.resilience("validate", "--json", str(SHIPPED), "bad.yaml").out)
    assert listed[str(SHIPPED)] == []
    assert [set(problem) for problem in listed["bad.yaml"]] == [{"where", "message", "hint"}]


def test_several_files_are_checked_before_the_first_is_run(program: Program):
    """One wrong file of several: exit 3, and the others were not begun."""
    bad = short("redis-down")
    bad["extensions"][0]["lode"] = {}
    good = program.write(short("redis-down"))
    done = program.resilience("run", good, program.write(bad, "bad.yaml"))
    assert done.code == 3
    assert "bad.yaml" in done.err
    assert not program.runs.exists()


@pytest.mark.parametrize("command", ["check", "report"])
def test_no_record(program: Program, command: str):
    """A folder that is no record cannot be judged: neither a pass nor a fail, and no traceback."""
    (program.folder / "empty").mkdir()
    for folder in ("empty", "nowhere"):
        done = program.resilience(command, folder)
        assert done.code in {2, 3, 4}
        assert "Traceback" not in done.err
        assert folder in done.err


def test_abort_of_no_run(program: Program):
    """There is nothing to stop: said, exit 3, and no file is made."""
    done = program.resilience("abort")
    assert done.code == 3
    assert "runs/latest" in done.err
    assert list(program.folder.iterdir()) == []


def test_nothing_is_owed(program: Program):
    """Without debts: exit 0 and a sentence, or an empty list."""
    for command in ("debts", "reap"):
        done = program.resilience(command)
        assert (done.code, done.out.strip()) == (0, "nothing is owed to any target")
        assert json.loads(program.resilience(command, "--json").out) == []


OWES = """
import sys
from pathlib import Path
from resilience.model import Undo
from resilience.runtime.debts import DebtBook
book = DebtBook.create(Path(sys.argv[1]), "0badcafe")
book.owe("load", Undo(kind="load.process", data={"tag": "nobody-has-this-tag"}))
"""


def test_debts_of_a_dead_run(program: Program):
    """A run that died with its reaper: `debts` lists it (5), `reap` settles it (0), and then nothing is owed (0)."""
    program.state.mkdir()
    subprocess.run([sys.executable, "-c", OWES, str(program.state)], check=True, timeout=30)
    owed = program.resilience("debts", "--json")
    assert owed.code == 5
    (problem,) = json.loads(owed.out)
    assert problem["where"] == "load"
    assert "0badcafe" in problem["message"]
    settled = program.resilience("reap")
    assert settled.code == 0, settled.out
    assert "settled: load of run 0badcafe" in settled.out
    assert program.resilience("debts").code == 0
    assert list((program.state / "debts").iterdir()) == []


def test_debts_of_a_living_run_are_left_alone(program: Program):
    """What a running run owes is listed, and `reap` does not take it away from it."""
    program.state.mkdir()
    book = DebtBook.create(program.state, "0badcafe")
    debt = book.owe("load", Undo(kind="load.process", data={"tag": "nobody-has-this-tag"}))
    assert program.resilience("reap").code == 0
    assert program.resilience("debts").code == 5
    assert [one.id for one in book.owed()] == [debt]
    book.settle(debt)
    book.close()


def test_debt_that_cannot_be_settled(program: Program):
    """What nobody knows how to settle stays owed, is said, and no run begins on top of it: exit 5."""
    program.state.mkdir()
    code = OWES.replace("load.process", "nobody.knows")
    subprocess.run([sys.executable, "-c", code, str(program.state)], check=True, timeout=30)
    assert program.resilience("reap").code == 5
    done = program.chaos("run", program.write(short("redis-down")))
    assert done.code == 5, done.out + done.err
    assert "nobody.knows" in done.err
    assert not program.runs.exists()


@pytest.mark.stack
@pytest.mark.slow
def test_a_kept_stack(program: Program):
    """`up`, `status` and `down`: started once, healthy, used where it is, and gone without a trace."""
    name = program.write(short("redis-down"))
    nothing = program.resilience("status")
    assert nothing.code == 4
    assert "resilience up" in nothing.out
    started = program.resilience("up", "--file", name)
    assert started.code == 0, started.out + started.err
    try:
        assert "service: http://127.0.0.1:" in started.out
        again = program.resilience("up", "--file", name)
        assert again.code == 0
        assert again.out.splitlines()[-4:] == started.out.splitlines()[-4:]
        status = program.resilience("status", "--json")
        assert status.code == 0, status.out
        kept = json.loads(status.out)
        assert set(kept["parts"]) == {"postgres", "redis", "toxiproxy", "service"}
        assert not any(kept["parts"].values())
        other = program.chaos("run", name, TARGET_BUGS="B01")
        assert other.code == 4, "a kept stack without the bug must not be taken for one with it"
        assert "TARGET_BUGS" in other.err
    finally:
        ended = program.resilience("down")
    assert ended.code == 0
    assert not Path(kept["folder"]).exists()
    assert program.resilience("status").code == 4
    assert program.resilience("down").out.strip() == "no stack was kept running"


def test_a_closed_pipe_is_no_traceback(program: Program):
    """`resilience schema | head -1` ends quietly."""
    with subprocess.Popen(
        [sys.executable, "-m", "resilience.cli", "schema"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=program.env,
        cwd=program.folder,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        os.read(process.stdout.fileno(), 1)
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


def test_scan(program: Program):
    """`reap --scan` lists what nobody owes and settles nothing; a name that is no stray is refused."""
    listed = program.resilience("reap", "--scan", "--json")
    assert listed.code == (5 if json.loads(listed.out) else 0)
    refused = program.resilience("reap", "--scan", "--remove", "nobody-has-this-name")
    assert "is no stray" in refused.err
    assert refused.code == 2
    assert program.resilience("reap", "--remove", "x").code == 3


def test_abort_what_is_over(program: Program):
    """A run that is over has nothing to stop: exit 0, and it says so."""
    folder = program.runs / "one"
    folder.mkdir(parents=True)
    (folder / "plan.json").write_text(json.dumps({"run": "0badcafe"}))
    (program.runs / "latest").symlink_to("one")
    done = program.resilience("abort")
    assert (done.code, done.out) == (0, "run 0badcafe is over: there is nothing to stop\n")
