"""The whole load process, as the session starts it, against a target that misbehaves."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from resilience import columns
from resilience.columns import LedgerLines, Mark, Samples
from resilience.entry import parse_id
from resilience.errors import LoadError
from resilience.host.processes import tagged
from resilience.judge.effects.counter import judge_counter
from resilience.judge.effects.sent import sent
from resilience.load.drivers.locust import LocustDriver, check_account
from resilience.model import OUTCOMES, Account, Effect, Expect, Load, LoadOrder, Operation, Outcome, Role, Truth
from resilience.record.folder import SAMPLES
from resilience.record.ledger import read_ledger
from resilience.record.samples import read_samples
from resilience.spec.profile import arrivals
from tests.load.conftest import RUN, wait_until
from tests.load.target import HANG, Target, Told, answer

TIMEOUT_S = 0.5


def record(order: LoadOrder) -> tuple[Samples, LedgerLines]:
    """What the process wrote down; it must be whole."""
    samples, problems = read_samples(Path(order.folder), finished=True)
    ledger = read_ledger(Path(order.folder), run=RUN, finished=True)
    assert problems == ledger.problems == ()
    return samples, ledger


def outcomes(samples: Samples, operation: str | None = None) -> Counter:
    chosen = samples if operation is None else samples.where(samples.operation == samples.operations.index(operation))
    return Counter(OUTCOMES[number] for number in chosen.outcome.tolist())


def echo(asked) -> bytes:
    return answer(201, asked.document if asked.body else {})


BEHAVIOURS = {
    "fine": echo,
    "slow": lambda asked: Told(echo(asked), wait_s=0.1),
    "chunked": lambda asked: (
        echo(asked).replace(
            f"Content-Length: {len(json.dumps(asked.document if asked.body else {}))}\r\n\r\n".encode(),
            b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(json.dumps(asked.document if asked.body else {})),
        )
        + b"\r\n0\r\n\r\n"
    ),
    "hang": lambda _: HANG,
    "close": lambda _: Told(then="close"),
    "half": lambda asked: Told(echo(asked)[:-1], then="close"),
    "reset": lambda _: Told(then="reset"),
    "busy": lambda _: answer(503, body=b"\xff\xfe\x00binary"),
    "wrong": lambda _: answer(201, {"id": "another"}),
    "refuse": lambda _: answer(422, {}),
}
FINE = {"fine", "slow", "chunked"}


def both(name: str) -> tuple[Operation, Operation]:
    """A read and a write of one behaviour."""
    common = {"weight": 1.0, "path": f"/{name}", "timeout_s": TIMEOUT_S}
    read = Operation(name=f"{name}-read", method="GET", expect=Expect(status=(201,)), **common)
    write = Operation(
        name=f"{name}-write",
        method="POST",
        role=Role.WRITE,
        json={"id": "${write_id}", "body": "${write_body}"},
        expect=Expect(status=(201,), json={"id": "${write_id}"}),
        rejected_status=(422,),
        **common,
    )
    return read, write


@pytest.fixture(scope="module")
def misbehaving(module_runner):
    """One run of three seconds in which every tenth operation meets each behaviour, and what it left behind."""
    target = Target(lambda asked: BEHAVIOURS[asked.path[1:]](asked))
    try:
        operations = tuple(one for name in BEHAVIOURS for one in both(name))
        load = Load(rate=150.0, operations=operations, arrivals="poisson", max_in_flight=256)
        handle, order = module_runner.start(load, target.url)
        wait_until(order, 3.0)
        account = handle.stop(10.0)
        slices = tuple(handle.slices())
        yield account, slices, order, target, *record(order)
    finally:
        target.close()


def test_the_account_closes_whatever_the_target_does(misbehaving):
    """Requirement L3: offered = ok + failed + unknown + dropped, and samples and slices say the same."""
    account, slices, _, _, samples, _ = misbehaving
    check_account(account)
    assert account["offered"] == len(samples) >= 350
    assert {outcome.value: count for outcome, count in outcomes(samples).items()} == {
        outcome.value: account[outcome.value] for outcome in OUTCOMES if account[outcome.value]
    }
    assert sum(piece.offered for piece in slices) == account["offered"]
    ended = Counter()
    for piece in slices:
        for counts in piece.counts.values():
            ended.update(counts)
    assert ended == outcomes(samples)
    assert slices[-1].in_flight == 0


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_every_behaviour_has_its_outcome_and_its_marks(misbehaving, behaviour):
    """Requirement J4: what broke after sending is unknown for a write and failed for a read; the ledger agrees."""
    _, _, _, _, samples, ledger = misbehaving
    expected = Outcome.OK if behaviour in FINE else Outcome.FAILED if behaviour == "refuse" else Outcome.UNKNOWN
    assert set(outcomes(samples, f"{behaviour}-write")) == {expected}
    read_ok = behaviour in FINE or behaviour == "wrong"  # the read expects a status and no echo
    assert set(outcomes(samples, f"{behaviour}-read")) == {Outcome.OK if read_ok else Outcome.FAILED}
    written = sum(outcomes(samples, f"{name}-write").total() for name in BEHAVIOURS)
    marks = Counter(Mark(mark) for mark in ledger.mark.tolist())
    assert marks[Mark.ATTEMPTED] == written
    assert marks[Mark.ACKNOWLEDGED] == sum(outcomes(samples, f"{name}-write").total() for name in FINE)
    assert marks[Mark.REJECTED] == outcomes(samples, "refuse-write").total()
    assert marks.total() == 2 * written


def test_nothing_is_ever_tried_again(misbehaving):
    """The target was asked exactly as often as operations were sent, for every behaviour."""
    _, _, _, target, samples, _ = misbehaving
    sent = {name: sum(outcomes(samples, f"{name}-{role}").total() for role in ("read", "write")) for name in BEHAVIOURS}
    assert dict(target.requests()) == sent


def test_a_hanging_target_yields_timeouts(misbehaving):
    """A target that never answers is a timeout at the time limit, not silence."""
    _, _, _, _, samples, _ = misbehaving
    hung = samples.where(samples.operation == samples.operations.index("hang-read"))
    assert {samples.details[number] for number in hung.detail.tolist()} == {"timeout: 0.5 s"}
    service_s = (hung.end_ns - hung.start_ns) / 1e9
    assert service_s.min() >= TIMEOUT_S - 0.01
    assert service_s.max() < TIMEOUT_S + 0.3


def test_arrivals_are_the_schedule(misbehaving):
    """The arrival instants are those of the profile, none left out, none added."""
    _, _, order, _, samples, _ = misbehaving
    due = list(arrivals(order.load, order.seed, order.max_s))[: len(samples)]
    assert np.sort(samples.arrival_ns).tolist() == due
    assert (samples.start_ns >= samples.arrival_ns).all()


def test_a_writer_never_acts_again_after_an_uncertain_outcome(misbehaving):
    """Within a (writer, epoch) seq has no gaps, and an indeterminate entry is the last."""
    _, _, _, _, _, ledger = misbehaving
    attempts = ledger.mark == Mark.ATTEMPTED
    last: dict[tuple[int, int], int] = {}
    for writer, epoch, seq in zip(
        ledger.writer[attempts].tolist(), ledger.epoch[attempts].tolist(), ledger.seq[attempts].tolist(), strict=True
    ):
        assert seq == last.get((writer, epoch), -1) + 1
        last[writer, epoch] = seq
    uncertain = ledger.mark == Mark.INDETERMINATE
    for writer, epoch, seq in zip(
        ledger.writer[uncertain].tolist(), ledger.epoch[uncertain].tolist(), ledger.seq[uncertain].tolist(), strict=True
    ):
        assert last[writer, epoch] == seq
    assert ledger.epoch.max() > 0


def simple(rate: float, **changes) -> Load:
    return Load(rate=rate, operations=both("fine"), **changes)


def test_latency_counts_from_the_intended_start(runner, make_target):
    """Requirement L3: a generator frozen for a second shows it in everything that was due meanwhile."""
    target = make_target(echo)
    handle, order = runner.start(simple(100.0), target.url)
    wait_until(order, 0.5)
    os.kill(handle.pid, signal.SIGSTOP)
    wait_until(order, 1.5)
    os.kill(handle.pid, signal.SIGCONT)
    wait_until(order, 2.5)
    account = handle.stop(10.0)
    samples, _ = record(order)
    due = samples.where((samples.arrival_ns > 0.6e9) & (samples.arrival_ns < 1.4e9))
    assert len(due) == pytest.approx(80, abs=2)
    answered = due.where(due.outcome == OUTCOMES.index(Outcome.OK))
    assert len(answered) == len(due)
    response_s = (due.end_ns - due.arrival_ns) / 1e9
    assert (response_s >= 1.5 - due.arrival_ns / 1e9 - 0.05).all()
    assert response_s.max() > 0.8
    assert account["lag_max_s"] > 0.8
    assert account["started_late"] >= 80
    assert account["offered"] == len(list(arrivals(order.load, order.seed, samples.arrival_ns.max() / 1e9 + 0.001)))


def test_drops_are_counted_when_the_cap_is_reached(runner, make_target):
    """Requirement L3: arrivals that could not be sent are counted as dropped, and never reach the target."""
    target = make_target(lambda _: HANG)
    load = Load(rate=100.0, operations=both("hang"), max_in_flight=4)
    handle, order = runner.start(load, target.url)
    wait_until(order, 1.2)
    account = handle.stop(10.0)
    samples, _ = record(order)
    assert account["dropped"] == outcomes(samples)[Outcome.DROPPED] > 90
    assert account["offered"] - account["dropped"] == len(target.asked) <= 16
    assert max(piece.in_flight for piece in handle.slices()) == 4


def test_a_closed_port_is_rejected_at_once(runner, make_target):
    """Refused connections are certain failures within 50 ms: writes are rejected, none is unknown."""
    target = make_target(echo)
    url = target.url
    target.close()
    handle, order = runner.start(simple(100.0), url)
    wait_until(order, 1.0)
    account = handle.stop(10.0)
    samples, ledger = record(order)
    assert account["failed"] == account["offered"] >= 90
    assert np.median(samples.end_ns - samples.start_ns) < 50e6
    assert {samples.details[number] for number in samples.detail.tolist()} == {"connection refused"}
    assert set(ledger.mark.tolist()) == {Mark.ATTEMPTED, Mark.REJECTED}


def test_it_ends_when_its_starter_is_gone(runner, make_target):
    """The end of standard input ends the process within a second, and nothing is sealed. The tag finds it before."""
    target = make_target(lambda _: HANG)
    handle, order = runner.start(simple(50.0), target.url, tag="load-test-tag")
    assert handle.pid in {identity.pid for identity in tagged("load-test-tag")}
    wait_until(order, 0.3)
    began = time.monotonic()
    handle._process.stdin.close()
    handle._process.wait(5.0)
    assert time.monotonic() - began < 1.0
    with pytest.raises(LoadError, match="died without an account"):
        handle.stop(5.0)
    assert not handle.alive()
    assert read_ledger(Path(order.folder), run=RUN, finished=True).problems


def test_a_killed_generator_is_an_error(runner, make_target):
    """Killed from outside: the load is not alive, and there is no account."""
    target = make_target(echo)
    handle, order = runner.start(simple(50.0), target.url)
    wait_until(order, 0.3)
    assert handle.alive()
    os.kill(handle.pid, signal.SIGTERM)
    with pytest.raises(LoadError, match="exit code -15"):
        handle.stop(5.0)
    assert not handle.alive()


def test_what_a_killed_generator_wrote_down_is_judged_and_the_rest_is_not_lost(runner, make_target):
    """Requirements J4, H16: after SIGKILL every write that the target got is in the ledger, and nothing fails for it.

    What was acknowledged on the wire and not noted any more is indeterminate: it can be in the store or not. The answer
    is unknown, whatever the store has, because the ledger says that its writer was cut short.
    """
    target = make_target(lambda asked: Told(echo(asked), wait_s=0.02))
    stock = Account(name="stock", effect=Effect.COUNTER, truth=Truth(query="", part="postgres"), objects=5)
    write = Operation(
        name="add",
        weight=1.0,
        method="POST",
        role=Role.WRITE,
        account="stock",
        path="/stock/${object}",
        json={"id": "${write_id}", "number": "${number}", "amount": "${amount}"},
        expect=Expect(status=(201,), json={"id": "${write_id}"}),
    )
    handle, order = runner.start(Load(rate=200.0, operations=(write,)), target.url, accounts=(stock,))
    wait_until(order, 1.0)
    os.kill(handle.pid, signal.SIGKILL)
    with pytest.raises(LoadError, match="exit code -9"):
        handle.stop(5.0)
    lines = read_ledger(Path(order.folder), run=RUN, account="stock")
    assert lines.problems == ("writes/accounts/stock/load.ledger is not sealed: its writer was cut short",)
    told = sent(lines, 10**12, objects=5)
    asked = [each.document for each in list(target.asked) if each.body]
    assert len(asked) > 50
    noted = {parse_id(each["id"], RUN) for each in asked}
    assert noted <= {told.entries.name(slot) for slot in range(len(told.entries))}
    everything = np.zeros(5, dtype=np.int64)
    for each in asked:
        everything[each["number"]] += each["amount"]
    values = np.arange(5, dtype=np.int64)
    nothing = np.zeros(5, dtype=np.int32)
    held = columns.Truth(nothing, nothing, values, nothing == 0, everything, (), {}, 10**12)
    assert judge_counter(told, held, stock).broken == ()


def test_it_stops_by_itself_at_the_longest_time(runner, make_target):
    """At `max_s` the generator ends, seals and says why; asking for the account then is answered at once, twice."""
    target = make_target(echo)
    handle, order = runner.start(simple(100.0), target.url, max_s=0.5)
    wait_until(order, 1.5)
    assert not handle.alive()
    account = handle.stop(5.0)
    assert account["stopped_by"] == "max"
    assert account["offered"] == 50 == len(record(order)[0])
    assert handle.stop(5.0) == account


def test_samples_that_cannot_be_written_stop_the_load(runner, make_target):
    """When the record cannot be written, sending stops at once and the account is refused."""
    target = make_target(echo)
    handle, order = runner.start(simple(100.0), target.url)
    (Path(order.folder) / SAMPLES / "load-00000.parquet").mkdir()
    wait_until(order, 2.5)
    assert not handle.alive()
    asked = len(target.asked)
    assert asked < 200
    with pytest.raises(LoadError, match=r"stopped sending.*cannot be written"):
        handle.stop(5.0)
    assert len(target.asked) == asked


def order_for(url: str, folder: Path, load: Load, ahead_s: float) -> LoadOrder:
    zero_ns = time.monotonic_ns() + int(ahead_s * 1e9)
    return LoadOrder(run=RUN, seed=1, zero_ns=zero_ns, base_url=url, folder=str(folder), load=load, max_s=5.0)


def test_a_zero_that_has_passed_is_refused_before_anything_is_sent(make_target, tmp_path):
    """Arrivals before the process was ready would be late by its own doing: an error, and nothing sent."""
    target = make_target(echo)
    with pytest.raises(LoadError, match="after the run's zero"):
        LocustDriver("test").start(order_for(target.url, tmp_path, simple(100.0), 0.1))
    assert target.connections == 0


def test_a_wrong_order_is_refused_with_every_reason(make_target, tmp_path):
    """What the process cannot send is told as its problems, not as a traceback."""
    target = make_target(echo)
    wrong = Operation(name="odd", weight=1.0, method="get", path="x/${nothing}")
    with pytest.raises(LoadError) as caught:
        LocustDriver("test").start(order_for(target.url, tmp_path, Load(rate=1.0, operations=(wrong,)), 5.0))
    assert all(part in str(caught.value) for part in ("'get'", "'x/${nothing}'"))
    assert "Traceback" not in str(caught.value)


def test_a_launched_process_can_be_closed_without_an_order():
    """A process that never got an order can be ended, and ending it twice does no harm."""
    driver = LocustDriver("load-test-launched")
    driver.launch()
    assert len(tagged("load-test-launched")) == 1
    driver.close()
    assert tagged("load-test-launched") == ()
    driver.close()


def test_a_process_that_is_not_ready_in_time_is_ended(tmp_path):
    """The time limit of starting holds, and no process is left."""
    with pytest.raises(LoadError, match=r"not idle within 0\.05 s"):
        LocustDriver("load-test-late", 0.05).start(order_for("http://127.0.0.1:9", tmp_path, simple(1.0), 5.0))
    assert tagged("load-test-late") == ()


def test_the_driver_does_not_import_locust():
    """Importing Locust replaces sockets, sleep and threads: never in the process of the session."""
    code = "import sys, resilience.load.drivers.locust; sys.exit('gevent' in sys.modules or 'locust' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"offered": 4}, "all: 4 offered is not 2 ok + 1 failed + 0 unknown + 0 dropped"),
        ({"ok": 3, "offered": 4}, "ok: 3 in all, 2 over the operations"),
        ({"failed": -1}, "failed: -1"),
        ({"dropped": None}, "dropped: None"),
        ({"per_operation": {"a": {"offered": 3, "ok": 2, "failed": 0, "unknown": 0, "dropped": 0}}}, "a: 3 offered"),
        ({"per_operation": None}, "no per_operation"),
        ({"per_operation": {"a": 3}}, "account of a is 3"),
    ],
)
def test_an_account_that_does_not_close_is_refused(change, message):
    """Requirement L3: a violation of the identity, in all or in one operation, is an error with the numbers."""
    row = {"offered": 3, "ok": 2, "failed": 1, "unknown": 0, "dropped": 0}
    check_account({**row, "per_operation": {"a": row}})
    with pytest.raises(LoadError) as caught:
        check_account({**row, "per_operation": {"a": row}, **change})
    assert message in str(caught.value)
