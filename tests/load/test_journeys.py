"""Journeys: several operations by one user, each with its sample, and the account of the journey. Requirement L4."""

import json
import time
from collections import Counter

import gevent
import pytest

from resilience.columns import Mark
from resilience.errors import LoadError
from resilience.load.drivers.locust import check_account
from resilience.load.engine import NO_FREE_SLOT, Engine
from resilience.model import (
    Expect,
    Journey,
    JourneyFunction,
    JourneyStep,
    Load,
    LoadOrder,
    Operation,
    Outcome,
    Role,
    Segment,
    Stage,
    Think,
)
from tests.load.target import HANG, answer
from tests.load.test_engine import Memory

LOGIN = Operation(name="login", weight=0, method="POST", path="/login", json={"user": "u${key}"}, timeout_s=5.0)
BROWSE = Operation(
    name="browse",
    weight=0,
    path="/items/${key}",
    headers={"Authorization": "Bearer ${captured.token}"},
    timeout_s=5.0,
)
ORDER = Operation(
    name="order",
    weight=0,
    method="POST",
    path="/orders",
    role=Role.WRITE,
    headers={"Authorization": "Bearer ${captured.token}"},
    json={"id": "${write_id}", "body": "${write_body}", "item": "${captured.item}"},
    expect=Expect(status=(201,), json={"id": "${write_id}"}),
    timeout_s=5.0,
)
BACK = Operation(name="back", weight=0, path="/orders/${acked_id}", role=Role.READ_BACK, timeout_s=5.0)
SINGLE = Operation(name="single", weight=1, path="/single", timeout_s=5.0)
STEPS = (
    JourneyStep(operation="login", capture={"token": "json:user.token"}),
    JourneyStep(operation="browse", capture={"item": "header:X-Item"}),
    JourneyStep(operation="order"),
    JourneyStep(operation="back"),
)
BUY = Journey(name="buy", weight=1, steps=STEPS)
OPERATIONS = (LOGIN, BROWSE, ORDER, BACK, SINGLE)


class Shop:
    """Answers as a shop that wants a token; one step can be made to fail."""

    def __init__(self, broken=None, answers=None):
        self.broken = broken
        self.answers = answers or {}
        self.orders = {}

    def __call__(self, asked):
        """The answer to a request."""
        part = asked.path.split("/")[1]
        if part == self.broken:
            return answer(500, {"error": "broken"})
        if part in self.answers:
            return self.answers[part]
        if part == "login":
            return answer(200, {"user": {"token": f"token-of-{asked.document['user']}"}})
        if part == "orders" and asked.method == "POST":
            self.orders[asked.document["id"]] = asked.document
            return answer(201, {"id": asked.document["id"]})
        if part == "orders":
            return answer(200, self.orders[asked.path.split("/")[2]])
        return answer(200, {}, headers=f"X-Item: item-{asked.path.split('/')[-1]}\r\n")


ARRIVALS_S = 0.5
"""As long as there are arrivals: 20 of them."""


def engine_for(url, memory, *journeys, operations=OPERATIONS, max_s=30.0, home="", rate=40.0, **load):
    """An engine whose arrivals end after half a second, and whose run does when everything has ended."""
    stages = (Stage(duration_s=ARRIVALS_S, rate=rate), Stage(duration_s=0.0, rate=0.0))
    whole = Load(**{"rate": rate, "stages": stages, "operations": operations, "journeys": journeys, "keys": 50, **load})
    order = LoadOrder(
        run="0badcafe",
        seed=1,
        zero_ns=time.monotonic_ns(),
        base_url=url,
        folder="/",
        load=whole,
        max_s=max_s,
        home=home,
    )
    return Engine(order, memory, memory, memory.report)


def carried_out(engine, patience_s=2.0):
    """Walk until nothing is under way any more, or to the end of the order; every account must close."""
    watch = gevent.spawn(_stop_when_all_ended, engine)
    engine.walk()
    watch.kill()
    engine.finish(patience_s)
    account = engine.meter.account()
    check_account(account)
    for name, tally in engine.operator.journeys.account().items():
        assert tally["arrived"] == ended(tally), f"the account of journey {name} does not close"
    return account


def ended(tally):
    """How many journeys have an end."""
    single = tally["dropped"] + tally["completed"] + tally["unfinished"]
    return single + sum(tally["broken_off"].values()) + sum(tally["errors"].values())


