"""Searches and capacity runs in a file: what is read, and what does not fit together. Requirement M6."""

import json

import pytest
import yaml

from resilience.errors import SpecError
from resilience.model import FaultSpec, Search
from resilience.spec.parse import parse
from resilience.spec.searches import varied
from tests.program import SHIPPED

FILES = SHIPPED.parent / "search"


def whole(name: str = "break-point") -> dict:
    """A shipped file, as plain data."""
    return yaml.safe_load((FILES / f"{name}.yaml").read_text())


def read(data: dict):
    """The experiment."""
    return parse(json.dumps(data).encode(), "search.json", "/")


def with_search(load=None, **changes) -> dict:
    """The shipped search, changed; None takes a key away."""
    data = whole()
    block = data["extensions"][0]
    block["search"] = {key: value for key, value in (block["search"] | changes).items() if value is not None}
    block["load"] = {key: value for key, value in (block["load"] | (load or {})).items() if value is not None}
    return data


def test_the_shipped_files_are_read():
    """Every key of the block stands in its value."""
    search = read(whole()).search
    assert (search.over, search.start, search.limit, search.step_s, search.faults) == (
        "rate",
        40,
        480,
        4,
        ("database-far",),
    )
    assert [one.expression for one in search.objectives] == ["p(95)<250", "rate<0.05"]
    over = read(whole("database-latency")).search
    assert (over.over, over.fault, over.setting) == ("fault", "database-far", "latency_ms")
    capacity = read(whole("capacity")).capacity
    assert capacity.copies == (1, 2, 3)
    assert capacity.prices.copy_hour == 0.04


WRONG = {
    "an average": ({"objectives": ["avg<100"]}, "not about a share"),
    "a phase": ({"objectives": ["p(95)<100 @ after"]}, "names a phase"),
    "an operation that is not there": ({"objectives": [{"expression": "p(95)<1", "operation": "no"}]}, "no operation"),
    "no way": ({"limit": 40}, "is where it starts"),
    "less load": ({"limit": 10}, "not harder"),
    "no load": ({"start": 0}, "no load at all"),
    "users of a rate": ({"over": "users"}, "the load has a rate"),
    "a fault of a rate": ({"fault": "database-far"}, "not about a fault"),
    "a fault that is not there": ({"faults": ["no"]}, "has no fault"),
    "what is never tried": ({"must_hold": 9999}, "never tried"),
    "no fault": ({"over": "fault", "faults": None}, "is missing"),
    "two faults": ({"over": "fault", "fault": "database-far", "setting": "latency_ms"}, "varied already"),
    "another fault": ({"over": "fault", "fault": "far", "setting": "x", "faults": None}, "has no fault"),
    "an unknown key": ({"precison": 0.1}, "precison"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_refused(name):
    """Before anything is touched, with what is wrong."""
    changes, why = WRONG[name]
    with pytest.raises(SpecError) as refused:
        read(with_search(**changes))
    assert why in "\n".join(map(str, refused.value.problems))


@pytest.mark.parametrize(
    ("load", "why"),
    [
        ({"stages": [{"duration": "5s", "rate": 50}]}, "profile of its own"),
        ({"workers": 2}, "several workers"),
    ],
)
def test_a_load_that_cannot_be_told_a_level_is_refused(load, why):
    """One that has stages, or several workers."""
    with pytest.raises(SpecError) as refused:
        read(with_search(load=load))
    assert why in "\n".join(map(str, refused.value.problems))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"users": [1, 2, 4, 8, 6, 9]}, "does not ascend"),
        ({"users": [1, 2, 4]}, "users"),
        ({"copies": [2, 2]}, "does not ascend"),
        ({"demand": None}, "nothing is to be served"),
    ],
)
def test_a_capacity_run_that_makes_no_sense_is_refused(changes, why):
    """Levels out of order or too few, prices of nothing."""
    data = whole("capacity")
    block = data["extensions"][0]["capacity"] | changes
    data["extensions"][0]["capacity"] = {key: value for key, value in block.items() if value is not None}
    with pytest.raises(SpecError) as refused:
        read(data)
    assert why in "\n".join(map(str, refused.value.problems))


def test_a_setting_is_whole_where_the_level_is():
    """10.0 ms is 10; and the rest of the fault stays as it was."""
    spec = FaultSpec(name="far", kind="k", on="postgres", duration_s=5.0, settings={"latency_ms": 1, "jitter_ms": 2})
    search = Search(over="fault", start=1, limit=9, objectives=(), fault="far", setting="latency_ms")
    assert varied(search, spec, 10.0).settings == {"latency_ms": 10, "jitter_ms": 2}
    assert isinstance(varied(search, spec, 10.0).settings["latency_ms"], int)
    assert varied(search, spec, 2.5).settings["latency_ms"] == 2.5
    assert varied(search, spec, 2.5).written == "far"
