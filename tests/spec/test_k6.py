"""Thresholds in k6's own notation become objectives that mean the same, in every phase. Requirement L2."""

import pytest

from resilience.errors import SpecError
from resilience.model import Comparison, PhaseName
from resilience.spec.findings import Findings
from resilience.spec.k6 import expand, read_thresholds
from resilience.spec.live import not_live
from resilience.spec.shapes import OBJECTIVE
from resilience.spec.text import read_text
from resilience.spec.thresholds import parse_objective

EVERY = (PhaseName.WARM_UP, PhaseName.BASELINE, PhaseName.FAULT, PhaseName.AFTER)


def read(block):
    """The objectives of a block, and what was found wrong with it."""
    findings = Findings(read_text(b"title: x\n", "x.yaml"))
    thresholds = read_thresholds(block, "thresholds", findings)
    return [objective for _, objective in expand(thresholds, EVERY)], [str(one) for one in findings.problems]


def test_a_block_as_k6_writes_it():
    """Metric, aggregation, limit, tags, abort and delay arrive; each holds in every phase but the warm-up."""
    objectives, problems = read(
        {
            "http_req_duration": ["p(95)<500", "med < 200"],
            "http_req_duration{name:read-item}": ["p(99)<=900"],
            "http_req_failed": [{"threshold": "rate<0.01", "abortOnFail": True, "delayAbortEval": "1m"}],
            "http_reqs": ["rate>100"],
            "checks{region:eu}": ["rate>0.99"],
        }
    )
    assert problems == []
    assert [one.phase for one in objectives[:3]] == [PhaseName.BASELINE, PhaseName.FAULT, PhaseName.AFTER]
    shown = {(one.expression, one.operation, one.region, one.abort, one.delay_abort_s) for one in objectives}
    assert {one for one in shown if one[0].endswith("@ fault")} == {
        ("p(95)<500 @ fault", "all", "", False, 0.0),
        ("med < 200 @ fault", "all", "", False, 0.0),
        ("p(99)<=900 @ fault", "read-item", "", False, 0.0),
        ("rate<0.01 @ fault", "all", "", True, 60.0),
        ("rps>100 @ fault", "all", "", False, 0.0),
        ("availability>0.99 @ fault", "all", "eu", False, 0.0),
    }
    (failed,) = [one for one in objectives if one.abort and one.phase is PhaseName.FAULT]
    assert (failed.aggregate, failed.comparison, failed.limit) == ("rate", Comparison.LT, 0.01)


def test_a_threshold_may_say_its_phase():
    """With our `@` it stands where it says, and nowhere else."""
    objectives, problems = read({"http_req_duration": ["p(95)<500 @ fault(redis-down) over 5s"]})
    assert problems == []
    assert [(one.phase, one.fault, one.window_s) for one in objectives] == [(PhaseName.FAULT, "redis-down", 5.0)]


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ({"http_req_durations": ["p(95)<5"]}, "did you mean 'http_req_duration'?"),
        ({"dropped_iterations": ["count<5"]}, "use http_req_failed"),
        ({"my_trend": ["p(95)<5"]}, "'my_trend' is not measured here"),
        ({"http req": ["p(95)<5"]}, "not a metric of k6"),
        ({"http_req_duration": ["rate<0.5"]}, "its aggregations here are p(N), avg, min, max, med"),
        ({"http_req_failed": ["p(95)<5"]}, "its aggregations here are rate"),
        ({"http_req_duration": ["p(95)<500ms"]}, "write 500"),
        ({"http_req_failed": ["rate<2"]}, "share from 0 to 1"),
        ({"http_reqs": ["rate<100"]}, "no bound from above"),
        ({"http_req_duration{scenario:a}": ["p(95)<5"]}, "the tag 'scenario:a' is not known here"),
        ({"http_req_duration{name:}": ["p(95)<5"]}, "the tag 'name:' is not known here"),
        ({"http_req_duration": [{"threshold": "min<5", "abortOnFail": True}]}, "min is not known while the run"),
        ({"http_req_duration": [{"threshold": "p(95)<5", "delayAbortEval": "10"}]}, "write 10s"),
        (
            {"http_req_duration{name:a}": [{"threshold": "p(95)<5", "abortOnFail": True}]},
            "live of all operations together only, found 'a'",
        ),
        (
            {"http_req_failed{tenant:blue}": [{"threshold": "rate<0.5", "abortOnFail": True}]},
            "nothing is known live of the tenant 'blue' alone",
        ),
    ],
)
def test_what_is_not_here_is_said(block, told):
    """Nothing that k6 would judge and we do not is passed over in silence."""
    objectives, problems = read(block)
    assert objectives == []
    assert told in "\n".join(problems)


def test_every_problem_at_once():
    """One wrong threshold does not hide another, nor one that is right."""
    objectives, problems = read({"a": ["p(95)<5"], "http_req_duration": ["p95<5", "p(95)<5"], "http_req_failed": ["x"]})
    assert len(problems) == 3
    assert {one.expression for one in objectives} == {f"p(95)<5 @ {phase.value}" for phase in EVERY[1:]}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("p(95)<500 @ fault", ""),
        ("rps>5 @ fault over 3s", ""),
        ("p(95) no worse than 10% @ after", "not live"),
        ("count>5 @ fault", "count is not known"),
        ("avg==5 @ fault", "says nothing of =="),
        ("apdex(5)>0.5 @ fault", "apdex is not known"),
    ],
)
def test_what_can_end_a_run(text, told):
    """Only what is known while the run goes on."""
    assert told in " ".join(map(str, not_live(parse_objective(text))))
    assert bool(told) == bool(list(not_live(parse_objective(text))))


def test_objectives_may_end_a_run():
    """`abort` and `delay_abort` of an objective; what could never be seen live is refused."""
    findings = Findings(read_text(b"title: x\n", "x.yaml"))
    objective = OBJECTIVE.read({"expression": "rate<0.1 @ fault", "abort": True, "delay_abort": "2s"}, "", findings)
    assert (objective.abort, objective.delay_abort_s) == (True, 2.0)
    with pytest.raises(SpecError, match="judged over a whole phase"):
        OBJECTIVE.read({"expression": "p(95) no worse than 10% @ after", "abort": True}, "", findings)
