"""Steps that do not fit together are refused, each with its path and what to do. Requirements E2, F1."""

import json
from dataclasses import replace

import pytest

from resilience.errors import SpecError
from resilience.model import Problem, Service, StackSpec
from resilience.spec.parse import parse
from resilience.spec.steps import names_of, parts_of
from resilience.stack import parts as stack_parts
from tests.spec.changing import changed

SERVICE = {"command": ["python", "-m", "shop"]}


def act(func, **arguments):
    """An activity of the method."""
    provider = {"type": "python", "module": "resilience.ctk.actions", "func": func, "arguments": arguments}
    return {"name": f"{func} {arguments.get('name', '')}", "type": "action", "provider": provider}


def hold(name="a", **more):
    return act("hold_fault", **{"name": name, "kind": "toxiproxy.down", "part": "redis", "duration": "5s"} | more)


def begin(name="slow", **more):
    return act(
        "begin_fault", **{"name": name, "kind": "toxiproxy.latency", "part": "postgres", "at_most": "30s"} | more
    )


def member(name, part="redis"):
    return {"name": name, "kind": "toxiproxy.latency", "part": part}


REST = act("observe", phase="recovery", duration="9s")
STAY = act("observe", phase="fault", duration="4s")
END = act("end_fault", name="slow")


def file(*method, objectives=("rate<0.1 @ fault",), **more):
    """The shipped experiment with another method."""
    return changed(
        {"method": list(method), "OWN.objectives": list(objectives), "OWN.safety": {"max_at_once": 3}}
        | {key.replace("__", "."): value for key, value in more.items()}
    )


def told(content, **more):
    with pytest.raises(SpecError) as caught:
        parse(content, "x.json", "/x", **more)
    return {problem.where: f"{problem.message} ({problem.hint})" for problem in caught.value.problems}


AT = "method[0].provider.arguments"
WRONG = [
    ([hold(cycles=2), REST], f"{AT}.rest", "'a' is done several times"),
    ([hold(part=["redis", "postgres"], pick="each"), REST], f"{AT}.rest", "done several times"),
    ([hold(cycles=2, rest="1s")], f"{AT}.rest", "1s are observed after 'a-1', but recovery must hold for 4s"),
    ([hold(cycles=0), REST], f"{AT}.cycles", "0 is out of range, expected at least 1"),
    ([hold(pick="some"), REST], f"{AT}.pick", '"some" is not one of one, each'),
    ([hold(part=[]), REST], f"{AT}.part", "has 0 items, expected at least 1"),
    ([hold(part="Redis!"), REST], f"{AT}.part", "is not a part or list of parts"),
    ([hold(part="reddis"), REST], f"{AT}.part", "the stack has no part 'reddis' (did you mean 'redis'?)"),
    ([hold(part="service-1"), REST], f"{AT}.part", "the stack has no part 'service-1'"),
    ([hold("x" * 62, cycles=2, rest="5s")], f"{AT}.name", "its name when it is repeated, is too long"),
    ([hold(), REST, hold("a"), REST], "method[2].provider.arguments.name", "there is a fault 'a' already"),
    (
        [hold(cycles=2, rest="5s"), hold("a-2"), REST],
        "method[1].provider.arguments.name",
        "there is a fault 'a-2' already",
    ),
    (
        [act("hold_faults", name="g", faults=[member("a"), member("a")], duration="3s"), REST],
        f"{AT}.faults[1].name",
        "there is a fault 'a' already",
    ),
    (
        [act("hold_faults", name="g", faults=[member("g"), member("b")], duration="3s"), REST],
        f"{AT}.faults[0].name",
        "there is a fault 'g' already",
    ),
    (
        [act("hold_faults", name="g", faults=[member("a"), member("b", "mongo")], duration="3s"), REST],
        f"{AT}.faults[1].part",
        "the stack has no part 'mongo'",
    ),
    ([act("hold_faults", name="g", faults=[member("a")], duration="3s"), REST], f"{AT}.faults", "at least 2"),
    ([begin(), REST], "method[0]", "'slow' is begun and never ended (add end_fault with name: slow)"),
    ([begin(), REST], "method[1].provider.arguments.phase", "slow is in place here, so it is no recovery"),
    ([hold(), REST, END], "method[2].provider.arguments.name", "'slow' is not in place here"),
    ([hold(), STAY, REST], "method[1].provider.arguments.phase", "no fault is in place here"),
    ([begin(at_most="3s"), STAY, END, REST], f"{AT}.at_most", "3s is less than the 4s until 'slow' is ended"),
    ([begin(at_most="1h"), STAY, END, REST], f"{AT}.at_most", "1h is longer than safety.max_fault"),
    ([begin(), STAY, END], "method[2]", "nobody watches whether things recover from 'slow'"),
    ([act("strike", name="s", kind="redis.flush", part="redis", duration="2s")], "method[0]", "2s are observed"),
]


