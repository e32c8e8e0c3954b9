"""What a file says of degradation: dependencies, circuit breakers, markers, shedding. Requirements E2, J1, J2."""

import copy
import json

import pytest

from resilience.model import Breaker, Degradation, Dependency, Health, Marker, Shed
from resilience.spec.parse import parse
from tests.spec.changing import GOOD, OWN, changed, problems

CACHE = {
    "name": "cache",
    "fault": "redis-hung",
    "operations": ["read-item"],
    "opens_within": "2s",
    "closes_within": "4s",
    "calls": "redis",
}
REDIS = {"name": "redis", "part": "redis"}
ERRORS = {"name": "errors", "part": "service", "metric": ["shop_cache_total"], "amplification": 2}


def read(*, dependencies=(), breakers=(), health=None, **operation):
    data = copy.deepcopy(GOOD)
    own = data["extensions"][0]
    own["degradation"] = {"dependencies": list(dependencies), "breakers": list(breakers)}
    own["degradation"] |= {"health": health} if health else {}
    own["load"]["operations"][0] |= operation
    return parse(json.dumps(data).encode(), "a.json", "/x")


def test_a_file_that_says_nothing_asks_for_nothing():
    """Older files are judged as they were."""
    experiment = parse(json.dumps(GOOD).encode(), "a.json", "/x")
    assert experiment.degradation == Degradation()
    assert all(one.shed is None and one.priority == 0 for one in experiment.load.operations)


def test_what_is_declared_is_read():
    """Every key has its place in the model."""
    experiment = read(
        dependencies=[REDIS, {**ERRORS, "operations": ["read-item"], "calls_per_operation": 1.5}],
        breakers=[{**CACHE, "quick": "50ms", "fallbacks": 0.9, "calls_per_second": 3}],
        shed={"at_most": 0.5},
        priority=2,
        degraded={"header": "X-Source", "value": "database", "status": [203]},
    )
    redis, errors = experiment.degradation.dependencies
    assert redis == Dependency(name="redis", part="redis")
    assert errors == Dependency(
        name="errors",
        part="service",
        metric=("shop_cache_total",),
        operations=("read-item",),
        amplification=2,
        calls_per_operation=1.5,
    )
    assert experiment.degradation.breakers == (
        Breaker(
            name="cache",
            fault="redis-hung",
            operations=("read-item",),
            opens_within_s=2,
            closes_within_s=4,
            quick_s=0.05,
            fallbacks=0.9,
            calls="redis",
            calls_per_second=3,
        ),
    )
    first = experiment.load.operations[0]
    assert (first.shed, first.priority) == (Shed(at_most=0.5), 2)
    assert first.degraded == Marker(header="X-Source", value="database", status=(203,))


WRONG = [
    ("dependencies", {**ERRORS, "part": "postgras"}, "part", "no part 'postgras'", "'postgres'"),
    ("dependencies", {**ERRORS, "metric": []}, "metric", "must be told what to add up", "name the counters"),
    (
        "dependencies",
        {**REDIS, "counts": "transactions"},
        "counts",
        "not counted of 'redis'",
        "commands or connections",
    ),
    ("dependencies", {**ERRORS, "operations": ["reed-item"]}, "operations[0]", "no operation", "'read-item'"),
    ("dependencies", {**ERRORS, "amplification": 0}, "amplification", "0", "more than 0"),
    ("breakers", {**CACHE, "fault": "redis-hang"}, "fault", "no fault of this file", "'redis-hung'"),
    ("breakers", {**CACHE, "calls": "radis"}, "calls", "no dependency of this file", "'redis'"),
    ("breakers", {**CACHE, "operations": ["place-order"]}, "operations", "could not be seen", "degraded marker"),
    ("breakers", {**CACHE, "operations": []}, "operations", "has 0 items", ""),
    ("breakers", {**CACHE, "fallbacks": 1.5}, "fallbacks", "1.5", "at most 1"),
]


@pytest.mark.parametrize(("key", "block", "at", "message", "hint"), WRONG)
def test_what_does_not_fit_is_said(key, block, at, message, hint):
    """The place, the value, what was expected and what to do."""
    whole = {"dependencies": [{**REDIS, "amplification": 2}], "breakers": [CACHE]} | {key: [block]}
    if key == "dependencies":
        whole["breakers"] = [{**CACHE, "calls": block["name"]}]
    (found,) = problems(changed({"OWN.degradation": whole}))
    assert found.where == f"{OWN}.degradation.{key}[0].{at}"
    assert message in found.message
    assert hint in f"{found.message} {found.hint}"


def test_every_problem_is_told_at_once():
    """A name twice, a counter that nobody looks at, a header's text without its header."""
    found = problems(
        changed(
            {
                "OWN.degradation": {"dependencies": [REDIS, REDIS], "breakers": [CACHE, CACHE]},
                "OWN.load.operations[1].degraded": {"value": "x"},
            }
        )
    )
    assert [(one.where.removeprefix(f"{OWN}."), one.message) for one in found] == [
        ("load.operations[1].degraded.value", "it is the text of a header, and no header is named"),
        ("degradation.dependencies[1].name", "there is a 'redis' already"),
        ("degradation.breakers[1].name", "there is a 'cache' already"),
    ]
    (alone,) = problems(changed({"OWN.degradation": {"dependencies": [REDIS]}}))
    assert "nothing is asked of it" in alone.message


def test_health_is_one_of_the_operations():
    """Requirement J4: what asks the target how it is; three seconds are enough unless the file says otherwise."""
    assert read().degradation.health is None
    assert read(health={"operation": "read-item"}).degradation.health == Health(operation="read-item", within_s=3.0)
    assert read(health={"operation": "read-item", "within": "500ms"}).degradation.health.within_s == 0.5


def test_health_must_have_something_to_be_compared_with():
    """An operation that is not there, or beside which nothing is critical, would never disagree with anybody."""
    own = {"degradation": {"health": {"operation": "read-itme"}}}
    assert "read-item" in str(problems(json.dumps(with_own(own)).encode()))
    only = with_own({"degradation": {"health": {"operation": "read-item"}}})
    for operation in only["extensions"][0]["load"]["operations"]:
        operation["critical"] = operation["name"] == "read-item"
    assert "compared with nothing" in str(problems(json.dumps(only).encode()))


def with_own(more):
    data = copy.deepcopy(GOOD)
    data["extensions"][0] |= more
    return data