def _stop_when_all_ended(engine):
    tallies = engine.operator.journeys.account
    while (
        engine.now_ns() < (ARRIVALS_S + 0.02) * 1e9
        or engine.in_flight
        or any(tally["arrived"] > ended(tally) for tally in tallies().values())
    ):
        gevent.sleep(0.01)
    engine.stop()


def test_each_step_is_an_operation_and_the_journey_is_accounted_for(make_target):
    """Log in, browse, order, read back: four samples each; the token and the item of earlier answers are sent on."""
    shop = Shop()
    target = make_target(shop)
    memory = Memory()
    engine = engine_for(target.url, memory, BUY)
    account = carried_out(engine)
    tally = engine.operator.journeys.account()["buy"]
    assert 5 <= tally["completed"] == tally["arrived"] <= 15
    assert tally["unfinished"] == 0
    steps = [account["per_operation"][step.operation]["offered"] for step in STEPS]
    assert steps == [tally["arrived"]] * 4
    assert account["per_operation"]["single"]["offered"] == 20 - tally["arrived"]
    assert memory.outcomes() == {Outcome.OK: account["offered"]}
    for asked in target.asked:
        if asked.path.startswith("/items/"):
            assert asked.headers["authorization"] == f"Bearer token-of-u{asked.path.split('/')[2]}"
        elif asked.method == "POST" and asked.path == "/orders":
            assert asked.headers["authorization"] == f"Bearer token-of-u{asked.document['item'].removeprefix('item-')}"


def test_users_go_on_journeys_one_after_another_and_think_between_them(make_target):
    """Four users: never more than four under way, each thinks before it sets out, and their time is accounted for."""
    target = make_target(Shop())
    memory = Memory()
    think = Think(distribution="constant", mean_s=0.05)
    stages = (Stage(duration_s=ARRIVALS_S, rate=4.0), Stage(duration_s=0.0, rate=0.0))
    closed = {"rate": 0.0, "users": 4.0, "stages": stages, "think": think, "max_in_flight": 4}
    account = carried_out(engine_for(target.url, memory, BUY, **closed))
    single, *steps = (account["per_operation"][name]["offered"] for name in ("single", *(x.operation for x in STEPS)))
    engine_tally = account["offered"] - single
    assert steps == [steps[0]] * 4
    assert engine_tally == 4 * steps[0] > 0
    assert account["dropped"] == 0
    # Each begins after a thought of 50 ms, the first of each user after a part of one.
    assert 4 <= steps[0] + single <= 4 * (ARRIVALS_S / think.mean_s + 1)


def test_a_journey_reads_back_what_it_wrote_itself(make_target):
    """Every acknowledged order was asked for by the journey that wrote it, once, and was seen."""
    target = make_target(Shop())
    memory = Memory()
    carried_out(engine_for(target.url, memory, BUY))
    written = Counter(line[1:4] for line in memory.lines if line[0] is Mark.ACKNOWLEDGED)
    seen = Counter(line[1:4] for line in memory.lines if line[0] is Mark.SEEN)
    assert written == seen
    assert set(written.values()) == {1}


@pytest.mark.parametrize(
    ("broken", "place", "sent"),
    [("login", "1 login", ["login"]), ("items", "2 browse", ["login", "browse"]), ("orders", "3 order", ["login"])],
)
def test_a_failed_step_breaks_the_journey_off_there(make_target, broken, place, sent):
    """Later steps are not offered, and so in no outcome; the account says at which step it was broken off."""
    target = make_target(Shop(broken))
    memory = Memory()
    engine = engine_for(target.url, memory, BUY)
    account = carried_out(engine)
    tally = engine.operator.journeys.account()["buy"]
    assert tally["broken_off"] == {place: tally["arrived"]}
    assert tally["completed"] == 0
    later = [step.operation for step in STEPS[int(place[0]) :]]
    assert [account["per_operation"][name]["offered"] for name in later] == [0] * len(later)
    assert all(account["per_operation"][name]["offered"] == tally["arrived"] for name in sent)


