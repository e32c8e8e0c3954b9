"""Examples in the docs are right: whoever copies them gets a valid file."""

import re
from pathlib import Path
from typing import Any

import yaml

from resilience.faults import registry
from resilience.model import FaultSpec
from resilience.spec.durations import parse_duration
from resilience.spec.parse import parse

ROOT = Path(__file__).parents[2]


def blocks(page: str) -> list[str]:
    """The YAML blocks of a page."""
    return re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def test_the_how_to_makes_a_valid_file():
    """The upper part of the shipped experiment and the pieces of the how-to are a whole, valid experiment."""
    shipped = (ROOT / "experiments" / "redis-failure.yaml").read_text()
    upper, _, _ = shipped.partition("extensions:\n")
    pieces = "".join(blocks("docs/how-to/run-on-your-service.md"))
    experiment = parse((upper + pieces).encode(), "orders.yaml", "/")
    assert experiment.target == "orders"
    assert [operation.name for operation in experiment.load.operations] == ["read-item", "place-order"]
    assert experiment.ledger is not None


def test_the_fault_of_the_reference_is_right():
    """The step on the page of faults names a kind that there is, with settings that it takes."""
    [[step]] = [yaml.safe_load(block) for block in blocks("docs/reference/faults.md")]
    told: dict[str, Any] = step["provider"]["arguments"]
    duration_s = parse_duration(told["duration"])
    spec = FaultSpec(
        name=told["name"], kind=told["kind"], on=told["part"], duration_s=duration_s, settings=told["settings"]
    )
    assert registry.check(spec) == ()


def test_the_excerpt_is_of_the_shipped_experiment():
    """What README shows stands in the file, key for key; only more is there."""
    [shown] = [yaml.safe_load(block) for block in blocks("README.md")]
    whole = yaml.safe_load((ROOT / "experiments" / "redis-failure.yaml").read_text())
    assert missing(shown, whole, "") == []


def missing(shown: Any, whole: Any, path: str) -> list[str]:
    """The paths of what is shown and not in the whole; an ellipsis stands for anything."""
    if isinstance(shown, dict) and isinstance(whole, dict):
        return [each for key, value in shown.items() for each in missing(value, whole.get(key), f"{path}.{key}")]
    if isinstance(shown, list) and isinstance(whole, list):
        return [
            f"{path}[{index}]"
            for index, value in enumerate(shown)
            if not any(missing(value, other, path) == [] for other in whole)
        ]
    return [] if shown in (whole, "…") else [f"{path}: {shown!r}"]
