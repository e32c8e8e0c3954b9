"""Whatever a run was told when it was made, `resilience check` tells of its record today. Requirement J4."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from resilience.cli import main

RECORDS = sorted(path.parent for path in (Path(__file__).parents[2] / "fixtures" / "records").glob("*/verdict.json"))
EXITS = {"pass": 0, "fail": 1, "unknown": 2}
TIMES = ("mttr_s", "mttr_low_s", "mttr_high_s")


def told_of(record: Path) -> tuple[dict[str, Any], int]:
    """The verdict today, and the exit code."""
    done = CliRunner().invoke(main, ["check", str(record), "--json"])
    return json.loads(done.stdout), done.exit_code


def part(document: dict[str, Any], name: str) -> dict[str, Any]:
    """One part of a verdict."""
    found: dict[str, Any] = next(one for one in document["parts"] if one["name"] == name)
    return found


def test_there_are_records_of_every_answer():
    """Otherwise the tests below would show nothing."""
    answers = {json.loads((record / "verdict.json").read_text())["answer"] for record in RECORDS}
    assert answers == set(EXITS)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_an_old_record_gets_its_verdict(record: Path):
    """The same answer, of the whole and of every part; the same counts of operations and writes; the same instants.

    What was added to verdicts since may be there besides. Times to recover may differ by the resolution that they had.
    """
    before = json.loads((record / "verdict.json").read_text())
    after, code = told_of(record)
    assert (after["answer"], code) == (before["answer"], EXITS[before["answer"]])
    for one in before["parts"]:
        assert part(after, one["name"])["answer"] == one["answer"], one["name"]
    for name in ("experiment", "target", "stack", "seed", "run", "digest", "duration_s", "faults"):
        assert after[name] == before[name], name
    assert {name: after["writes"][name] for name in before["writes"]} == before["writes"]
    for old, new in zip(before["phases"], after["phases"], strict=True):
        assert (new["name"], new["start_s"], new["end_s"]) == (old["name"], old["start_s"], old["end_s"])
        for operation, figures in old["operations"].items():
            assert {name: new["operations"][operation][name] for name in figures} == figures
    for old, new in zip(before["objectives"], after["objectives"], strict=True):
        assert {name: new[name] for name in ("expression", "value", "answer")} == {
            name: old[name] for name in ("expression", "value", "answer")
        }
    cycles = before["recovery"]["cycles"]
    resolution_s = max((one["resolution_s"] or 0.0 for one in cycles), default=0.0)
    for name in TIMES:
        old, new = before["recovery"][name], after["recovery"][name]
        assert (old is None) == (new is None)
        assert old is None or new == pytest.approx(old, abs=resolution_s)
