"""`resilience search` and `resilience capacity`: worked out before anything is touched; whole, on a real stack.

Requirement M6.
"""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from resilience.cli import main
from resilience.ctk.run import load_file
from resilience.ctk.searching import prepare
from resilience.ctk.steered import load_for
from resilience.errors import SpecError
from tests.program import RESILIENCE, ROOT, Program, left_of

FOLDER = ROOT / "experiments" / "search"
FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_shipped_file_says_what_it_would_do(file: Path):
    """Valid for `chaos`, planned by its own command, with its story at its top, and on its page."""
    experiment = load_file(file)
    command = "capacity" if experiment.capacity is not None else "search"
    done = CliRunner().invoke(main, [command, str(file), "--plan", "--json"])
    assert done.exit_code == 0, done.output
    assert 30 < json.loads(done.output)["usual_s"] < 600
    spoken = CliRunner().invoke(main, [command, str(file), "--plan"])
    assert "nothing was touched" in spoken.output
    assert f"resilience {command} experiments/search/{file.name}" in file.read_text()
    assert f"[`{file.stem}`](../../experiments/search/" in (ROOT / "docs" / "reference" / "experiments.md").read_text()


def shipped(name: str = "break-point") -> dict[str, Any]:
    """A shipped file, as plain data."""
    document: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    return document


def written(folder: Path, document: dict[str, Any], name: str = "search.yaml") -> Path:
    """A file."""
    path = folder / name
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def changed(folder: Path, name: str = "break-point", load: dict[str, Any] | None = None, **search: Any) -> Path:
    """A shipped file with another search."""
    document = shipped(name)
    document["extensions"][0]["search"] |= search
    document["extensions"][0]["load"] |= load or {}
    return written(folder, document)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"objectives": ["rate<0.001"]}, "operations are needed to be certain"),
        ({"load": {"max_in_flight": 20}}, "the generator would be the limit"),
        ({"name": "database-latency", "setting": "lateness_ms"}, "has no setting"),
        ({"name": "database-latency", "start": 0}, "out of range"),
        ({"name": "database-latency", "setting": "stream"}, "is not known"),
    ],
)
def test_what_could_not_be_answered_is_refused(tmp_path: Path, told, why):
    """Too few operations to be certain, a generator that would be the limit, settings that are not there."""
    with pytest.raises(SpecError) as refused:
        prepare(load_for(changed(tmp_path, **told), "search"))
    assert why in "\n".join(map(str, refused.value.problems))


def test_a_short_file_takes_the_rest_from_another(tmp_path: Path):
    """With its own search, and its own name; its paths are those of the other file."""
    other = str(ROOT / "experiments" / "redis-failure.yaml")
    short = {"search": {"over": "rate", "start": 50, "limit": 900, "objectives": ["p(95)<250"]}}
    prepared = prepare(load_for(written(tmp_path, {"from": other, **short}), "search"))
    assert prepared.experiment.name == "search"
    assert prepared.experiment.folder == str(ROOT / "experiments")
    assert (prepared.experiment.load.rate, prepared.experiment.load.stages) == (50, ())
    assert prepared.experiment.steps == ()
    assert prepared.conditions == ("healthy",)
    with pytest.raises(SpecError, match="cannot be read"):
        load_for(written(tmp_path, {"from": "nowhere.yaml", **short}), "search")
    with pytest.raises(SpecError, match="not known here"):
        load_for(written(tmp_path, {"from": other, "serach": {}}), "search")


def test_a_file_that_asks_for_no_search_is_refused():
    """With what is missing, and exit 3."""
    for command in ("search", "capacity"):
        done = CliRunner().invoke(main, [command, str(ROOT / "experiments" / "redis-failure.yaml")])
        assert done.exit_code == 3
        assert f"says nothing of a {command}" in done.output


def tiny() -> dict[str, Any]:
    """A search of a few short steps, whatever the machine: half of the answers may take most of two seconds."""
    document = shipped()
    own = document["extensions"][0]
    own["stack"]["service"]["environment"] = {"PYTHONPATH": str(ROOT)}
    own["load"] |= {"rate": 20, "warm_up": "1s"}
    short = {"start": 20, "limit": 40, "objectives": ["med<1900"], "step": "1s", "settle": "200ms", "confirm": "1s"}
    own["search"] |= {**short, "precision": 0.5, "faults": []}
    return document


@pytest.mark.stack
@pytest.mark.slow
def test_a_search_on_a_real_stack(program: Program):
    """Its steps stand in the record, which is judged again to the same verdict; nothing is left."""
    file = program.write(tiny(), "tiny.yaml")
    done = program.resilience("search", file, "--seed", "7", "--json", within_s=110.0)
    told = json.loads(done.out)
    assert done.code == {"pass": 0, "fail": 1, "unknown": 2}[told["answer"]], done.err
    assert [part["name"] for part in told["parts"]] == ["break-point", "hysteresis", "writes", "faults", "validity"]
    [healthy] = told["search"]["conditions"]
    assert healthy["steps"][0]["level"] == 20
    assert all(step["offered"] >= 10 for step in healthy["steps"])
    assert f"{'climb':<8}" in done.err
    again = program.resilience("check", "runs/latest", "--json")
    assert json.loads(again.out)["search"] == told["search"]
    assert program.resilience("debts").code == 0


@pytest.mark.stack
@pytest.mark.slow
def test_a_search_that_is_interrupted_leaves_nothing(program: Program):
    """Ctrl-C in the middle of a step: exit 2, a record that says so, no process and no debt."""
    document = tiny()
    document["extensions"][0]["search"] |= {"limit": 10_000, "step": "30s"}
    document["extensions"][0]["load"]["max_in_flight"] = 50_000
    started = program.start(*RESILIENCE, "search", program.write(document, "long.yaml"), "--seed", "7")
    started.until(lambda: any(one.get("name") == "after" for one in started.events()), 60.0)
    owed = started.owed()
    started.process.send_signal(signal.SIGINT)
    done = started.done(60.0)
    assert done.code == 2, done.err
    verdict = json.loads((started.record / "verdict.json").read_text())
    assert verdict["answer"] == "unknown"
    assert any("interrupted" in part["because"] for part in verdict["parts"])
    assert left_of(owed) == []
    assert program.resilience("debts").code == 0
