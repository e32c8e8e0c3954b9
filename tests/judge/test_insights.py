"""What explains a run never decides it: a block that cannot be made is told as such, and the answer stays."""

from dataclasses import replace

from resilience.judge.insights import insights
from resilience.judge.verdict import judge
from resilience.model.resources import Resources, Unit
from tests.judge.bottlenecks.made import made, slowed, step
from tests.judge.builder import honest


def test_the_answer_is_the_same_with_and_without_readings():
    """A resource at its limit is no reason to fail, and a record without any is judged as before."""
    record = honest().record()
    busy = made("process.cpu", "service", step(23, 0.1, 0.3), 0.3, Unit.CORES)
    without, with_it = judge(record), judge(replace(record, resources=Resources((busy,))))
    assert (without.answer, without.because) == (with_it.answer, with_it.because)
    assert [part.name for part in without.parts] == [part.name for part in with_it.parts]


def test_what_cannot_be_told_says_why():
    """Readings that make no sense break nothing else."""
    case = slowed()
    broken = replace(case, record=replace(case.record, resources=None))
    told = insights(broken)
    assert told["bottlenecks"]["answer"] == "unknown"
    assert "cannot be told: AttributeError" in told["bottlenecks"]["because"]
    assert told["anomalies"] is None
