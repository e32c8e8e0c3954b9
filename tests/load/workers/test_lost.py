"""The account of a lost worker closes, and has every operation that it was to do. Requirements L3, L5."""

from collections import Counter
from pathlib import Path

import pytest

from resilience.load.drivers.locust import check_account
from resilience.load.workers.lost import LOST, MAYBE_SENT, Loss, account_of_lost
from resilience.load.workers.shares import of_share
from resilience.model import OUTCOMES, Load, LoadOrder, Operation, Outcome, Segment, Share, Think
from resilience.record.samples import SampleWriter, read_samples
from resilience.spec.mix import Mix
from resilience.spec.profile import arrivals

SHARE = Share(1, 3)
SECOND = 1_000_000_000


def order(folder: Path, **more) -> LoadOrder:
    operations = tuple(Operation(name=name, weight=1.0, method="GET", path="/") for name in ("one", "two"))
    load = Load(**{"rate": 90.0, "operations": operations, "tenants": (Segment(name="t"),), **more})
    return LoadOrder(
        run="0badcafe",
        seed=7,
        zero_ns=0,
        base_url="http://127.0.0.1:1",
        folder=str(folder),
        load=load,
        max_s=60.0,
        share=SHARE,
    )


def write(told: LoadOrder, until_ns: int, *, skip: int = 0) -> int:
    """The samples of its share until an instant, every `skip`-th left out; how many there are."""
    mix, count = Mix(told.load, told.seed), 0
    writer = SampleWriter(Path(told.folder), "load-2", ["one", "two"], tenants=["t"])
    for place, (index, at) in enumerate(of_share(arrivals(told.load, told.seed, 60.0), SHARE)):
        if at > until_ns:
            break
        if skip and place % skip == 0:
            continue
        writer.add(at, at + 1000, at + 2000, mix.choose(index)[0], OUTCOMES.index(Outcome.OK), 200, tenant=0)
        count += 1
    writer.flush()
    return count


@pytest.mark.parametrize("kind", ["constant", "poisson"])
def test_every_arrival_of_its_share_is_accounted_for(tmp_path, kind):
    """What was written counts as it is; until it was gone the rest is unknown, and dropped from then on."""
    told = order(tmp_path, arrivals=kind)
    known = write(told, 2 * SECOND, skip=5)
    account = account_of_lost(told, Loss(at_ns=2 * SECOND, unsure_ns=3 * SECOND, offered=0), 5 * SECOND)
    check_account(account)
    share = [at for _, at in of_share(arrivals(told.load, 7, 60.0), SHARE) if at <= 5 * SECOND]
    dropped = sum(at > 3 * SECOND for at in share)
    assert account["offered"] == len(share)
    assert (account["ok"], account["dropped"]) == (known, dropped)
    assert account["unknown"] == len(share) - known - dropped > 30


def test_what_is_missing_is_in_the_record_with_its_reason(tmp_path):
    """The record is as complete as the account: the same operations, each at its intended start."""
    told = order(tmp_path)
    write(told, 2 * SECOND)
    account = account_of_lost(told, Loss(2 * SECOND, 3 * SECOND, 0), 4 * SECOND)
    samples, problems = read_samples(tmp_path, ordered=True)
    assert problems == ("samples of 'load-2' are not sealed: their writer was cut short",)
    assert len(samples) == account["offered"]
    share = list(of_share(arrivals(told.load, 7, 60.0), SHARE))[: len(samples)]
    assert samples.arrival_ns.tolist() == [at for _, at in share]
    mix = Mix(told.load, 7)
    names = [samples.operations[code] for code in samples.operation.tolist()]
    assert names == [("one", "two")[mix.choose(index)[0]] for index, _ in share]
    why = Counter(samples.details[code] for code in samples.detail.tolist())
    assert why == {"": account["ok"], MAYBE_SENT: account["unknown"], LOST: account["dropped"]}
    assert set(samples.tenant.tolist()) == {0}
    assert bool((samples.end_ns >= samples.start_ns).all())


def test_a_worker_that_left_nothing_is_accounted_for(tmp_path):
    """Lost before its first flush: all that it may have sent is unknown."""
    account = account_of_lost(order(tmp_path), Loss(SECOND, SECOND, 0), SECOND)
    check_account(account)
    assert account["offered"] == account["unknown"] > 20


def test_later_steps_of_journeys_that_it_had_told_of_are_unknown(tmp_path):
    """No schedule knows them, but the worker had said that so many operations of each kind had ended."""
    told = order(tmp_path)
    known = write(told, 2 * SECOND)
    ended = {"one": 500, "two": known}
    account = account_of_lost(told, Loss(2 * SECOND, 2 * SECOND, known + 40, ended), 2 * SECOND)
    check_account(account)
    assert (account["offered"], account["ok"], account["unknown"]) == (known + 40, known, 40)
    assert account["per_operation"]["one"]["unknown"] == 40
    assert len(read_samples(tmp_path)[0]) == known + 40


def test_of_users_what_they_had_begun_is_known(tmp_path):
    """A closed load has no schedule: what the worker had told of and is not there is unknown."""
    told = order(tmp_path, rate=0.0, users=6, think=Think(mean_s=1.0), max_in_flight=6)
    mix = Mix(told.load, 7)
    writer = SampleWriter(tmp_path, "load-2", ["one", "two"], tenants=["t"])
    for count in range(30):
        writer.add(count, count, count, mix.choose(1 + 3 * count)[0], OUTCOMES.index(Outcome.OK), tenant=0)
    writer.flush()
    account = account_of_lost(told, Loss(SECOND, SECOND, offered=42), 5 * SECOND)
    check_account(account)
    assert (account["offered"], account["ok"], account["unknown"], account["dropped"]) == (42, 30, 12, 0)
    assert len(read_samples(tmp_path)[0]) == 42
