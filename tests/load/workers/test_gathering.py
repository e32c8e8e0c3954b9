"""Slices and accounts of several workers are those of one generator. Requirement L5."""

from dataclasses import fields
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from resilience.codec import decode
from resilience.load.meter import Meter
from resilience.load.workers.gathering import FIELDS, SLICE_S, Slices, account_of_all
from resilience.model import OUTCOMES, Outcome, Slice

NAMES = ("read", "write")


def piece(number: int, **more: Any) -> dict[str, Any]:
    """A worker's slice that ends on the grid."""
    start_s, end_s = (number - 1) * SLICE_S, number * SLICE_S + 0.001
    return {"start_s": start_s, "end_s": end_s, "counts": {}, "histogram": {}, "offered": 0, "in_flight": 0, **more}


def test_every_field_of_a_slice_is_put_together():
    """A field that is added to slices must be said here to be a count, a state or a length."""
    assert set(FIELDS) == {field.name for field in fields(Slice)}


def test_counts_add_up_and_lengths_are_the_largest():
    """What happened adds up; the busiest worker and the latest start are what matters of the rest."""
    slices = Slices(["a", "b"])
    one = {"counts": {"read": {"ok": 2}}, "histogram": {"7": 2}, "offered": 3, "lag_p99_s": 0.2, "cpu_share": 0.1}
    other = {
        "counts": {"read": {"ok": 1, "failed": 4}, "write": {"ok": 1}},
        "histogram": {"7": 1, "9": 5},
        "offered": 6,
        "lag_p99_s": 0.1,
        "cpu_share": 0.9,
    }
    slices.add("a", piece(1, **one, attempted=5, in_flight=2))
    assert list(slices.take(0.3)) == []  # the other's is waited for
    slices.add("b", piece(1, **other, attempted=7, in_flight=1))
    [got] = slices.take(0.3)
    whole = decode(Slice, got)
    assert whole.counts == {"read": {Outcome.OK: 3, Outcome.FAILED: 4}, "write": {Outcome.OK: 1}}
    assert whole.histogram == {7: 3, 9: 5}
    assert (whole.offered, whole.attempted, whole.in_flight) == (9, 12, 3)
    assert (whole.lag_p99_s, whole.cpu_share) == (0.2, 0.9)


def test_a_worker_that_is_late_is_not_waited_for_longer_than_a_second():
    """Its slice is in a later one; its state is what it was when it last told."""
    slices = Slices(["a", "b"])
    slices.add("a", piece(1, offered=1, attempted=1))
    slices.add("b", piece(1, offered=1, attempted=10))
    assert [one["offered"] for one in slices.take(0.3)] == [2]
    slices.add("a", piece(2, offered=1, attempted=2))
    assert list(slices.take(0.6)) == []
    [alone] = slices.take(1.6)
    assert (alone["offered"], alone["attempted"]) == (1, 12)
    slices.add("b", piece(2, offered=5, attempted=15))
    slices.add("b", piece(8, offered=2, attempted=17))
    slices.add("a", piece(8, offered=1, attempted=3))
    later = list(slices.take(2.1))
    assert sum(one["offered"] for one in later) == 8
    assert later[-1]["attempted"] == 20


def test_nothing_of_a_lost_worker_is_in_flight_and_nobody_waits_for_it():
    """What it had told before counts."""
    slices = Slices(["a", "b"])
    slices.add("a", piece(1, offered=1))
    slices.add("b", piece(1, offered=1, in_flight=9, attempted=4))
    list(slices.take(0.3))
    slices.lose("b")
    slices.add("a", piece(2, offered=1, in_flight=1))
    [got] = slices.take(0.6)
    assert (got["in_flight"], got["attempted"]) == (1, 4)
    slices.add("b", piece(2, offered=1, in_flight=9))  # was on its way
    assert [one["in_flight"] for one in slices.take(0.6, all_of_them=True)] == [1]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 6), st.integers(0, 50)), max_size=40), st.data())
def test_no_operation_is_lost_or_counted_twice(told, data):
    """However slices come, and whenever they are handed on."""
    slices, total, handed = Slices("abc"), 0, 0
    reached = dict.fromkeys("abc", 0)
    for worker, step, offered in told:
        reached[worker] += step
        slices.add(worker, piece(reached[worker], offered=offered))
        total += offered
        if data.draw(st.booleans()):
            handed += sum(one["offered"] for one in slices.take(max(reached.values()) * SLICE_S))
    handed += sum(one["offered"] for one in slices.take(0.0, all_of_them=True))
    assert handed == total


@given(st.lists(st.lists(st.tuples(st.integers(0, 1), st.sampled_from(OUTCOMES), st.integers(0, 10**9)))), st.data())
def test_the_account_of_all_is_that_of_a_process_that_did_it_all(shares, data):
    """Requirement L3: what is offered, and every outcome, in all and per operation; lags are never told too small."""
    del data
    meters, whole = [Meter(NAMES) for _ in shares], Meter(NAMES)
    for meter, share in zip(meters, shares, strict=True):
        for operation, outcome, lag_ns in share:
            for one in (meter, whole):
                one.offered(operation)
                one.started(lag_ns)
                one.ended(operation, outcome, lag_ns, degraded=False)
    if not shares:
        return
    together, expected = account_of_all(meter.account() for meter in meters), whole.account()
    for key in ("offered", *(outcome.value for outcome in OUTCOMES), "per_operation", "started_late", "lag_max_s"):
        assert together[key] == expected[key]
    assert together["lag_p99_s"] >= expected["lag_p99_s"]


def test_what_is_no_count_is_the_largest_joined_or_told_one_after_the_other():
    """Processor time adds up, a share of a core does not; a clock that moved back moved, too."""
    one = {"cpu_s": 1.5, "wall_s": 3.0, "generator": {"cpu_share": 0.9, "busy": [[1, 2, 0.9]], "clock_moved_s": -0.5}}
    other = {"cpu_s": 2.0, "wall_s": 2.0, "generator": {"cpu_share": 0.1, "busy": [], "clock_moved_s": 0.1}}
    assert account_of_all([one | {"stopped_by": "stop"}, other | {"stopped_by": "stop"}]) == {
        "cpu_s": 3.5,
        "wall_s": 3.0,
        "generator": {"cpu_share": 0.9, "busy": [[1, 2, 0.9]], "clock_moved_s": -0.5},
        "stopped_by": "stop",
    }
