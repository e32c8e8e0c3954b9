"""Conditions under which a run is aborted: those that can be judged while it goes on. Requirements F7, L2."""

import pytest

from resilience.spec.parse import parse
from tests.spec.changing import changed, problems


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("avg<500 @ fault(redis-down) over 5s", "avg is not known exactly while the run goes on"),
        ("avg>500 for 5s", "avg is not known exactly"),
        ("rate<0.5 over 5s", "does not say when it must hold"),
        ("rate>1 for 5s", "never holds"),
        ("rate>0.5 for 5s over 6s", "second of its kind"),
        ("count>5 @ fault(redis-down) over 5s", "count is not known exactly"),
        ("rate<0.5 @ fault(redis-down)", "has no window"),
    ],
)
def test_abort_on_what_cannot_be_judged_live(expression, said):
    """Requirement L2: an abort condition that could never stop the run, or not exactly, is refused."""
    found = problems(changed({"OWN.safety.abort": [{"expression": expression}]}))
    assert [said in str(problem) for problem in found] == [True]
    assert found[0].where.startswith("extensions[0].safety.abort[0]")
    assert found[0].hint


def test_abort_of_one_operation_on_what_is_known_of_all():
    """Requirement F7: quantiles and degraded answers are known live of all operations together, and only so."""
    for expression in ("p(95)>500 for 5s", "degraded>0.5 for 5s"):
        listed = [{"expression": expression, "operation": "read-item"}]
        assert "all operations together" in str(problems(changed({"OWN.safety.abort": listed}))[0])


def test_abort_as_one_text():
    """`abort: rate>0.5 for 10s` is a list of one: a condition that must not be, anywhere. Requirement F7."""
    parsed = parse(changed({"OWN.safety.abort": "rate>0.5 for 10s"}), "x.json", "/somewhere")
    (condition,) = parsed.safety.abort
    assert (condition.phase, condition.comparison, condition.limit, condition.window_s) == (None, ">", 0.5, 10.0)


@pytest.mark.parametrize(
    "expression",
    ["rate<0.5 @ fault(redis-down) over 5s", "rps>10 @ baseline over 2s", "p(95)>900 for 5s", "degraded>0.9 for 5s"],
)
def test_abort_on_what_can_be_judged_live(expression):
    """The error rate and the throughput over a window are exact while the run goes on, quantiles within 2 %."""
    parsed = parse(changed({"OWN.safety.abort": [{"expression": expression}]}), "x.json", "/somewhere")
    assert [one.expression for one in parsed.safety.abort] == [expression]