def test_a_step_may_fail_and_the_journey_go_on(make_target):
    """With `after_failure: go-on` the next step is taken, unless it needs what was not captured."""
    steps = (STEPS[0], JourneyStep(operation="browse", after_failure="go-on"), JourneyStep(operation="login"))
    target = make_target(Shop("items"))
    memory = Memory()
    journey = Journey(name="stubborn", weight=1, steps=steps)
    engine = engine_for(target.url, memory, journey, operations=(LOGIN, BROWSE, SINGLE))
    account = carried_out(engine)
    tally = engine.operator.journeys.account()["stubborn"]
    assert tally["completed"] == tally["arrived"] > 0
    assert account["per_operation"]["login"]["offered"] == 2 * tally["arrived"]
    assert account["per_operation"]["browse"]["failed"] == tally["arrived"]
    needy = (STEPS[0], JourneyStep(operation="browse", capture={"item": "json:id"}, after_failure="go-on"), STEPS[2])
    engine = engine_for(target.url, Memory(), Journey(name="needy", weight=1, steps=needy))
    carried_out(engine)
    tally = engine.operator.journeys.account()["needy"]
    assert tally["broken_off"] == {"3 order: nothing captured as item": tally["arrived"]}


@pytest.mark.parametrize("document", [{}, {"user": {"token": ""}}, {"user": {"token": "two\r\nlines"}}, {"user": 3}])
def test_a_good_answer_without_what_is_to_be_captured_breaks_it_off(make_target, document):
    """Nothing there, nothing in it, or what could not be sent in a header: the step was ok, the journey is not."""
    target = make_target(Shop(answers={"login": answer(200, document)}))
    memory = Memory()
    engine = engine_for(target.url, memory, BUY)
    account = carried_out(engine)
    tally = engine.operator.journeys.account()["buy"]
    assert tally["broken_off"] == {"1 login: nothing to capture as token": tally["arrived"]}
    assert account["per_operation"]["login"]["ok"] == tally["arrived"]
    assert account["per_operation"]["browse"]["offered"] == 0


def test_think_time_passes_between_steps_and_counts_in_none(make_target):
    """A step is due a think time after the answer before it; its response time counts from then."""
    think = Think(mean_s=0.2)
    steps = (
        JourneyStep(operation="login"),
        JourneyStep(operation="login"),
        JourneyStep(operation="login", think=Think(mean_s=0.05)),
    )
    target = make_target(Shop())
    memory = Memory()
    journey = Journey(name="slow", weight=1, think=think, steps=steps)
    engine = engine_for(target.url, memory, journey, operations=(LOGIN,), rate=2.0)
    carried_out(engine)
    tally = engine.operator.journeys.account()["slow"]
    assert tally["completed"] == tally["arrived"] == 1
    assert tally["p50_s"] >= 0.25
    first, second, third = memory.rows
    assert second[0] == pytest.approx(first[2] + 200_000_000, abs=20_000_000)
    assert third[0] == pytest.approx(second[2] + 50_000_000, abs=20_000_000)
    assert all(start >= arrival for arrival, start, *_ in memory.rows)


def test_what_is_under_way_at_the_end_is_unfinished_and_offers_nothing_more(make_target):
    """A journey that thinks, and one whose step hangs, when the run ends: no step is begun after that."""
    think = Think(mean_s=30.0)
    target = make_target(Shop(answers={"single": HANG}))
    memory = Memory()
    engine = engine_for(
        target.url,
        memory,
        Journey(name="thinker", weight=1, think=think, steps=(STEPS[0], STEPS[1])),
        Journey(name="hanging", weight=1, steps=(JourneyStep(operation="single"), JourneyStep(operation="login"))),
        operations=(LOGIN, BROWSE, SINGLE),
        max_s=ARRIVALS_S,
    )
    began = time.monotonic()
    account = carried_out(engine, patience_s=0.2)
    assert time.monotonic() - began < 10
    tallies = engine.operator.journeys.account()
    assert tallies["thinker"]["unfinished"] == tallies["thinker"]["arrived"] > 0
    assert tallies["hanging"]["unfinished"] == tallies["hanging"]["arrived"] > 0
    assert account["per_operation"]["browse"]["offered"] == 0
    assert len(memory.rows) == account["offered"] == engine.meter.account()["offered"]


