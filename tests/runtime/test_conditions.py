"""Abort conditions are judged on full windows, exactly as they are documented. Requirement F7."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.model import HISTOGRAM_BASE, AbortWhen, Comparison, Outcome, Phase, PhaseName, Slice
from resilience.runtime.conditions import holds, live_value, met
from resilience.spec.thresholds import parse_abort

FAULT = Phase(PhaseName.FAULT, 0.0, float("inf"), "redis-down")


def when(expression: str, operation: str = "all") -> AbortWhen:
    """As the file says it."""
    return parse_abort(expression, operation)


def piece(start_s: float, ok: int = 10, failed: int = 0, operation: str = "read", **more) -> Slice:
    """A quarter of a second of load."""
    counts = {operation: {Outcome.OK: ok, Outcome.FAILED: failed}}
    told = {"histogram": {}, "offered": ok + failed, "in_flight": 0}
    return Slice(start_s=start_s, end_s=start_s + 0.25, counts=counts, **told | more)


def test_needs_a_full_window():
    """Less than a window is not judged; after it, only the last window counts."""
    condition = when("rate>0.1 for 1s")
    assert live_value(condition, []) is None
    assert live_value(condition, [piece(0.0, failed=10), piece(0.25), piece(0.5)]) is None
    assert live_value(condition, [piece(at / 4, failed=10 * (at == 0)) for at in range(5)]) == 0.0


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=4, max_size=12))
def test_is_the_share_and_the_rate(counts):
    """Of the last second: not ok of all that ended, and ok per second; None only if nothing ended."""
    slices = [piece(at / 4, ok, failed) for at, (ok, failed) in enumerate(counts)]
    ok, failed = (sum(row[place] for row in counts[-4:]) for place in (0, 1))
    expected = failed / (ok + failed) if ok + failed else None
    assert live_value(when("rate>0.1 for 1s"), slices) == (None if expected is None else pytest.approx(expected))
    assert live_value(when("rps<5 for 1s"), slices) == pytest.approx(ok / 1.0)


@given(st.lists(st.integers(1_000, 3_000_000), min_size=1, max_size=200), st.sampled_from([50, 95, 99, 100]))
def test_quantile_is_within_two_percent(times_us, percent):
    """From the histogram of the window, nearest rank, never more than it was."""
    buckets: dict[int, int] = {}
    for each in times_us:
        bucket = next(b for b in range(2000) if HISTOGRAM_BASE ** (b + 1) > each)
        buckets[bucket] = buckets.get(bucket, 0) + 1
    slices = [piece(at / 4, histogram=buckets if at == 3 else {}) for at in range(4)]
    rank = max(1, -(-len(times_us) * percent // 100))
    exact_ms = sorted(times_us)[rank - 1] / 1e3
    found = live_value(when(f"p({percent})>1 for 1s"), slices)
    assert exact_ms / HISTOGRAM_BASE * 0.999 <= found <= exact_ms * 1.001


def test_degraded_is_a_share_of_what_was_ok():
    """Two of ten ok answers said so."""
    assert live_value(when("degraded>0.1 for 1s"), [piece(at / 4, degraded=2, failed=5) for at in range(4)]) == 0.2


def test_objective_and_condition_are_contraries():
    """`over` says what must hold, `for` what must not; the two spellings abort at the same moment, and say why."""
    bad = [piece(at / 4, ok=4, failed=6) for at in range(4)]
    must, must_not = when("rate<=0.5 @ fault over 1s"), when("rate>0.5 for 1s @ fault")
    assert met(must, bad, FAULT) == "abort condition met: rate<=0.5 @ fault over 1s (is 0.6)"
    assert met(must_not, bad, FAULT) == "abort condition met: rate>0.5 for 1s @ fault (is 0.6)"
    for condition in (must, must_not):
        assert not met(condition, [piece(at / 4, ok=5, failed=5) for at in range(4)], FAULT)


def test_operation_is_named():
    """A condition about one operation looks at that one alone, and says so."""
    bad = [piece(at / 4, ok=0, failed=9, operation="write") for at in range(4)]
    assert "of write" in met(when("rate>0.5 for 1s", "write"), bad, FAULT)
    assert not met(when("rate>0.5 for 1s", "read"), bad, FAULT)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_comparisons(value: float, limit: float):
    """Each comparison is the contrary of its opposite."""
    for one, other in ((Comparison.LT, Comparison.GE), (Comparison.GT, Comparison.LE), (Comparison.EQ, Comparison.NE)):
        assert holds(one, value, limit) is not holds(other, value, limit)
    assert holds(Comparison.LT, value, limit) == (value < limit)
