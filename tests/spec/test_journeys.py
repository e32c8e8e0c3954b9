"""Journeys and tokens in the file: read as written; what cannot be carried out is refused. Requirement L4."""

from collections import Counter

import pytest

from resilience.model import Journey, JourneyFunction, JourneyStep, Operation, Sql, Think, Token
from resilience.spec.journeys import names_used
from resilience.spec.mix import Mix
from resilience.spec.parse import parse
from tests.spec.changing import changed, problems

LOGIN = {"name": "login", "weight": 0, "request": {"method": "POST", "path": "/login", "json": {"user": "u${key}"}}}
PROFILE = {
    "name": "profile",
    "weight": 0,
    "request": {"method": "GET", "path": "/me", "headers": {"Authorization": "Bearer ${captured.token}"}},
}
STEPS = [{"operation": "login", "capture": {"token": "json:user.token"}}, {"operation": "profile", "think": "2s"}]
BUY = {"name": "buy", "weight": 5, "think": {"distribution": "uniform", "from": "1s", "to": "3s"}, "steps": STEPS}
FUNCTION = {"module": "probes.visits", "name": "visit", "first": "login", "gives": ["token"]}
TOKEN = {"name": "shop", "operation": "login", "take": "header:X-Token"}
MORE = {"OWN.load.operations[3]": LOGIN, "OWN.load.operations[4]": PROFILE}


def test_journeys_and_tokens_are_read_as_written():
    """Steps with captures and think times, a Python function, tokens by an operation and by a variable."""
    content = changed(
        {
            **MORE,
            "OWN.load.journeys": [BUY, {"name": "free", "weight": 1, "function": {**FUNCTION, "arguments": {"n": 3}}}],
            "OWN.load.tenants": [{"name": "blue"}],
            "OWN.load.tokens": [TOKEN, {"name": "other", "per": "tenant", "env": "OTHER_TOKEN"}],
            "OWN.load.operations[0].request.headers": {"Authorization": "Bearer ${token.shop}"},
        }
    )
    load = parse(content, "x.json", "/somewhere").load
    assert load.journeys == (
        Journey(
            name="buy",
            weight=5.0,
            think=Think(distribution="uniform", least_s=1.0, most_s=3.0),
            steps=(
                JourneyStep(operation="login", capture={"token": "json:user.token"}),
                JourneyStep(operation="profile", think=Think(mean_s=2.0)),
            ),
        ),
        Journey(
            name="free",
            weight=1.0,
            function=JourneyFunction(
                module="probes.visits", name="visit", first="login", gives=("token",), arguments={"n": 3}
            ),
        ),
    )
    assert load.tokens == (
        Token(name="shop", operation="login", take="header:X-Token"),
        Token(name="other", per="tenant", env="OTHER_TOKEN"),
    )


def test_journeys_have_their_share_beside_single_operations():
    """10/20/70 of single operations and 25 of a journey: a fifth of the arrivals, begun by its first operation."""
    content = changed({**MORE, "OWN.load.journeys": [{**BUY, "weight": 25}]})
    load = parse(content, "x.json", "/somewhere").load
    total = sum(operation.weight for operation in load.operations) + 25
    mix = Mix(load, 1)
    found = Counter((mix.journey(index), mix.choose(index)[0]) for index in range(20_000))
    assert found[0, 3] / 20_000 == pytest.approx(25 / total, abs=0.01)
    assert {operation for journey, operation in found if journey < 0} == {0, 1, 2}
    assert {operation for journey, operation in found if journey == 0} == {3}


def test_a_load_without_journeys_has_the_same_arrivals_as_ever():
    """Operations of weight 0 at the end change no arrival of the others."""
    plain = Mix(parse(changed({}), "x.json", "/somewhere").load, 1)
    content = changed({**MORE, "OWN.load.tokens": [TOKEN, {**TOKEN, "name": "b", "operation": "login"}]})
    assert problems(content)  # profile is in no journey
    content = changed({"OWN.load.operations[3]": LOGIN, "OWN.load.tokens": [TOKEN]})
    more = Mix(parse(content, "x.json", "/somewhere").load, 1)
    assert [plain.choose(index) for index in range(5000)] == [more.choose(index) for index in range(5000)]