def test_a_journey_without_a_slot_is_dropped_with_its_first_step(make_target):
    """What is dropped is counted as an operation, so that an overloaded generator is seen; nothing else is offered."""
    target = make_target(Shop(answers={"login": HANG}))
    memory = Memory()
    engine = engine_for(
        target.url, memory, BUY, operations=(LOGIN, BROWSE, ORDER, BACK), max_in_flight=2, max_s=ARRIVALS_S
    )
    account = carried_out(engine, patience_s=0.1)
    tally = engine.operator.journeys.account()["buy"]
    assert tally["arrived"] == 20
    assert tally["dropped"] == 18 == account["per_operation"]["login"]["dropped"]
    assert tally["unfinished"] == 2
    assert sum(row[7] == NO_FREE_SLOT for row in memory.rows) == 18
    assert account["offered"] == 20


def test_tenant_key_and_record_are_the_journeys_own(make_target):
    """All steps of a journey have the key and the tenant of its arrival."""
    operations = (
        Operation(name="one", weight=0, path="/a/${key}/${tenant}", timeout_s=5.0),
        Operation(name="two", weight=0, path="/b/${key}/${tenant}", timeout_s=5.0),
    )
    target = make_target(lambda _: answer(200, {}))
    steps = (JourneyStep(operation="one"), JourneyStep(operation="two"))
    engine = engine_for(
        target.url,
        memory := Memory(),
        Journey(name="pair", weight=1, steps=steps),
        operations=operations,
        tenants=(Segment(name="blue"), Segment(name="green")),
    )
    carried_out(engine)
    ones = Counter(asked.path[3:] for asked in target.asked if asked.path.startswith("/a/"))
    twos = Counter(asked.path[3:] for asked in target.asked if asked.path.startswith("/b/"))
    assert ones == twos
    assert len(ones) > 3
    assert {row[9] for row in memory.rows} == {0, 1}


def test_captured_secrets_are_in_nothing_that_is_written(make_target):
    """Requirement L4: a token that a check would show in a detail is replaced, also where it was cut."""
    canary = "canary-" + "x" * 200
    document = {"user": {"token": canary}, "note": f"you are {canary}", "short": "fine"}
    login = Operation(
        name="login",
        weight=0,
        path="/login",
        timeout_s=5.0,
        expect=Expect(json={"user.token": "another", "short": "fine"}),
    )
    steps = (JourneyStep(operation="login", capture={"token": "json:user.token"}), JourneyStep(operation="browse"))
    told = (JourneyStep(operation="plain", capture={"token": "json:user.token"}), JourneyStep(operation="echo"))
    echo = Operation(
        name="echo",
        weight=0,
        path="/echo",
        headers={"Authorization": "Bearer ${captured.token}"},
        timeout_s=5.0,
        expect=Expect(json={"note": "nothing"}),
    )
    plain = Operation(name="plain", weight=0, path="/plain", timeout_s=5.0)
    target = make_target(lambda _: answer(200, document))
    memory = Memory()
    engine = engine_for(
        target.url,
        memory,
        Journey(name="wrong", weight=1, steps=steps),
        Journey(name="echoed", weight=1, steps=told),
        operations=(login, BROWSE, echo, plain),
    )
    carried_out(engine)
    details = {row[7] for row in memory.rows}
    assert details == {"", "unexpected answer: [secret]"}
    written = json.dumps([memory.rows, [repr(report) for report in memory.reports]], default=repr)
    written += json.dumps(engine.operator.journeys.account())
    assert canary[:20] not in written
    assert any(canary in asked.headers.get("authorization", "") for asked in target.asked)  # it was sent


def test_a_function_that_cannot_be_had_is_said_before_anything_is_sent(tmp_path, make_target):
    """The module is not there, fails, or has no such function."""
    (tmp_path / "failing_visits.py").write_text("raise RuntimeError('not today')\n")
    (tmp_path / "empty_visits.py").write_text("visit = 3\n")
    target = make_target(Shop())
    for module, said in (
        ("no_such_visits", "No module"),
        ("failing_visits", "not today"),
        ("empty_visits", "no function"),
    ):
        function = JourneyFunction(module=module, name="visit", first="login")
        with pytest.raises(LoadError, match=said):
            engine_for(
                target.url,
                Memory(),
                Journey(name="x", weight=1, function=function),
                operations=(LOGIN,),
                home=str(tmp_path),
            )
    assert not target.asked
