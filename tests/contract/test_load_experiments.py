"""The load tests that come with the project: right, planned for as long as they say, and some really run, shortened."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from resilience.cli import main
from resilience.ctk.run import load_file
from tests.program import ROOT, Program

FOLDER = ROOT / "experiments" / "load"
PROFILES = {
    *("baseline", "normal", "peak", "stress", "spike", "ramp-up", "sustained", "soak", "break-point"),
    *("step", "day", "stages-of-rates", "stages-of-users"),
}
"""Every profile and shape that is asked for."""
FILES = sorted(FOLDER.glob("*.yaml"))


def test_every_profile_is_there():
    """Requirement L1: a file for each named profile, and for each way in which stages are written (L2)."""
    assert {file.stem for file in FILES} >= PROFILES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_says_what_it_would_do(file: Path):
    """Valid; the plan tells the course of its load; it begins with its story and stands on its page."""
    load_file(file)
    done = CliRunner().invoke(main, ["plan", str(file), "--json", "--seed", "3"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)["load"]
    assert told["model"] in {"open", "closed", "script"}
    assert file.read_text().startswith("# "), "it begins with its story"
    if file.stem in PROFILES:
        assert told["most"] >= told["level"]
        assert (told["arrivals"] == 0) is (told["model"] == "closed")
        page = (ROOT / "docs" / "reference" / "experiments.md").read_text()
        assert f"| [`{file.stem}`]" in page
        assert f"chaos run experiments/load/{file.name}" in file.read_text()


@pytest.mark.parametrize(
    ("name", "level", "most", "planned_s"),
    [
        ("baseline", 50, 100, 372.5),
        ("normal", 50, 500, 702.5),
        ("peak", 100, 1000, 762.5),
        ("stress", 100, 2000, 942.5),
        ("spike", 100, 1000, 462.5),
        ("sustained", 500, 500, 1842.5),
        ("soak", 100, 100, 14_442.5),
        ("day", 20, 200, 86_442.5),
    ],
)
def test_the_named_profiles_are_what_they_are_called(name: str, level: float, most: float, planned_s: float):
    """Requirement L1: levels and lengths; 2.5 s of each are for judging the baseline before the shape begins."""
    done = CliRunner().invoke(main, ["plan", str(FOLDER / f"{name}.yaml"), "--json"])
    plan = json.loads(done.output)
    assert (plan["load"]["level"], plan["load"]["most"], plan["duration_s"]) == (level, most, planned_s)


@pytest.mark.parametrize(("name", "times", "load"), [("spike", "0.02", "1"), ("step", "0.02", "0.8")])
def test_a_short_variant_really_runs_and_passes(program: Program, name: str, times: str, load: str):
    """Users who come and go, and arrivals by steps, on the embedded stack with the reference target."""
    path = program.folder / f"{name}.json"
    words = ["shorten", str(FOLDER / f"{name}.yaml"), "--times", times, "--load", load, "--out", str(path)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    document = json.loads(path.read_bytes())
    own = document["extensions"][0]
    own["stack"]["service"]["environment"] = {"PYTHONPATH": str(ROOT)}  # the variant is outside the checkout
    # The machine may be busy with other tests: that something is slow then is not what is tried here.
    own["objectives"] = [one for one in own["objectives"] if not str(one).startswith("p(")]
    started = program.run(document)
    code = started.done(90).code
    verdict = json.loads((started.record / "verdict.json").read_bytes())
    assert (code, verdict["answer"]) == (0, "pass"), verdict["because"]
    assert verdict["load"]["model"] == ("closed" if name == "spike" else "open")
    assert verdict["load"]["dropped"] == 0
    assert "short variant" in json.loads((started.record / "experiment.json").read_bytes())["title"]
