"""Objectives in k6's grammar, with our phases and windows. Requirement L2."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.errors import SpecError
from resilience.model import Comparison, Objective, PhaseName
from resilience.spec.thresholds import AGGREGATES, parse_objective


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p(95)<500", ("p", Comparison.LT, 500.0, 95.0, PhaseName.BASELINE, "", None)),
        ("p(99.9) <= 1500 @ after", ("p", Comparison.LE, 1500.0, 99.9, PhaseName.AFTER, "", None)),
        ("avg<200@fault", ("avg", Comparison.LT, 200.0, None, PhaseName.FAULT, "", None)),
        ("rate<0.01 @ fault(redis-down)", ("rate", Comparison.LT, 0.01, None, PhaseName.FAULT, "redis-down", None)),
        ("count>100 @ warm-up", ("count", Comparison.GT, 100.0, None, PhaseName.WARM_UP, "", None)),
        ("med!=0 @ recovery(a)", ("med", Comparison.NE, 0.0, None, PhaseName.RECOVERY, "a", None)),
        ("degraded===0 @ baseline", ("degraded", Comparison.EQ, 0.0, None, PhaseName.BASELINE, "", None)),
        ("rps>225 over 10s", ("rps", Comparison.GT, 225.0, None, PhaseName.BASELINE, "", 10.0)),
        ("max<=9 @ fault over 1m30s", ("max", Comparison.LE, 9.0, None, PhaseName.FAULT, "", 90.0)),
        ("min>=1 over 500ms @ after", ("min", Comparison.GE, 1.0, None, PhaseName.AFTER, "", 0.5)),
    ],
)
def test_an_objective_is_read_as_written(text, expected):
    """Metric, comparison, limit, phase, fault and window each end up where the judge looks for them."""
    metric, comparison, limit, quantile, phase, fault, window = expected
    assert parse_objective(text, "read-item") == Objective(
        text, metric, comparison, limit, quantile, "read-item", phase, fault, window
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "write for example"),
        ("fast", "write for example"),
        ("p95<500", "p(95)"),
        ("p<500", "found nothing"),
        ("p(0)<500", "above 0"),
        ("p(101)<500", "up to 100"),
        ("p(x)<500", "'x'"),
        ("avg(5)<500", "parentheses"),
        ("rat<0.1", "did you mean rate?"),
        ("p(95)<500ms", "write 500"),
        ("p(95)<0.5s", "write 500"),
        ("rate<1%", "write 0.01"),
        ("rate<5", "for 5 % write 0.05"),
        ("degraded<=50", "share from 0 to 1"),
        ("p(95)<-1", "no metric is negative"),
        ("p(95)<nan", "plain number"),
        ("p(95)<inf", "plain number"),
        ("p(95)<1e3", "plain number"),
        ("rate<=1 @ fault", "always holds"),
        ("count>=0", "always holds"),
        ("p(95)<0", "never holds"),
        ("rate>1", "never holds"),
        ("rate<0.1 @ falt", "did you mean fault?"),
        ("rate<0.1 @ baseline(x)", "takes no name"),
        ("rate<0.1 @ fault()", "not the name of a fault"),
        ("rate<0.1 @ fault(Redis)", "not the name of a fault"),
        ("rate<0.1 @ fault @ after", "second of its kind"),
        ("rate<0.1 over 1s over 2s", "second of its kind"),
        ("rate<0.1 over 10", "write 10s"),
        ("rate<0.1 over 0s", "empty"),
        ("rate<0.1 during fault", "not understood"),
        ("rate<0.1 @", "not understood"),
    ],
)
def test_a_wrong_objective_is_told_what_to_write(text, told):
    """Nothing is guessed: not a unit, not a percentage, and nothing that would hold or fail whatever is measured."""
    with pytest.raises(SpecError) as caught:
        parse_objective(text)
    assert told in str(caught.value)
    assert all(repr(text) in problem.message for problem in caught.value.problems)


def test_everything_wrong_with_an_objective_is_told_at_once():
    """Three mistakes, three problems."""
    with pytest.raises(SpecError) as caught:
        parse_objective("latency<5ms @ falt")
    assert len(caught.value.problems) == 3


@given(st.text(max_size=40))
def test_no_text_breaks_the_reader(text):
    """Whatever is written, the answer is an objective or a SpecError."""
    with contextlib.suppress(SpecError):
        assert parse_objective(text).aggregate in AGGREGATES
