"""The generator's counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.codec import decode
from resilience.load.drivers.locust import check_account
from resilience.load.meter import LATE_NS, Meter, bucket_of, quantile_s
from resilience.model import HISTOGRAM_BASE, OUTCOMES, Outcome, Slice


@given(st.integers(1000, 10**13))
def test_a_duration_lies_within_the_bounds_of_its_bucket(duration_ns):
    """Bucket b holds [1.02^b, 1.02^(b+1)) microseconds."""
    bucket = bucket_of(duration_ns)
    microseconds = duration_ns / 1000
    assert HISTOGRAM_BASE**bucket <= microseconds * (1 + 1e-9)
    assert microseconds <= HISTOGRAM_BASE ** (bucket + 1) * (1 + 1e-9)


@pytest.mark.parametrize("duration_ns", [-5, 0, 1, 999, 1000])
def test_nothing_is_below_the_first_bucket(duration_ns):
    """Durations up to a microsecond, and clock oddities below 0, are in bucket 0."""
    assert bucket_of(duration_ns) == 0


@given(st.lists(st.integers(1000, 10**10), min_size=1), st.sampled_from([0.5, 0.9, 0.99]))
def test_quantiles_are_within_two_percent(durations, quantile):
    """A quantile read from buckets is the exact one (nearest rank), at most 2 % larger."""
    histogram: dict[int, int] = {}
    for duration in durations:
        histogram[bucket_of(duration)] = histogram.get(bucket_of(duration), 0) + 1
    rank = next(place for place in range(1, len(durations) + 1) if place >= quantile * len(durations))
    exact = sorted(durations)[rank - 1] / 1e9
    assert exact * (1 - 1e-9) <= quantile_s(histogram, quantile) <= exact * HISTOGRAM_BASE * (1 + 1e-9)


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(OUTCOMES), st.booleans())))
def test_slices_add_up_to_the_account_and_the_account_closes(steps):
    """Requirement L3: every offered operation is in exactly one slice and one outcome."""
    meter = Meter(["a", "b", "c"])
    pieces = []
    for number, (operation, outcome, degraded) in enumerate(steps):
        meter.offered(operation)
        if outcome is not Outcome.DROPPED:
            meter.started(number)
        meter.ended(operation, outcome, 10_000, degraded=degraded)
        if number % 3 == 0:
            pieces.append(decode(Slice, meter.slice(0.0, 1.0, 0)))
    pieces.append(decode(Slice, meter.slice(0.0, 1.0, 0)))
    account = meter.account()
    check_account(account)
    assert account["offered"] == len(steps) == sum(piece.offered for piece in pieces)
    for outcome in OUTCOMES:
        in_slices = sum(counts.get(outcome, 0) for piece in pieces for counts in piece.counts.values())
        assert account[outcome.value] == in_slices == sum(step[1] is outcome for step in steps)
    answered = sum(step[1] is not Outcome.DROPPED for step in steps)
    assert sum(sum(piece.histogram.values()) for piece in pieces) == answered
    assert sum(piece.degraded for piece in pieces) == sum(step[1] is Outcome.OK and step[2] for step in steps)


def test_late_starts_are_counted():
    """An operation begun more than 10 ms after its intended start was started late; the worst lag is exact."""
    meter = Meter(["a"])
    for lag in (0, LATE_NS, LATE_NS + 1, 2_000_000_000):
        meter.started(lag)
    account = meter.account()
    assert account["started_late"] == 2
    assert account["lag_max_s"] == 2.0
    assert account["lag_p99_s"] == pytest.approx(2.0, rel=0.03)


@given(st.lists(st.integers(-1000, 10**13), min_size=1, max_size=200))
def test_many_together_are_counted_as_each_alone(durations):
    """Counting many at once puts each into the bucket of its own, and loses none (Requirement L3)."""
    meter = Meter(["a"])
    for duration in durations:
        meter.note((0, OUTCOMES.index(Outcome.OK), duration, False, 7, ""))
    piece = decode(Slice, meter.slice(0.0, 1.0, 0))
    expected: dict[int, int] = {}
    for duration in durations:
        expected[bucket_of(duration)] = expected.get(bucket_of(duration), 0) + 1
    assert sum(piece.histogram.values()) == len(durations)
    # A duration on a bound may be put on either side of it by the last bit of a logarithm.
    assert sum(abs(piece.histogram.get(b, 0) - expected.get(b, 0)) for b in {*piece.histogram, *expected}) <= 2


def test_rows_are_kept_only_for_who_asks():
    """What was counted can be had once more, each row once, from the moment it is asked for."""
    meter = Meter(["a"])
    first, second = (0, 0, 5_000, False, 1, ""), (0, 1, 6_000, False, 2, "status 500")
    meter.note(first)
    meter.slice(0.0, 1.0, 0)
    assert meter.taken() == []
    meter.keep()
    meter.note(second)
    assert meter.taken() == []  # not counted yet
    meter.slice(1.0, 2.0, 0)
    assert meter.taken() == [second]
    assert meter.taken() == []
