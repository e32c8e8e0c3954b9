"""Rate limits kept both ways, from accounts of drawn limiters: Requirement J7."""

from dataclasses import replace

import numpy as np
import pytest

from resilience.columns import Samples
from resilience.judge.limits import account, check_limits, decide
from resilience.judge.quantiles import FAILED, NS, OK, UNKNOWN
from resilience.model import Answer, PhaseName, Segment
from resilience.model.serving import RateLimit
from tests.judge.builder import NAMES, Scene, prepare

LIMIT = RateLimit(name="per-tenant", most=50.0)


def fixed_window(at_s, most: float = 50.0, phase: float = 0.37):
    """A limiter that counts in windows of a second which begin whenever they do."""
    let_in, window, count = [], None, 0
    for one in at_s:
        now = int(one + phase)
        window, count = (now, 0) if now != window else (window, count)
        let_in.append(count < most)
        count += count < most
    return np.asarray(let_in)


def bucket(at_s, most: float = 50.0, burst: float = 20.0):
    """A token bucket."""
    let_in, tokens, last = [], burst, 0.0
    for one in at_s:
        tokens, last = min(burst, tokens + (one - last) * most), one
        let_in.append(tokens >= 1)
        tokens -= tokens >= 1
    return np.asarray(let_in)


def samples(at_s, let_in, *, polite=True, silent: int = 0, shed: int = 0) -> Samples:
    """Operations at these instants, let in or refused with 429; the first few without an answer, or shed with 503."""
    count = len(at_s)
    begin = np.round(np.asarray(at_s) * NS).astype(np.int64)
    status = np.where(let_in, 200, 429).astype(np.int16)
    status[:silent] = 0
    status[silent : silent + shed] = 503
    outcome = np.where(status == 200, OK, np.where(status == 0, UNKNOWN, FAILED)).astype(np.int8)
    return Samples(
        operations=NAMES,
        details=("",),
        arrival_ns=begin,
        start_ns=begin,
        end_ns=begin + 5_000_000,
        operation=np.zeros(count, np.int16),
        outcome=outcome,
        status=status,
        degraded=np.zeros(count, np.bool_),
        detail=np.zeros(count, np.int32),
        shed=((status == 429) & polite) | (status == 503),
    )


def answer(at_s, let_in, limit: RateLimit = LIMIT, end_s: float = 60.0, **more) -> tuple[Answer, str]:
    return decide(account(samples(at_s, let_in, **more), limit, 0.0, end_s), limit)


EVENLY = np.arange(0, 60, 1 / 120)
RANDOM = np.sort(np.random.default_rng(3).uniform(0, 60, 7200))
BELOW = np.arange(0, 60, 1 / 40)
TIDES = np.sort(np.concatenate([np.arange(0, 60, 1 / 20), *(np.arange(t, t + 5, 1 / 200) for t in range(5, 60, 10))]))


@pytest.mark.parametrize("at_s", [EVENLY, RANDOM, TIDES], ids=["evenly", "at random", "in tides"])
def test_a_limiter_that_keeps_its_limit_passes(at_s):
    """Wherever its windows begin: what is let in is what should be, within 2 %."""
    for phase in (0.0, 0.37, 0.9):
        found, why = answer(at_s, fixed_window(at_s, phase=phase))
        assert found is Answer.PASS, why


def test_a_limit_that_was_never_reached_refuses_nothing():
    """Below the limit everything is let in, and the sentence says that it was never tried."""
    found, why = answer(BELOW, np.ones(len(BELOW), np.bool_))
    assert found is Answer.PASS
    assert "never asked for more than it allows" in why


@pytest.mark.parametrize(
    ("most", "said"), [(48.0, "too few"), (47.0, "too few"), (52.0, "too many"), (55.0, "too many")]
)
def test_four_per_cent_too_few_or_too_many_are_told(most: float, said: str):
    """Requirement J7: 2 % of what should be let in is the bound."""
    found, why = answer(RANDOM, fixed_window(RANDOM, most))
    assert found is Answer.FAIL
    assert why.endswith(said)


def test_whoever_stays_below_must_not_be_refused():
    """One of ten is refused although nobody asked too much."""
    found, why = answer(BELOW, np.arange(len(BELOW)) % 10 > 0)
    assert found is Answer.FAIL
    assert why.endswith("too few")


def test_a_bucket_may_let_in_what_was_saved_up_if_that_was_declared():
    """After a lull its burst is let in at once: as declared, or too many."""
    let_in = bucket(TIDES)
    assert answer(TIDES, let_in, replace(LIMIT, burst=20.0))[0] is Answer.PASS
    assert answer(TIDES, bucket(TIDES, burst=120.0), LIMIT)[0] is Answer.FAIL


def test_a_limit_that_holds_on_average_alone_is_told():
    """All of ten seconds' worth at once, and then nothing: the sum is right, and the limit is none."""
    let_in = np.zeros(len(EVENLY), np.bool_)
    for start in range(0, 60, 10):
        first = np.searchsorted(EVENLY, start)
        let_in[first : first + 500] = True
    found, why = answer(EVENLY, let_in)
    assert found is Answer.FAIL
    assert "within 2 s" in why


def test_a_refusal_that_does_not_say_when_to_come_back_fails():
    """RFC 6585: a client that is told nothing comes back at once."""
    found, why = answer(EVENLY, fixed_window(EVENLY), polite=False)
    assert found is Answer.FAIL
    assert "without Retry-After" in why


@pytest.mark.parametrize("how", ["silent", "shed"])
def test_what_nobody_answered_may_have_been_let_in(how: str):
    """Where that decides the answer is unknown; a few among many change nothing."""
    let_in = fixed_window(EVENLY)
    assert answer(EVENLY, let_in, **{how: 10})[0] is Answer.PASS
    assert answer(EVENLY, let_in, **{how: 2000})[0] is Answer.UNKNOWN


def test_too_few_operations_tell_nothing():
    """2 % of less than a hundred is less than two operations."""
    at_s = np.arange(0, 1.5, 1 / 60)
    assert answer(at_s, np.ones(len(at_s), np.bool_), end_s=1.5)[0] is Answer.UNKNOWN


def test_each_tenant_has_an_account_of_its_own():
    """One tenant is let in twice as often as allowed, the other as it should be."""
    scene = Scene(faults=(), end_s=64.0)
    made = scene.record()
    at_s = np.arange(4, 64, 1 / 240)
    tenant = (np.arange(len(at_s)) % 2).astype(np.int16)
    let_in = np.ones(len(at_s), np.bool_)
    let_in[tenant == 0] = fixed_window(at_s[tenant == 0])
    let_in[tenant == 1] = fixed_window(at_s[tenant == 1], 100.0)
    some = replace(samples(at_s, let_in), tenant=tenant, tenants=("red", "blue"))
    load = replace(made.experiment.load, tenants=(Segment(name="red"), Segment(name="blue")))
    limits = (replace(LIMIT, per="tenant"), replace(LIMIT, name="none", phase=PhaseName.RECOVERY))
    record = replace(made, samples=some, experiment=replace(made.experiment, load=load, rate_limits=limits))
    part = check_limits(prepare(record))
    rows = {(row["name"], row.get("whose")): row for row in part.data["rate_limits"]}
    assert part.answer is Answer.FAIL
    assert rows["per-tenant", "red"]["answer"] == "pass"
    assert rows["per-tenant", "blue"]["answer"] == "fail"
    assert rows["none", None]["answer"] == "unknown"
