"""Journeys written in Python: loops and ifs, the same accounts, mistakes told from failures. Requirement L4."""

import textwrap

import pytest

from resilience.model import Journey, JourneyFunction, Outcome
from tests.load.target import answer
from tests.load.test_engine import Memory
from tests.load.test_journeys import BROWSE, LOGIN, Shop, carried_out, engine_for

MODULE = textwrap.dedent(
    """
    def visit(client, pages=2):
        token = client.do("login").json("user.token")
        for _ in range(client.random.randint(1, pages)):
            client.think(0.01)
            page = client.do("browse", go_on=True, token=token)
            if page.status == 200:
                assert page.header("x-item") and page.document() == {}

    def generator(client):
        answer = yield "login"
        yield 0.01
        page = yield "browse", {"token": answer.json("user.token")}
        assert page.ok and page.outcome == "ok" and page.detail == ""

    def mistaken(client):
        client.do("login")
        {}["key that is not there"]

    def otherwise(client):
        client.do("browse")

    def idle(client):
        return

    def swallowing(client):
        for _ in range(5):
            try:
                client.do("login")
            except Exception:
                pass

    def undeclared(client):
        client.do("login")
        client.do("browse", secret="x")

    def nonsense(client):
        yield "login"
        yield None
    """
)


@pytest.fixture
def go(tmp_path, make_target):
    """Goes through a journey of that name again and again."""
    (tmp_path / "their_visits.py").write_text(MODULE)

    def make(name, shop=None, **arguments):
        target = make_target(shop or Shop())
        function = JourneyFunction(
            module="their_visits", name=name, first="login", gives=("token",), arguments=arguments
        )
        journey = Journey(name="visit", weight=1, function=function)
        memory = Memory()
        engine = engine_for(target.url, memory, journey, operations=(LOGIN, BROWSE), home=str(tmp_path))
        return carried_out(engine), engine.operator.journeys.account()["visit"], memory

    return make


def test_a_function_decides_on_the_steps(go):
    """One to three pages after each login, drawn from the plan's seed, each an operation with its sample."""
    account, tally, memory = go("visit", pages=3)
    assert tally["completed"] == 20 == account["per_operation"]["login"]["ok"]
    assert 20 < account["per_operation"]["browse"]["ok"] < 60
    assert memory.outcomes() == {Outcome.OK: account["offered"]}
    again, _, _ = go("visit", pages=3)
    assert again["per_operation"]["browse"]["ok"] == account["per_operation"]["browse"]["ok"]


def test_a_generator_does_the_same_by_yielding(go):
    """Operations, names for them, and seconds of thinking."""
    account, tally, _ = go("generator")
    assert tally["completed"] == 20 == account["per_operation"]["browse"]["ok"]


def test_a_failed_step_ends_it_unless_it_goes_on(go):
    """`do` does not return what is not ok, except with `go_on`."""
    _, tally, _ = go("visit", Shop("login"))
    assert tally["broken_off"] == {"1 login": 20}
    account, tally, _ = go("visit", Shop("items"))
    assert tally["completed"] == 20
    assert account["per_operation"]["browse"]["failed"] >= 20


def test_a_mistake_is_counted_as_one_and_nothing_else_suffers(go):
    """By its type only: its text could hold anything."""
    account, tally, _ = go("mistaken")
    assert tally["errors"] == {"KeyError": 20}
    assert account["per_operation"]["login"]["ok"] == 20


@pytest.mark.parametrize(
    ("name", "errors", "refused"),
    [("otherwise", {"ValueError": 20}, 20), ("undeclared", {"ValueError": 20}, 0), ("nonsense", {"ValueError": 20}, 0)],
)
def test_what_was_not_declared_is_a_mistake(go, name, errors, refused):
    """Another first operation, names that were not given, nonsense: the offered first operation is accounted for."""
    account, tally, memory = go(name)
    assert tally["errors"] == errors
    assert account["per_operation"]["login"]["failed"] == refused
    assert sum(row[7] == "its journey did not begin with it" for row in memory.rows) == refused


def test_a_function_that_does_nothing_is_seen(go):
    """Its first operation was offered when it arrived, and has failed."""
    account, tally, _ = go("idle")
    assert tally["broken_off"] == {"its journey did not begin with it": 20}
    assert account["per_operation"]["login"]["failed"] == 20


def test_a_function_cannot_swallow_the_end_of_its_journey(go):
    """`except Exception` does not catch it: one failed login each, not five."""
    account, tally, _ = go("swallowing", lambda _: answer(500, {}))
    assert tally["broken_off"] == {"1 login": 20}
    assert account["per_operation"]["login"]["offered"] == 20
