"""Bearer tokens: got once, waited for by who needs them, forgotten after a 401, never written down. Requirement L4."""

import json
import threading
from collections import Counter
from dataclasses import replace

import pytest

from resilience.errors import LoadError
from resilience.model import Journey, JourneyStep, Operation, Outcome, Segment, Token
from tests.load.target import HANG, Told, answer
from tests.load.test_engine import Memory
from tests.load.test_journeys import ARRIVALS_S, LOGIN, carried_out, engine_for

READ = Operation(
    name="read", weight=1, path="/items/${key}", headers={"Authorization": "Bearer ${token.shop}"}, timeout_s=5.0
)
TOKEN = Token(name="shop", operation="login", take="json:token")
TENANTS = (Segment(name="blue"), Segment(name="deep-green"))


class Guarded:
    """Gives out numbered tokens for logins, and takes each for so many requests."""

    def __init__(self, uses=10**9, wait_s=0.0):
        self._uses, self._wait_s = uses, wait_s
        self._lock = threading.Lock()
        self.left = {}

    def __call__(self, asked):
        """The answer to a request."""
        with self._lock:
            if asked.path == "/login":
                token = f"canary-{len(self.left)}"
                self.left[token] = self._uses
                return Told(answer(200, {"token": token}), wait_s=self._wait_s)
            token = asked.headers.get("authorization", "").removeprefix("Bearer ")
            if self.left.get(token, 0) <= 0:
                return answer(401, {"error": f"{token} is not good"})
            self.left[token] -= 1
            return answer(200, {"for": token})


def make(url, memory, *tokens, operations=(LOGIN, READ), **load):
    return engine_for(url, memory, operations=operations, tokens=tokens or (TOKEN,), **load)


def test_one_login_serves_everybody_who_waits(make_target):
    """Twenty arrivals, the first of which logs in while the others wait; the login is an operation with a sample."""
    target = make_target(Guarded(wait_s=0.2))
    memory = Memory()
    account = carried_out(make(target.url, memory))
    assert account["per_operation"]["login"] == {"offered": 1, "ok": 1, "failed": 0, "unknown": 0, "dropped": 0}
    assert account["per_operation"]["read"]["ok"] == 20
    waited = [row[2] - row[0] for row in memory.rows if row[3] == 1]
    assert max(waited) >= 150_000_000  # from the intended start, as always


def test_a_token_per_tenant_and_per_key(make_target):
    """As many logins as there are owners, and each is sent only its own."""
    for per, owners in (("tenant", 2), ("key", 5)):
        target = make_target(Guarded())
        read = replace(READ, path="/items/${key}/${tenant}")
        account = carried_out(
            make(target.url, Memory(), replace(TOKEN, per=per), operations=(LOGIN, read), tenants=TENANTS, keys=5)
        )
        assert account["per_operation"]["login"]["ok"] == owners
        sent = {
            (asked.path.split("/")[3 if per == "tenant" else 2], asked.headers["authorization"])
            for asked in target.asked
            if asked.method == "GET"
        }
        assert len(sent) == owners


def test_a_token_that_is_refused_is_got_again_and_nothing_is_repeated(make_target):
    """After a 401 the next arrival logs in; the operation that was refused has failed, and was sent once."""
    target = make_target(Guarded(uses=5))
    memory = Memory()
    account = carried_out(make(target.url, memory))
    reads = account["per_operation"]["read"]
    assert reads["failed"] in {3, 4}  # of twenty, each sixth
    assert reads["ok"] + reads["failed"] == 20 == sum(asked.method == "GET" for asked in target.asked)
    assert account["per_operation"]["login"]["offered"] in {3, 4}


@pytest.mark.parametrize("document", [{}, {"token": "two\nlines"}, {"token": ""}])
def test_without_a_token_nothing_is_sent(make_target, document):
    """A login that fails, or gives nothing that can be sent: operations have failed, certainly without an effect."""
    target = make_target(lambda _: answer(200, document))
    memory = Memory()
    account = carried_out(make(target.url, memory))
    assert account["per_operation"]["read"]["failed"] == 20
    assert {row[7] for row in memory.rows if row[3] == 1} == {"no token: shop"}
    assert not [asked for asked in target.asked if asked.method == "GET"]


def test_who_waits_at_the_end_is_accounted_for(make_target):
    """A login that never ends: it and all who wait for it are in the account, once each."""
    target = make_target(lambda _: HANG)
    memory = Memory()
    account = carried_out(make(target.url, memory, max_s=ARRIVALS_S), patience_s=0.1)
    assert account["offered"] == 21 == len(memory.rows)
    assert memory.outcomes() == {Outcome.FAILED: 21}


def test_journeys_have_tokens_too(make_target):
    """A step that needs one gets it like a single operation."""
    target = make_target(Guarded())
    journey = Journey(name="pair", weight=1, steps=(JourneyStep(operation="read"), JourneyStep(operation="read")))
    engine = engine_for(target.url, Memory(), journey, operations=(LOGIN, replace(READ, weight=0)), tokens=(TOKEN,))
    account = carried_out(engine)
    assert account["per_operation"]["login"]["ok"] == 1
    assert engine.operator.journeys.account()["pair"]["completed"] == 20


def test_tokens_of_the_environment(make_target, monkeypatch):
    """One for all, or one per tenant by its name; one that is missing is said before anything is sent."""
    monkeypatch.setenv("SHOP_TOKEN", "canary-env")
    target = make_target(lambda _: answer(200, {}))
    carried_out(make(target.url, Memory(), Token(name="shop", env="SHOP_TOKEN"), operations=(READ,)))
    assert {asked.headers["authorization"] for asked in target.asked} == {"Bearer canary-env"}
    monkeypatch.setenv("SHOP_TOKEN_BLUE", "canary-blue")
    token = Token(name="shop", env="SHOP_TOKEN", per="tenant")
    with pytest.raises(LoadError, match="SHOP_TOKEN_DEEP_GREEN is not set"):
        make(target.url, Memory(), token, operations=(READ,), tenants=TENANTS)
    monkeypatch.setenv("SHOP_TOKEN_DEEP_GREEN", "canary-green")
    carried_out(make(target.url, Memory(), token, operations=(READ,), tenants=TENANTS))
    found = Counter(asked.headers["authorization"] for asked in target.asked)
    assert set(found) == {"Bearer canary-env", "Bearer canary-blue", "Bearer canary-green"}


def test_no_token_is_in_anything_that_is_written(make_target):
    """Requirement L4: samples, reports and account, also when the target says tokens back in what is checked."""
    target = make_target(Guarded(uses=3))
    memory = Memory()
    read = replace(READ, expect=replace(READ.expect, status=(200, 401), json={"for": "${token.shop}", "error": "none"}))
    engine = make(target.url, memory, operations=(LOGIN, read))
    account = carried_out(engine)
    assert "canary-" not in json.dumps(
        [memory.rows, [repr(report) for report in memory.reports], account], default=repr
    )
    assert any("[secret]" in row[7] or "unexpected" in row[7] for row in memory.rows)
