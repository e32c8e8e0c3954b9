"""The metrics of objectives: which values each can have, and which limits mean anything. Requirement L2."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.model import Comparison
from resilience.spec.metrics import AGGREGATES, SHARES, Metric, read_limit, read_metric

HOLDS = {
    Comparison.LT: lambda value, limit: value < limit,
    Comparison.LE: lambda value, limit: value <= limit,
    Comparison.GT: lambda value, limit: value > limit,
    Comparison.GE: lambda value, limit: value >= limit,
    Comparison.EQ: lambda value, limit: value == limit,
    Comparison.NE: lambda value, limit: value != limit,
}
INSIDE = {"p": "95", "apdex": "100", "burn": "99.9%", "budget": "99.9%"}


@pytest.mark.parametrize("word", AGGREGATES)
def test_every_metric_can_be_written(word):
    """With what it needs in parentheses, and not without; the others take nothing."""
    problems = []
    found = read_metric(word, INSIDE.get(word), problems)
    assert (found.word, problems) == (word, [])
    read_metric(word, None if word in INSIDE else "5", problems)
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("metric", "most"),
    [
        *((Metric(word), 1.0) for word in SHARES),
        (Metric("burn", argument=99.0), pytest.approx(100.0)),
        (Metric("burn", argument=99.9), pytest.approx(1000.0)),
        (Metric("budget", argument=99.9), None),
        (Metric("rps"), None),
        (Metric("p", quantile=95.0), None),
    ],
)
def test_what_a_metric_can_be_at_most(metric, most):
    """Shares are at most 1; nothing burns faster than when everything fails; the rest has no most."""
    assert metric.most == most


@given(
    st.sampled_from([Metric("rate"), Metric("apdex", argument=100.0), Metric("burn", argument=50.0), Metric("rps")]),
    st.sampled_from(list(Comparison)),
    st.sampled_from(["0", "0.25", "0.5", "1", "1.5", "2", "3"]),
)
def test_what_is_refused_as_foregone_is_just_what_no_value_could_change(metric, comparison, limit):
    """Tried with many values from 0 to the most: refused if and only if it holds for all of them, or for none."""
    problems = []
    read_limit(metric, comparison, limit, problems)
    most = metric.most or 10.0
    values = {step * most / 40 for step in range(41)} | {
        value for value in (0.25, 0.5, 1.0, 1.5, 2.0, 3.0) if value <= most
    }
    answers = {HOLDS[comparison](value, float(limit)) for value in values}
    assert bool(problems) == (len(answers) == 1)