def test_names_are_found_by_whatever_protocol():
    """In path, headers, JSON, what is expected, and SQL."""
    operation = Operation(
        name="x",
        weight=1,
        path="/${a}",
        headers={"X": "${b}"},
        json={"c": ["${c}"]},
        sql=Sql(statement="SELECT %(d)s"),
    )
    assert names_used(operation) == {"a", "b", "c", "d"}


def _wrong(step=None, **journey):
    steps = [STEPS[0], {**STEPS[1], **(step or {})}]
    return {**MORE, "OWN.load.journeys": [{**BUY, "steps": steps, **journey}]}


@pytest.mark.parametrize(
    ("changes", "path", "told"),
    [
        (_wrong({"operation": "nobody"}), "journeys[0].steps[1].operation", "is no operation"),
        (_wrong(steps=[STEPS[1], STEPS[0]]), "journeys[0].steps[0]", "no step before it captures"),
        (_wrong(steps=[{"operation": "login"}, STEPS[1]]), "journeys[0].steps[1]", "no step before it captures"),
        (_wrong(steps=[{**STEPS[0], "think": "1s"}, STEPS[1]]), "steps[0].think", "remove it"),
        (_wrong(name="login"), "journeys[0].name", "already"),
        (_wrong(function=FUNCTION), "journeys[0]", "one of the two"),
        ({**MORE, "OWN.load.journeys": [{"name": "x", "weight": 1}]}, "journeys[0]", "one of the two"),
        (_wrong(steps=[{**STEPS[0], "capture": {"token": "user.token"}}, STEPS[1]]), "capture.token", "user.token"),
        (_wrong({"after_failure": "retry"}), "steps[1].after_failure", "retry"),
        (_wrong(weight=0), "journeys[0].weight", "more than 0"),
        (
            {**MORE, "OWN.load.journeys": [{"name": "x", "weight": 1, "function": {**FUNCTION, "module": "os"}}]},
            "function.module",
            "allow_modules",
        ),
        (
            {**MORE, "OWN.load.journeys": [{"name": "x", "weight": 1, "function": {**FUNCTION, "first": "nobody"}}]},
            "function.first",
            "is no operation",
        ),
        ({**MORE, "OWN.load.journeys": [{**BUY, "steps": STEPS[:1]}]}, "operations[4].weight", "never sent"),
        (
            {**MORE, "OWN.load.journeys": [BUY], "OWN.load.operations[4].weight": 1},
            "operations[4].weight",
            "which only journeys have",
        ),
        ({**MORE, "OWN.load.operations[4].weight": 1}, "headers.Authorization", "is not known"),
        ({"OWN.load.tokens": [TOKEN]}, "tokens[0].operation", "is no operation"),
        ({**_wrong(), "OWN.load.tokens": [{**TOKEN, "env": "X"}]}, "tokens[0]", "write operation and take, or env"),
        ({**_wrong(), "OWN.load.tokens": [{"name": "x"}]}, "tokens[0]", "write operation and take, or env"),
        ({**_wrong(), "OWN.load.tokens": [{"name": "x", "operation": "login"}]}, "tokens[0]", "write both"),
        ({**_wrong(), "OWN.load.tokens": [{**TOKEN, "operation": "profile"}]}, "tokens[0].operation", "itself"),
        ({**_wrong(), "OWN.load.tokens": [{**TOKEN, "per": "tenant"}]}, "tokens[0].per", "add tenants"),
        ({**_wrong(), "OWN.load.tokens": [{"name": "x", "per": "key", "env": "X"}]}, "tokens[0].per", "too many"),
        ({**_wrong(), "OWN.load.tokens": [TOKEN, TOKEN]}, "tokens[1].name", "already"),
    ],
)
def test_what_cannot_be_carried_out_is_refused(changes, path, told):
    """With the place and what to do."""
    found = problems(changed(changes))
    assert [one for one in found if one.where.endswith(path) and told in f"{one.message} {one.hint}"], found
