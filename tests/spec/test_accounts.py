"""Accounts of the ledger in a file: each thing that does not fit together is said, with its place."""

import pytest

from resilience.model import Account, Effect, Operation, RedisCommand, Role, Truth
from resilience.spec.accounts import account_of, check_accounts, may_hold, met, needed
from resilience.spec.findings import Findings
from resilience.spec.text import Source

TRUTH = Truth(query="SELECT id, body, position FROM x WHERE id LIKE %(prefix)s || '%%'", part="postgres")


def account(effect="counter", **more):
    return Account(**{"name": "it", "effect": Effect(effect), "truth": TRUTH, **more})


def operation(role=Role.WRITE, account="it", **more):
    return Operation(name="do", weight=1, method="POST", path="/", role=role, account=account, **more)


def problems(accounts, operations):
    findings = Findings(Source(None))
    check_accounts(
        [(f"accounts[{n}]", one) for n, one in enumerate(accounts)],
        [(f"operations[{n}]", one) for n, one in enumerate(operations)],
        (),
        findings,
    )
    return [(problem.where, problem.message) for problem in findings.problems]


@pytest.mark.parametrize("effect", list(Effect))
def test_every_effect_can_be_declared(effect):
    """With an operation that writes to it nothing is wrong."""
    assert problems([account(effect)], [operation()]) == []


def test_a_write_may_store_several_rows():
    """Where each stores something of its own."""
    assert problems([account("insert", rows=3)], [operation()]) == []


@pytest.mark.parametrize(
    ("accounts", "operations", "where", "says"),
    [
        ([account(), account()], [operation()], "accounts[1].name", "already"),
        ([account()], [], "accounts[0]", "no operation with role: write"),
        ([account()], [operation(), operation(account="that")], "operations[1].account", "no account"),
        ([], [operation()], "operations[0].account", "no account"),
        ([account()], [operation(), operation(Role.READ)], "operations[1].account", "a read has no account"),
        ([account()], [operation(), operation(deletes=True)], "operations[1].deletes", "only a write"),
        ([account()], [operation(), operation(Role.READ_BACK)], "operations[1].account", "cannot be read back"),
        ([account("transfer", objects=1)], [operation()], "accounts[0].objects", "too few"),
        ([account(rows=2)], [operation()], "accounts[0].rows", "mean nothing for counter"),
        ([account(duplicates="at-most-once")], [operation()], "accounts[0].duplicates", "means nothing"),
        ([account(truth=Truth(query=TRUTH.query))], [operation()], "accounts[0].truth", "neither part nor dsn_env"),
    ],
)
def test_what_does_not_fit_is_said(accounts, operations, where, says):
    """One problem, at its place."""
    found = problems(accounts, operations)
    assert [place for place, _ in found] == [where]
    assert says in found[0][1]


@pytest.mark.parametrize(
    ("effect", "more", "deletes", "names"),
    [
        ("insert", {}, False, {"write_id", "write_body"}),
        ("append", {}, False, {"write_id", "write_body", "object"}),
        ("append", {"objects": 1}, False, {"write_id", "write_body"}),
        ("document", {}, False, {"write_id", "write_body", "object"}),
        ("document", {}, True, {"write_id", "object"}),
        ("counter", {}, False, {"object", "amount"}),
        ("transfer", {}, False, {"object", "other", "amount"}),
    ],
)
def test_what_a_request_must_hold(effect, more, deletes, names):
    """Without it nobody could judge what became of the write."""
    assert set(needed(operation(deletes=deletes), account(effect, **more))) == names


def test_a_document_is_read_back_by_its_object():
    """Not by an id, which nobody knows before the answer; of what stays as it was written, by its id."""
    back, pages, jobs = operation(Role.READ_BACK), account("document"), account("queue")
    assert (set(needed(back, pages)), set(needed(back, jobs))) == ({"object"}, {"acked_id"})
    plain = ("key", "acked_id")
    assert may_hold(Role.READ_BACK, pages, plain) == ("key", "object", "number")
    assert may_hold(Role.READ_BACK, jobs, plain) == may_hold(Role.READ_BACK, None, plain) == plain
    assert problems([pages], [operation(), back]) == []


@pytest.mark.parametrize(
    ("pages", "back", "where", "says"),
    [
        (account("document", ordered=False), operation(Role.READ_BACK), "operations[1].account", "without versions"),
        (
            account("document"),
            operation(Role.READ_BACK, redis=RedisCommand(command=("GET", "${object}"))),
            "operations[1].role",
            "by HTTP alone",
        ),
    ],
)
def test_a_document_that_cannot_be_read_back_is_refused(pages, back, where, says):
    """Where nobody could tell what is old."""
    found = problems([pages], [operation(), back])
    assert [place for place, _ in found] == [where]
    assert says in found[0][1]


def test_the_number_of_an_object_is_as_good_as_its_name():
    """Targets that number their objects need no name."""
    assert met("object", {"number"})
    assert met("amount", {"amount"})
    assert not met("amount", {"number"})
    assert account_of(operation(account=""), [account()]) is None
