"""Reading verdict.json without trusting its shape."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.report import document

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_any_shape_is_survived(value):
    """Whatever stands under a key, every reader returns its own type and raises nothing."""
    row = {"x": value}
    assert isinstance(document.words(row, "x"), str)
    assert all(isinstance(one, dict) for one in document.rows(row, "x"))
    assert isinstance(document.table(row, "x"), dict)
    found = document.number(row, "x")
    assert found is None or (math.isfinite(found) and found == value)
    assert isinstance(document.objective_value({"value": value, "expression": value}), str)


@pytest.mark.parametrize(
    ("expression", "value", "shown"),
    [
        ("p(95)<300", 299.9876, "299.988 ms"),
        ("rate<0.01", 0.0099999, "0.0099999"),
        ("rps>225", 249, "249"),
        ("med<1", None, ""),
        ("ttft:p(95)<300 @ fault", 299.9876, "299.988 ms"),
        ("tokens: avg>20 @ fault", 31.5, "31.5 per second"),
        ("p(95) no worse than 10% @ after", 0.0312, "+3.12 %"),
        ("rate within 1% @ after", -0.002, "-0.2 points"),
    ],
)
def test_value_of_an_objective_keeps_the_digits_that_decided(expression, value, shown):
    """A value just below its limit is not shown as the limit."""
    assert document.objective_value({"expression": expression, "value": value}) == shown


def test_degraded_share_needs_both_counts():
    """Without ok answers or without the count there is no share, rather than zero."""
    assert document.degraded_share({"ok": 4, "degraded": 1}) == pytest.approx(0.25)
    assert document.degraded_share({"ok": 0, "degraded": 0}) is None
    assert document.degraded_share({"ok": 4}) is None


def test_a_limit_of_a_resource_is_no_time():
    """`max` of a resource is in its own unit, or a share of its limit; and it is about the resource."""
    row = {"expression": "max<80% @ fault", "resource": "redis.clients", "of": "redis", "operation": "", "value": 0.7}
    assert document.objective_value({**row, "unit": "share"}) == "70 % of its limit"
    assert document.objective_value({**row, "unit": "count", "value": 12.0}) == "12 count"
    assert document.about({**row, "unit": "share"}) == "redis.clients of redis"
