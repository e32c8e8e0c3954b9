"""Load by WebSocket in a file: what is exchanged, what is subscribed to, and whether it fits the accounts."""

import copy
from pathlib import Path

import pytest
import yaml

from resilience.errors import SpecError
from resilience.model import Delivered, Exchange
from resilience.spec.parse import parse
from resilience.spec.workers import workers_needed

FILE = Path(__file__).parents[2] / "experiments" / "load" / "websocket-reconnect.yaml"


def document():
    return copy.deepcopy(yaml.safe_load(FILE.read_text()))


def read(made):
    return parse(yaml.safe_dump(made, allow_unicode=True).encode(), "e.yaml", "/")


def problems(change):
    """What is wrong with the shipped file once it is changed: (where, message, hint)."""
    made = document()
    change(made["extensions"][0])
    with pytest.raises(SpecError) as raised:
        read(made)
    return [f"{one.where}: {one.message}; {one.hint}" for one in raised.value.problems]


def test_a_subscription_has_two_operations_of_its_own():
    """Their samples can be judged by name, and no arrival ever chooses them (Requirement L6)."""
    load = read(document()).load
    assert [(one.name, one.protocol, one.weight) for one in load.operations] == [
        ("publish", "http", 30.0),
        ("echo", "websocket", 70.0),
        ("deliver", "subscription", 0.0),
        ("deliver-connect", "subscription", 0.0),
    ]
    assert [one.critical for one in load.operations] == [True, True, True, False]
    assert load.operations[1].websocket == Exchange(path="/echo", send={"number": "${key}"})
    (one,) = load.subscriptions
    assert (one.connections, one.connect_rate, one.message, one.history) == (100, 100.0, Delivered(), "kept")
    assert (one.retry_s, one.retry_limit_s) == (0.2, 1.0)


def test_the_truth_of_the_account_is_read_from_no_store():
    """What subscribers are given is in the record already."""
    experiment = read(document())
    assert experiment.accounts[0].truth.subscription == "deliver"
    assert experiment.truths == {}


def test_a_subscription_is_carried_by_one_process():
    """When a message was sent is known to the process that sent it."""
    load = read(document()).load
    assert workers_needed(1e6, 1000.0, 8, load) == 1
    assert any("2 workers share" in one for one in problems(lambda own: own["load"].update(workers={"local": 2})))


def sub(own):
    return own["load"]["subscriptions"][0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda own: sub(own).update(account="fed"), ("subscriptions[0].account", '"fed" is no account', "feed")),
        (lambda own: own["accounts"][0].update(effect="queue"), ("expected a stream",)),
        (
            lambda own: own["accounts"][0].update(truth={"part": "postgres", "query": "%(prefix)s"}),
            ("truth of feed is read somewhere else", "{subscription: deliver}"),
        ),
        (
            lambda own: own["accounts"][0].update(truth={"subscription": "delivr"}),
            ('"delivr" is no subscription of the load', "deliver"),
        ),
        (
            lambda own: own["accounts"][0]["truth"].update(part="postgres"),
            ("accounts[0].truth", "part are there beside subscription"),
        ),
        (lambda own: sub(own).update(name="echo"), ("there is an operation 'echo' already",)),
        (lambda own: sub(own).update(path="/t/${key}"), ("subscriptions[0].path", "${key} has no value here")),
        (lambda own: sub(own).update(resume={"a": "${key}"}), ("resume", "known are ${offset} and ${epoch}")),
        (lambda own: sub(own).pop("confirmed"), ("confirmed", "is missing")),
        (lambda own: sub(own).update(retry="5s"), ("retry_limit", "is less than retry")),
        (lambda own: sub(own).update(settle="25s"), ("settle", "at most 20")),
        (lambda own: sub(own).update(connections=0), ("connections", "0")),
        (
            lambda own: own["load"]["operations"][1].update(request={"method": "GET", "path": "/"}),
            ("operations[1]", "has websocket and request"),
        ),
        (
            lambda own: own["load"]["operations"][1]["websocket"].pop("send"),
            ("operations[1].expect", "nothing is answered where nothing is sent"),
        ),
        (
            lambda own: own["load"]["operations"][1]["websocket"].update(send={"a": "${write_id}"}),
            ("operations[1].websocket.send", "${write_id} is not known to a read"),
        ),
        (
            lambda own: own["load"]["operations"].__setitem__(
                0, {"name": "p", "weight": 1, "role": "write", "account": "feed", "websocket": {"path": "/p"}}
            ),
            ("operations[0].websocket", "this only opens a connection"),
        ),
        (lambda own: own["objectives"][1].update(operation="delivered"), ("is no operation of this file", "deliver")),
    ],
)
def test_what_does_not_fit_is_told_with_what_to_do(change, words):
    """Every mistake says where, what was expected, and how to mend it."""
    found = problems(change)
    assert any(all(word in one for word in words) for one in found), found


def test_a_subscription_is_no_truth_of_the_ledger_itself():
    """`ledger` has no effect to be named; an account has."""

    def change(own):
        own["ledger"] = {"truth": {"subscription": "deliver"}}
        own["load"]["operations"][0].pop("account")

    assert any("is the truth of an account" in one for one in problems(change))
