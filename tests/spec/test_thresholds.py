"""Objectives in k6's grammar, with our phases and windows. Requirement L2."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.errors import SpecError
from resilience.model import Comparison, Objective, PhaseName
from resilience.spec.metrics import AGGREGATES
from resilience.spec.thresholds import parse_abort, parse_objective


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
        ("total:p(95)<5000", ("p", Comparison.LT, 5000.0, 95.0, PhaseName.BASELINE, "", None)),
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
        ("availability>=99.9", "write 0.999"),
        ("availability>=0", "always holds"),
        ("apdex<0.9", "apdex needs a time"),
        ("apdex(0)>0.9", "apdex needs a time"),
        ("apdex(1m)>0.9", "found '1m'"),
        ("apdex(100)>1", "never holds"),
        ("burn<2", "found nothing"),
        ("ttfb:p(95)<500", "did you mean ttft?"),
        ("latency:p(95)<500", "expected one of ttft, queue, processing, total, tokens"),
        ("ttft:rate<0.1", "rate says nothing of ttft"),
        ("ttft:p(95) no worse than 10% @ after", "not compared with the baseline"),
        ("ttft<500", "'ttft' is not a metric"),
        ("burn(100%)<2", "below 100 %"),
        ("burn(0)<2", "above 0 %"),
        ("burn(99%)<=100", "always holds, whatever is measured; it is never above 100"),
        ("burn(99%)>101", "never holds"),
        ("budget(x)<0.1", "found 'x'"),
        ("p(95) no worse than 10 @ after", "write 10%"),
        ("p(95) no worse than a little @ after", "write 5%"),
        ("p(95) no worse than 0% @ after", "above 0 %"),
        ("p(95) within 100% @ after", "below 100 %"),
        ("p(95) within 5%", "found no phase"),
        ("p(95) within 5% @ baseline", "found baseline"),
        ("p(95) within 5% @ after over 10s", "whole phase, found 'over'"),
        ("rps no worse than 5% @ after", "rps is not compared"),
        ("p(95) worse than 5% @ after", "write for example"),
    ],
)
def test_a_wrong_objective_is_told_what_to_write(text, told):
    """Nothing is guessed: not a unit, not a percentage, and nothing that would hold or fail whatever is measured."""
    with pytest.raises(SpecError) as caught:
        parse_objective(text)
    assert told in str(caught.value)
    assert all(repr(text) in problem.message for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("text", "metric", "argument", "limit"),
    [
        ("availability>=0.999 @ after", "availability", None, 0.999),
        ("apdex(100)>0.9", "apdex", 100.0, 0.9),
        ("apdex(250ms) > 0.9", "apdex", 250.0, 0.9),
        ("apdex(1.5s)>0.9 over 10s", "apdex", 1500.0, 0.9),
        ("burn(99.9%)<14.4 @ fault over 10s", "burn", 99.9, 14.4),
        ("budget(99)<0.02 @ fault(redis-down)", "budget", 99.0, 0.02),
    ],
)
def test_metrics_of_a_service_level_say_what_was_promised(text, metric, argument, limit):
    """Requirement J5: availability, Apdex, burn rate and error budget; in their parentheses what they are about."""
    found = parse_objective(text)
    assert (found.aggregate, found.argument, found.limit, found.relation) == (metric, argument, limit, "")


@pytest.mark.parametrize(
    ("text", "relation", "margin"),
    [
        ("p(95) no worse than 10% @ after", "no worse than", 0.1),
        ("availability  no  worse  than 0.5% @ recovery(redis-down)", "no worse than", 0.005),
        ("med within 5% @ after", "within", 0.05),
    ],
)
def test_a_relation_has_a_margin_and_a_later_phase(text, relation, margin):
    """Requirement J1: no worse than before, and the same as before, are claims with a margin."""
    found = parse_objective(text)
    assert (found.relation, found.limit) == (relation, pytest.approx(margin))
    assert found.phase is not PhaseName.BASELINE


def test_a_relation_cannot_abort_a_run():
    """It is about a whole phase, and a run is aborted while the phase goes on."""
    with pytest.raises(SpecError, match="not live"):
        parse_abort("p(95) no worse than 10% @ after")


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


@pytest.mark.parametrize("measure", ["ttft", "queue", "processing", "tokens"])
def test_an_objective_may_be_about_another_measure(measure):
    """Requirement L8: time to first token, a job's times, tokens per second; with phase and window as ever."""
    objective = parse_objective(f"{measure}: p(95) < 500 @ fault(slow) over 10s", "chat")
    assert (objective.measure, objective.aggregate, objective.quantile, objective.limit) == (measure, "p", 95.0, 500.0)
    assert (objective.phase, objective.fault, objective.window_s) == (PhaseName.FAULT, "slow", 10.0)
    with pytest.raises(SpecError, match=f"{measure} is not known while the run goes on"):
        parse_abort(f"{measure}:p(95)>500 for 5s")
