"""Kinds and settings are refused where they stand in the file, before anything is touched. Requirements E2, F1."""

import json
from pathlib import Path

import pytest

from resilience.ctk.kinds import check_fault
from resilience.ctk.run import load_file
from resilience.errors import SpecError
from resilience.faults import registry
from resilience.model import FaultSpec, Safety
from tests.spec.test_steps import REST, act, file, hold, member

STRIKES = sorted(name for name, kind in registry.KINDS.items() if kind.is_strike)
REMOVING = sorted(name for name, kind in registry.KINDS.items() if kind.removes_data)


def told(folder: Path, content: bytes) -> dict[str, tuple[str, int]]:
    """What is wrong with a file: path → message and line."""
    path = folder / "x.yaml"  # what is JSON is YAML, too, with lines
    path.write_text(json.dumps(json.loads(content), indent=1))
    with pytest.raises(SpecError) as caught:
        load_file(path)
    return {problem.where: (f"{problem.message} ({problem.hint})", problem.line) for problem in caught.value.problems}


def test_every_problem_of_kinds_and_settings_has_its_path_and_line(tmp_path: Path):
    """Together with what else is wrong with the file; what is repeated is told of once."""
    wrong = {"name": "c", "kind": "toxiproxy.latency", "part": "redis", "settings": {"latency_ms": "much"}}
    content = file(
        hold(kind="toxiproxy.dwon", cycles=3, rest="5s"),
        act("hold_faults", name="g", faults=[member("b", "postgres"), wrong], duration="3s"),
        REST,
        hold("d", settings={"speed": 1}),
        REST,
        objectives=["rate<0.1 @ fault", "rate<0.1 @ fault(nobody)"],
    )
    found = told(tmp_path, content)
    assert {where: message.split(" (")[0] for where, (message, _) in found.items()} == {
        "method[0].provider.arguments.kind": "'toxiproxy.dwon' is no kind of fault",
        "method[1].provider.arguments.faults[1].settings.latency_ms": "'much' is no whole number",
        "method[3].provider.arguments.settings.speed": "toxiproxy.down has no setting 'speed'",
        "extensions[0].objectives[1]": "\"rate<0.1 @ fault(nobody)\" is about 'nobody', which is no fault of this file",
    }
    assert "did you mean 'toxiproxy.down'?" in found["method[0].provider.arguments.kind"][0]
    assert all(line > 1 for _, line in found.values())


@pytest.mark.parametrize("kind", STRIKES)
def test_a_strike_is_not_held(kind: str):
    """The right action is named."""
    safety = Safety(data_removal=("redis",))
    held = FaultSpec(name="x", kind=kind, on="redis", duration_s=1.0)
    (problem,) = check_fault(held, safety)
    assert (problem.where, problem.hint) == ("kind", "use the action strike")


def test_what_is_held_is_no_strike():
    """The other way round."""
    (problem,) = check_fault(
        FaultSpec(name="x", kind="process.pause", on="redis", duration_s=1.0, strike=True), Safety()
    )
    assert (problem.where, problem.hint) == ("kind", "use hold_fault")


@pytest.mark.parametrize("kind", REMOVING)
def test_data_is_removed_only_from_parts_that_the_file_names(kind: str):
    """Of parts that may be drawn, every one."""
    strike = registry.KINDS[kind].is_strike
    spec = FaultSpec(name="x", kind=kind, on="", duration_s=1.0, strike=strike, among=("redis", "other"))
    assert check_fault(spec, Safety(data_removal=("redis", "other"))) == ()
    (problem,) = check_fault(spec, Safety(data_removal=("redis",)))
    assert "removes data of other for good" in problem.message
    assert "data_removal: [other]" in problem.hint
