"""A plan shows everything that would be done to the target, and how it is undone. Requirement E4."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from resilience.abilities import foreseen
from resilience.ctk.outline import as_document, print_outline
from resilience.ctk.run import load_file, plan_for
from resilience.faults import registry
from resilience.model import Experiment, Plan
from resilience.spec.resolve import resolve
from tests.spec.test_steps import END, REST, STAY, act, begin, file, hold, member

STRIKE = min(name for name, kind in registry.KINDS.items() if kind.removes_data and kind.is_strike)


def planned(folder: Path, seed: int, *method: object, **more: object) -> tuple[Experiment, Plan]:
    path = folder / "x.json"
    path.write_bytes(file(*method, **more))
    experiment = resolve(load_file(path), seed)
    return experiment, plan_for(experiment, seed)


def shown(experiment: Experiment, plan: Plan) -> str:
    """What is printed, without the lines of the table, cells of one column joined."""
    console = Console(file=io.StringIO(), width=200)
    print_outline(experiment, plan, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_each_fault_with_part_settings_times_and_undo(tmp_path: Path):
    """Groups, faults inside others and repeated ones, each by its own name; defaults are filled in."""
    group = act("hold_faults", name="g", faults=[member("b"), member("c", "postgres")], duration="3s")
    experiment, plan = planned(tmp_path, 1, group, REST, begin(), STAY, hold("d"), END, REST)
    document = as_document(experiment, plan)
    assert [(each["name"], each["part"], each["start_s"], each["end_s"]) for each in document["faults"]] == [
        ("b", "redis", 19.0, 22.0),
        ("c", "postgres", 19.0, 22.0),
        ("slow", "postgres", 31.0, 40.0),
        ("d", "redis", 35.0, 40.0),
    ]
    assert (
        document["faults"][0]["settings"]["latency_ms"]
        == registry.KINDS["toxiproxy.latency"].settings["latency_ms"].default
    )
    assert (
        document["faults"][0]["undo"]
        == "the latency toxic that this run added to the proxy in front of redis is removed"
    )
    assert document["touched"] == ["postgres", "redis"]
    assert document["most_at_once"] == {"parts": 2, "faults": ["b", "c"]}
    assert json.loads(json.dumps(document)) == document
    text = shown(experiment, plan)
    assert "fault(g)" in text
    assert "b: toxiproxy.latency on redis; latency_ms" in text
    assert "until 40 s, at most 30s" in " ".join(text.split())
    assert "most parts at once: 2 (b, c)" in text
    assert "parts that are touched: postgres, redis; nothing was touched now" in text


def test_by_which_means_is_shown(tmp_path: Path):
    """Where this machine decides: the same in the document and for people (Requirement F3)."""
    experiment, plan = planned(tmp_path, 1, hold("x", kind="network.loss"), REST, hold("y"), REST)
    lossy, other = as_document(experiment, plan)["faults"]
    assert lossy["mechanism"] == foreseen(experiment.faults[0], "embedded")
    assert other["mechanism"] == ""
    assert f"; how: {lossy['mechanism'][:12]}" in " ".join(shown(experiment, plan).split())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_which_part_is_hit_is_shown_and_follows_from_the_seed(tmp_path: Path, seed: int):
    """The same choice each time it is asked for, in the plan, the document and the table."""
    method = (hold("x", part=["redis", "postgres"], cycles=2, rest="5s"),)
    experiment, plan = planned(tmp_path, seed, *method)
    again, _ = planned(tmp_path, seed, *method)
    parts = [fault.on for fault in experiment.faults]
    assert parts == [fault.on for fault in again.faults] == list(plan.parts.values())
    assert as_document(experiment, plan)["faults"][0]["drawn_from"] == ["redis", "postgres"]
    assert f"toxiproxy.down on {parts[0]} (drawn from redis, postgres)" in shown(experiment, plan)


def test_a_strike_is_said_not_to_be_undone(tmp_path: Path):
    """Whatever it does."""
    method = (act("strike", name="s", kind=STRIKE, part="redis", duration="9s"), REST)
    safety = {"OWN.safety": {"data_removal": ["redis"]}}
    experiment, plan = planned(tmp_path, 1, *method, **safety)
    (fault,) = as_document(experiment, plan)["faults"]
    assert fault["strike"] is True
    assert "not taken back" in shown(experiment, plan) or "not undone" in shown(experiment, plan)
