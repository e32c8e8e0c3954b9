"""The experiments that come with the project: right, safe to plan, and documented."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from resilience.cli import main
from resilience.ctk.run import load_file

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "experiments").glob("*.yaml"))
STORIES = {
    *("redis-failure", "redis-hung", "redis-readonly", "cache-miss-storm", "cache-eviction"),
    *("pool-exhaustion", "slow-queries", "deadlocks", "postgres-crash"),
    *("packet-loss", "high-latency", "bandwidth-saturation", "network-partition"),
    *("cpu-throttling", "memory-leak", "disk-io-limits"),
    *("worker-crash", "many-effects", "provider-outage", "rolling-restart"),
}
"""What a team would look for by name."""


def test_every_story_is_there():
    """Requirements F1 to F5: a story for each way in which a dependency is known to fail."""
    assert {file.stem for file in FILES} >= STORIES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_says_what_it_would_do(file: Path):
    """Valid; the plan has for each fault the part, and how it is undone, or that it is not (Requirement E4)."""
    experiment = load_file(file)
    done = CliRunner().invoke(main, ["plan", str(file), "--json", "--seed", "3"])
    assert done.exit_code == 0, done.output
    plan = json.loads(done.output)
    assert experiment.faults
    for spec in experiment.faults:
        assert plan["undo"][spec.name], spec.name
        assert spec.name in plan["parts"]
    assert plan["duration_s"] < 120


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_promises_something(file: Path):
    """All four parts of the verdict are asked for, and there is an objective about every fault and about after it."""
    experiment = load_file(file)
    text = file.read_text()
    for probe in ("objectives_met", "degraded_gracefully", "recovered", "no_data_lost"):
        assert f"func: {probe}" in text, probe
    phases = {(objective.phase.value, objective.fault) for objective in experiment.objectives}
    for spec in (spec for spec in experiment.faults if spec.on != "service"):  # nothing can be asked of what is away
        asked = {"", spec.name, spec.of, spec.group}
        assert any(phase == "fault" and fault in asked for phase, fault in phases), spec.name
    assert any(phase == "after" for phase, _ in phases)
    assert text.startswith("# "), "it begins with its story"


def test_every_file_is_on_its_page():
    """Whoever looks for an experiment finds each in the table."""
    page = (ROOT / "docs" / "reference" / "experiments.md").read_text()
    assert [file.stem for file in FILES if f"| [`{file.stem}`]" not in page] == []
