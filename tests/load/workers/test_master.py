"""A load carried by several processes of this machine, one of which is killed in its midst. Requirements L3, L5."""

import os
import signal
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from resilience.columns import Mark
from resilience.errors import LoadError
from resilience.host.processes import tagged
from resilience.load.drivers.locust import LocustDriver, check_account
from resilience.load.workers.lost import LOST, MAYBE_SENT
from resilience.model import OUTCOMES, Expect, Gathering, Load, LoadOrder, Operation, Outcome, Role
from resilience.record.ledger import read_ledger
from resilience.record.samples import read_samples
from resilience.spec.profile import arrivals
from tests.load.conftest import RUN, wait_until
from tests.load.target import Target, answer

RATE = 120.0
KILLED_S = 2.0
OPERATIONS = (
    Operation(name="read", weight=1.0, method="GET", path="/read", expect=Expect(status=(201,))),
    Operation(
        name="write",
        weight=1.0,
        method="POST",
        path="/write",
        role=Role.WRITE,
        json={"id": "${write_id}", "body": "${write_body}"},
        expect=Expect(status=(201,), json={"id": "${write_id}"}),
    ),
)


def gathering(count: int) -> Gathering:
    return Gathering(local=count, remote=0, listen="127.0.0.1:0", wait_s=60.0, token="said-in-no-file")


def workers(tag: str) -> list[int]:
    """Process ids of the workers, the first to have been started first."""
    found = [one.pid for one in tagged(tag) if b"--local" in Path(f"/proc/{one.pid}/cmdline").read_bytes()]
    return sorted(found)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A run of three workers, one of which is killed; what it was told, what it left, and what the target saw."""
    target, tag = Target(lambda asked: answer(201, asked.document if asked.body else {})), f"killed-{os.getpid()}"
    folder = tmp_path_factory.mktemp("killed")
    load = Load(rate=RATE, operations=OPERATIONS, arrivals="poisson", max_in_flight=30)
    driver = LocustDriver(tag, gathering=gathering(3))
    try:
        driver.prepare()
        order = LoadOrder(
            run=RUN,
            seed=7,
            zero_ns=time.monotonic_ns() + 3_000_000_000,
            base_url=target.url,
            folder=str(folder),
            load=load,
            max_s=60.0,
        )
        handle = driver.start(order)
        wait_until(order, KILLED_S)
        os.kill(workers(tag)[0], signal.SIGKILL)
        wait_until(order, KILLED_S + 1.5)
        account = handle.stop(30.0)
        left = tagged(tag)
        yield account, tuple(handle.slices()), order, target, left
    finally:
        driver.close()
        target.close()


def test_the_account_closes_over_all_workers(killed):
    """Offered = ok + failed + unknown + dropped, in all, per operation and per worker; the record says the same."""
    account, _, order, _, _ = killed
    check_account(account)
    samples, _ = read_samples(Path(order.folder))
    counted = Counter(OUTCOMES[code].value for code in samples.outcome.tolist())
    assert counted == {each.value: account[each.value] for each in OUTCOMES if account[each.value]}
    for key in ("offered", *(outcome.value for outcome in OUTCOMES)):
        assert account[key] == sum(worker[key] for worker in account["workers"])


def test_no_arrival_is_missing(killed):
    """Every arrival of the schedule until the end is in the record once, whoever was to send it."""
    account, _, order, _, _ = killed
    samples, _ = read_samples(Path(order.folder), ordered=True)
    schedule = np.fromiter(arrivals(order.load, order.seed, 10.0), np.int64)
    ended = schedule[: account["offered"]]
    # Each worker hears of the end by itself: those of one may go on for a moment longer than another's.
    assert np.array_equal(samples.arrival_ns[: -len(OPERATIONS) * 10], ended[: -len(OPERATIONS) * 10])


def test_what_the_killed_worker_left_is_unknown_or_dropped(killed):
    """Until it was gone it may have sent; after that it cannot have. Nothing of the others is either."""
    account, slices, order, _, _ = killed
    lost = [worker for worker in account["workers"] if worker["lost_at_s"] is not None]
    assert len(lost) == 1
    assert KILLED_S <= lost[0]["lost_at_s"] <= KILLED_S + 1.0
    assert (account["unknown"], account["dropped"]) == (lost[0]["unknown"], lost[0]["dropped"])
    assert min(lost[0]["ok"], lost[0]["unknown"], lost[0]["dropped"]) > 0
    samples, problems = read_samples(Path(order.folder))
    at_s = lost[0]["lost_at_s"]
    for detail, outcome in ((MAYBE_SENT, Outcome.UNKNOWN), (LOST, Outcome.DROPPED)):
        which = samples.detail == list(samples.details).index(detail)
        assert set(samples.outcome[which].tolist()) == {OUTCOMES.index(outcome)}
        assert bool(np.all((samples.arrival_ns[which] <= at_s * 1e9) == (outcome is Outcome.UNKNOWN)))
    assert any(f"{lost[0]['name']!r} are not sealed" in problem for problem in problems)
    notes = [note for piece in slices for note in piece.notes]
    assert len(notes) == 1
    assert lost[0]["name"] in notes[0]
    assert "-9" in notes[0]


def test_the_target_was_asked_what_the_record_can_account_for(killed):
    """Every request is an operation that was ok or may have been sent; nothing was sent twice."""
    account, _, _, target, _ = killed
    assert account["ok"] <= len(target.asked) <= account["ok"] + account["unknown"]
    ids = [asked.document["id"] for asked in target.asked if asked.method == "POST"]
    assert len(ids) == len(set(ids))


def test_the_ledgers_of_all_workers_are_one(killed):
    """No writer is in two files, what was noted survived, and what a killed worker wrote is not sealed."""
    account, _, order, target, _ = killed
    lines = read_ledger(Path(order.folder), run=RUN)
    [problem] = lines.problems
    assert "is not sealed" in problem
    attempted = int(np.count_nonzero(lines.mark == Mark.ATTEMPTED))
    assert attempted == account["attempted"]
    assert int(np.count_nonzero(lines.mark == Mark.ACKNOWLEDGED)) == account["acknowledged"] > 50
    asked = [asked for asked in target.asked if asked.method == "POST"]
    assert len(asked) <= attempted <= len(asked) + 10
    assert len(set(lines.writer.tolist())) > 2


def test_nobody_is_left(killed):
    """Workers end with their run."""
    assert killed[-1] == ()


def test_workers_end_with_their_master():
    """A master that is killed takes its workers along, although it could not tell them."""
    tag = f"orphans-{os.getpid()}"
    driver = LocustDriver(tag, gathering=gathering(1))
    driver.prepare()
    [worker] = workers(tag)
    [master] = [one.pid for one in tagged(tag) if one.pid != worker]
    os.kill(master, signal.SIGKILL)
    deadline = time.monotonic() + 20.0
    while tagged(tag) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert tagged(tag) == ()
    driver.close()


def test_workers_that_do_not_come_are_missed():
    """Which, and how many were expected; nothing is left behind."""
    tag = f"missed-{os.getpid()}"
    told = Gathering(local=0, remote=2, listen="127.0.0.1:0", wait_s=0.2, token="said-in-no-file")
    driver = LocustDriver(tag, gathering=told)
    with pytest.raises(LoadError, match=r"0 of 0 workers of this machine and 0 of 2 of other hosts"):
        driver.prepare()
    assert tagged(tag) == ()
