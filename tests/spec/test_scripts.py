"""A load that is a script of k6 or Artillery: what may stand beside it, and what is refused as nobody could tell."""

import copy
import json
from pathlib import Path

import pytest

from resilience.errors import SpecError
from resilience.spec.parse import parse
from resilience.spec.text import read_text

SHIPPED = Path(__file__).parents[2] / "experiments/redis-failure.yaml"
GOOD = read_text(SHIPPED.read_bytes(), SHIPPED.name).data
OWN = "extensions[0]"


def scripted(load, **own):
    """A good file whose load is this; what is given of our block besides replaces what is there."""
    file = copy.deepcopy(GOOD)
    block = file["extensions"][0]
    block["load"] = {"warm_up": "2s", "baseline": "5s", **load}
    block["objectives"] = ["rate<0.01 @ baseline"]
    for key in ("ledger", "accounts", "degradation", "safety"):
        block.pop(key, None)
    block |= own
    file["steady-state-hypothesis"]["probes"] = [
        probe for probe in file["steady-state-hypothesis"]["probes"] if probe["provider"]["func"] != "no_data_lost"
    ]
    return json.dumps(file).encode()


def read(load, **own):
    """The experiment."""
    return parse(scripted(load, **own), "x.json", "/x")


def told(load, **own):
    """What is wrong."""
    with pytest.raises(SpecError) as raised:
        read(load, **own)
    return raised.value.problems


def test_a_script_needs_no_operations_and_no_rate():
    """Requirement L10: an existing script of k6 or Artillery is all that a load needs."""
    load = read({"driver": "k6", "script": "load/shop.js", "environment": {"TOKEN": "SHOP_TOKEN"}}).load
    assert (load.driver, load.script, load.base_url_as) == ("k6", "load/shop.js", "BASE_URL")
    assert dict(load.environment) == {"TOKEN": "SHOP_TOKEN"}
    assert load.operations == ()
    assert read({"driver": "artillery", "script": "shop.yml", "base_url_as": "TARGET"}).load.base_url_as == "TARGET"


@pytest.mark.parametrize(
    ("load", "where", "message"),
    [
        ({"driver": "k6"}, "load.script", "is missing: k6 runs a script"),
        ({"driver": "k6", "script": "a.py"}, "load.script", "is no script of k6"),
        ({"driver": "artillery", "script": "a.js"}, "load.script", "is no script of artillery"),
        ({"driver": "k6", "script": "a.js", "rate": 5}, "load.rate", "the script of k6 decides"),
        ({"driver": "k6", "script": "a.js", "max_in_flight": 5}, "load.max_in_flight", "the script of k6 decides"),
        ({"driver": "k6", "script": "a.js", "environment": {"K6_VUS": "V"}}, "load.environment", "change the program"),
        ({"driver": "k6", "script": "a.js", "base_url_as": "NODE_OPTIONS"}, "load.environment", "change the program"),
    ],
)
def test_what_a_script_decides_is_not_said_twice(load, where, message):
    """One mistake is one problem, at its place."""
    (problem,) = told(load)
    assert problem.where == f"{OWN}.{where}"
    assert message in problem.message


def test_a_script_without_its_driver_and_a_load_without_operations_are_told():
    """`script` alone does not run; `locust` without operations has nothing to send."""
    wheres = {problem.where for problem in told({"script": "a.js", "rate": 5})}
    assert wheres == {f"{OWN}.load.script", f"{OWN}.load.operations"}


@pytest.mark.parametrize(
    ("own", "where"),
    [
        ({"ledger": GOOD["extensions"][0]["ledger"]}, "ledger"),
        ({"objectives": ["degraded<0.1 @ baseline"]}, "objectives[0]"),
        ({"objectives": ["shed<0.1 @ baseline"]}, "objectives[0]"),
        ({"safety": {"abort": "degraded>0.5 for 2s"}}, "safety.abort"),
    ],
)
def test_what_nobody_could_tell_is_refused(own, where):
    """Writes without our writer, answers whose headers nobody saw: refused, instead of passing for want of data."""
    problems = told({"driver": "k6", "script": "a.js"}, **own)
    assert f"{OWN}.{where}" in {problem.where for problem in problems}


def test_the_operations_of_a_script_are_known_when_it_has_run():
    """An objective may be about an operation that the file does not know; what was never sent is unknown then."""
    objectives = [{"expression": "rate<0.01 @ baseline", "operation": "get-items"}]
    assert read({"driver": "k6", "script": "a.js"}, objectives=objectives).objectives[0].operation == "get-items"
