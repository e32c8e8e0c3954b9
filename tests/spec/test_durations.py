"""Durations mean what they say, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.errors import SpecError
from resilience.spec.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("250ms", 0.25),
        ("1.5s", 1.5),
        ("1h2m3s4ms", 3723.004),
        ("0s", 0.0),
        ("0.1s", 0.1),
    ],
)
def test_a_duration_is_the_sum_of_its_units(text, seconds):
    """Each unit counts for what it is, and decimal fractions are not rounded."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (30, "write 30s"),
        ("30", "write 30s"),
        (1.5, "write 1.5s"),
        ("-5s", "not negative"),
        ("5 s", "write 250ms"),
        ("5s ", "write 250ms"),
        ("5s\n", "write 250ms"),
        ("30m1h", "write 250ms"),
        ("1m1m", "write 250ms"),
        ("5min", "write 250ms"),
        ("1e3s", "write 250ms"),
        ("٣s", "write 250ms"),
        ("9999999999s", "write 250ms"),
        ("", "write 250ms"),
        ("s", "write 250ms"),
        (True, "write 250ms"),
        (None, "write 250ms"),
        ([], "write 250ms"),
    ],
)
def test_anything_else_is_refused_with_a_hint(value, hint):
    """A number without unit is never guessed at; the message shows the value, the hint what to write."""
    with pytest.raises(SpecError) as caught:
        parse_duration(value)
    (problem,) = caught.value.problems
    assert repr(value) in problem.message
    assert hint in problem.hint


@given(st.integers(min_value=0, max_value=10**9))
def test_what_is_written_reads_back(milliseconds):
    """Whole milliseconds survive writing and reading exactly."""
    assert parse_duration(format_duration(milliseconds / 1000)) == milliseconds / 1000