@pytest.mark.parametrize(
    ("method", "where", "message"), WRONG, ids=[f"{where} {what[:40]}" for _, where, what in WRONG]
)
def test_what_does_not_fit_is_refused_at_its_place(method, where, message):
    """With the value, what was expected and a hint."""
    found = told(file(*method))
    assert message in found.get(where, ""), found


RIGHT = {
    "cycles": [hold(cycles=3, rest="5s")],
    "a draw": [hold(part=["redis", "postgres"]), REST],
    "a group": [act("hold_faults", name="g", faults=[member("b"), member("c", "postgres")], duration="3s"), REST],
    "one inside another": [begin(), STAY, hold(), END, REST],
    "cycles inside another": [begin(), hold(cycles=2, rest="1s"), END, REST],
    "a strike": [act("strike", name="s", kind="redis.flush", part="redis", duration="5s")],
}


@pytest.mark.parametrize("method", RIGHT.values(), ids=RIGHT)
def test_what_fits_is_accepted(method):
    """Each on the shipped stack."""
    assert parse(file(*method), "x.json", "/x").faults


@pytest.mark.parametrize(
    ("name", "known"),
    [("a", True), ("a-2", True), ("g", True), ("g-1", True), ("b", True), ("b-2", True), ("a-4", False), ("c", False)],
)
def test_objectives_may_name_what_is_written_each_time_of_it_groups_and_members(name, known):
    """And nothing else: a misspelt name would be an objective about nothing."""
    group = act(
        "hold_faults", name="g", faults=[member("b"), member("d", "postgres")], duration="3s", cycles=2, rest="5s"
    )
    content = file(hold(cycles=3, rest="5s"), group, objectives=[f"rate<0.1 @ fault({name})"])
    if known:
        assert parse(content, "x.json", "/x")
    else:
        assert f"{name!r}, which is no fault of this file" in told(content)["extensions[0].objectives[0]"]


def test_a_wrong_step_does_not_make_an_objective_wrong():
    """What cannot be read may have the name that is meant."""
    content = file(hold(cycles=-1, rest="5s"), objectives=["rate<0.1 @ fault(a-2)"])
    assert list(told(content)) == [f"{AT}.cycles"]


def test_whoever_knows_kinds_is_asked_for_each_and_told_at_its_path():
    """What an action repeats is told of once; members of a group at their own place."""
    group = act("hold_faults", name="g", faults=[member("b"), member("c", "postgres")], duration="3s")
    content = file(hold(cycles=3, rest="5s"), group, REST)

    def check(spec, safety):
        assert safety.max_at_once == 3
        return (Problem("settings.speed", f"{spec.written} has no speed"),)

    assert told(content, check_fault=check) == {
        f"{AT}.settings.speed": "a has no speed ()",
        "method[1].provider.arguments.faults[0].settings.speed": "b has no speed ()",
        "method[1].provider.arguments.faults[1].settings.speed": "c has no speed ()",
    }


def test_the_parts_of_a_stack():
    """Copies and further programs are parts; what only the stack itself knows is not refused."""
    embedded = StackSpec(service=Service(command=("shop",), copies=2))
    for stack in (embedded, StackSpec(service=Service(command=("shop",)))):
        assert set(parts_of(stack)) == set(stack_parts.names(stack.service, stack.programs))
    followed = replace(embedded, postgres_replica=True)
    assert set(parts_of(followed)) == set(stack_parts.names(followed.service, (), replica=True))
    assert parts_of(StackSpec(use="compose")) == ()
    content = json.loads(file(hold(part="mongo"), REST))
    content["extensions"][0]["stack"] = {"use": "compose"}
    assert parse(json.dumps(content).encode(), "x.json", "/x").faults[0].on == "mongo"
    content["extensions"][0]["stack"] = {
        "use": "embedded",
        "service": {**SERVICE, "copies": 2},
        "programs": [{"name": "worker", "command": ["work"]}],
    }
    content["method"] = [hold(part=["service-1", "service-2"], pick="each", rest="5s"), hold("w", part="worker"), REST]
    experiment = parse(json.dumps(content).encode(), "x.json", "/x")
    assert names_of([("", step) for step in experiment.steps]) == ("a", "a-1", "a-2", "w")


@pytest.mark.parametrize("name", ["redis", "service", "service-2", "balancer", "wire", "worker"])
def test_a_program_is_not_called_as_another_part(name: str):
    """Exit 3 with the place, before anything is started: two parts of one name could not be told apart."""
    stack = {
        "use": "embedded",
        "service": {**SERVICE, "copies": 2},
        "programs": [{"name": "worker", "command": ["w"]}, {"name": name, "command": ["x"]}],
    }
    found = told(file(hold(), REST, OWN__stack=stack))
    (message,) = [text for where, text in found.items() if where.endswith("stack.programs[1].name")]
    assert f"is called '{name}'" in message
