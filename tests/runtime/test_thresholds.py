"""Objectives that end a run: seen live, by phase, and never by rounding. Requirement L2."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.model import HISTOGRAM_BASE, Outcome, Phase, PhaseName, Slice
from resilience.runtime.thresholds import Thresholds
from resilience.spec.thresholds import parse_objective

OPEN = float("inf")
FAULT = Phase(PhaseName.FAULT, 10.0, OPEN, "redis-down")


def piece(start_s: float, ok: int = 10, failed: int = 0, *, operation: str = "read", bucket: int = 300) -> Slice:
    """A quarter of a second of load, all of it with one response time."""
    return Slice(
        start_s=start_s,
        end_s=start_s + 0.25,
        counts={operation: {Outcome.OK: ok, Outcome.FAILED: failed}},
        histogram={bucket: ok + failed},
        offered=ok + failed,
        in_flight=0,
    )


def watched(text: str, *, operation: str = "all", delay_s: float = 0.0) -> Thresholds:
    """A watch over one objective."""
    return Thresholds([replace(parse_objective(text, operation), abort=True, delay_abort_s=delay_s)])


def first(thresholds: Thresholds, pieces: list[Slice], phase: Phase | None = FAULT):
    """What is said first, and at the end of which slice."""
    for each in pieces:
        if crossed := thresholds.look([each], phase):
            return crossed
    return None


def run(*failed: int, start_s: float = 10.0) -> list[Slice]:
    """Slices of ten operations, so many of each failed."""
    return [piece(start_s + place / 4, 10 - each, each) for place, each in enumerate(failed)]


def test_it_is_seen_over_the_whole_phase_so_far():
    """As in k6: everything since the phase began, so an early burst is diluted and a late one adds up."""
    crossed = first(watched("rate<0.2 @ fault"), run(0, 0, 0, 0, 5, 5, 5, 0))
    assert (crossed.value, crossed.from_s, crossed.until_s) == (pytest.approx(15 / 70), 10.0, 11.75)
    assert first(watched("rate<0.2 @ fault"), run(0, 0, 0, 0, 0, 5, 5, 5)) is None


def test_it_says_what_when_and_how_much():
    """One sentence for people, and the same for the record."""
    crossed = first(watched("rate<0.5 @ fault", operation="read"), run(5, 5, 5, 5))
    assert crossed.reason == ("objective missed: rate<0.5 @ fault of read was 0.5 in fault(redis-down) at 11.00 s")
    assert crossed.detail == {
        "objective": "rate<0.5 @ fault",
        "operation": "read",
        "phase": "fault(redis-down)",
        "value": 0.5,
        "from_s": 10.0,
        "until_s": 11.0,
    }


@pytest.mark.parametrize(("delay_s", "until_s"), [(0.0, 11.0), (0.5, 11.0), (2.0, 12.0), (5.0, None)])
def test_not_before_the_delay(delay_s: float, until_s: float | None):
    """`delay_abort` counts from the beginning of the phase; less than a second of it says nothing."""
    crossed = first(watched("rate<0.5 @ fault", delay_s=delay_s), run(*[10] * 12))
    assert (crossed and crossed.until_s) == until_s


@pytest.mark.parametrize(
    ("text", "phase"),
    [
        ("rate<0.5 @ after", FAULT),
        ("rate<0.5 @ fault(other)", FAULT),
        ("rate<0.5 @ fault", None),
        ("rate<0.5 @ fault", Phase(PhaseName.FAULT, 20.0, OPEN, "redis-down")),
    ],
    ids=["other phase", "other fault", "before the run", "what came before the phase"],
)
def test_only_in_its_phase(text: str, phase: Phase | None):
    """What is bad elsewhere is no breach."""
    assert first(watched(text), run(*[10] * 8), phase) is None


def test_each_phase_begins_anew():
    """Errors of one fault are not held against the next, nor against its recovery."""
    watch = watched("rate<0.5 @ fault", delay_s=2.0)
    assert first(watch, run(*[10] * 7)) is None
    again = Phase(PhaseName.FAULT, 20.0, OPEN, "redis-down")
    assert first(watch, run(*[0] * 12, start_s=20.0), again) is None


def test_a_window_is_the_last_full_one():
    """With `over`, only the window counts, and only once it is full."""
    crossed = first(watched("rate<0.5 @ fault over 2s"), run(*[0] * 8, *[10] * 8))
    assert (crossed.value, crossed.from_s, crossed.until_s) == (0.5, 11.0, 13.0)
    assert first(watched("rate<0.5 @ fault over 2s"), run(*[10] * 7)) is None


def test_what_does_not_abort_is_none_of_its_business():
    """An objective without `abort` is judged afterwards."""
    assert first(Thresholds([parse_objective("rate<0.5 @ fault")]), run(*[10] * 8)) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [("availability>0.9 @ fault", 0.5), ("rps>100 @ fault", 20.0), ("rate<=0.4 @ fault", 0.5)],
)
def test_shares_and_rates(text: str, value: float):
    """Each in its own unit, exactly."""
    assert first(watched(text), run(5, 5, 5, 5)).value == pytest.approx(value)


def test_nothing_that_ended_is_no_breach():
    """A phase in which nothing ended yet has no error rate; that nothing is ok is a rate of ok answers of 0."""
    silent = [replace(each, counts={}, histogram={}) for each in run(*[0] * 8)]
    assert first(watched("rate<0.5 @ fault"), silent) is None
    assert first(watched("p(95)<5 @ fault"), silent) is None
    assert first(watched("rps>5 @ fault"), silent).value == 0.0


@given(
    st.lists(st.integers(400, 900), min_size=4, max_size=12),
    st.sampled_from(["p(50)", "p(95)", "med", "max", "avg"]),
    st.floats(0.001, 0.999),
)
def test_rounding_ends_no_run(buckets: list[int], metric: str, inside: float):
    """Wherever in their buckets the times lay: what is said to be missed was missed by the exact figure, too."""
    pieces = [piece(10 + place / 4, bucket=bucket) for place, bucket in enumerate(buckets)]
    times = sorted(HISTOGRAM_BASE ** (bucket + inside) / 1e3 for bucket in buckets for _ in range(10))
    exact = {
        "p(50)": times[(len(times) + 1) // 2 - 1],
        "p(95)": times[-(-len(times) * 95 // 100) - 1],
        "max": times[-1],
        "avg": sum(times) / len(times),
    }
    exact["med"] = exact["p(50)"]
    for comparison, shift in (("<=", 1.000001), (">=", 0.999999)):
        watch = watched(f"{metric}{comparison}{exact[metric] * shift:.9f} @ fault")
        assert watch.look(pieces, FAULT) is None
