"""The shipped experiment, and what is wrong with it once something in it was changed."""

import copy
import json
from pathlib import Path

import pytest

from resilience.errors import SpecError
from resilience.spec.parse import parse
from resilience.spec.text import read_text

SHIPPED = Path(__file__).parents[2] / "experiments" / "redis-failure.yaml"
CONTENT = SHIPPED.read_bytes()
GOOD = read_text(CONTENT, SHIPPED.name).data
OWN = "extensions[0]"
PROBES = "steady-state-hypothesis.probes"
REMOVED = type("Removed", (), {"__repr__": lambda _: "REMOVED"})()


def changed(changes):
    """The shipped experiment with values replaced, added or removed, as JSON bytes."""
    data = copy.deepcopy(GOOD)
    for path, value in changes.items():
        *way, last = path.replace("OWN", OWN).replace("]", "").replace("[", ".").split(".")
        inside = data
        for step in way:
            inside = inside[int(step) if isinstance(inside, list) else step]
        if value is REMOVED:
            del inside[int(last) if isinstance(inside, list) else last]
        elif isinstance(inside, list):
            inside[int(last) : int(last) + 1] = [value]
        else:
            inside[last] = value
    return json.dumps(data).encode()


def problems(content, name="x.json"):
    with pytest.raises(SpecError) as caught:
        parse(content, name, "/somewhere")
    return caught.value.problems
