"""What a file may say of what must not grow: Requirement M4."""

import pytest

from resilience.errors import SpecError
from resilience.model import Experiment, PhaseName
from resilience.model.soak import Flat, Growth, Soak, Times
from resilience.spec.findings import Findings
from resilience.spec.keys import read_block
from resilience.spec.parse import parse
from resilience.spec.text import Source
from tests.spec.changing import changed, problems


def read(content: bytes) -> Experiment:
    """The experiment of a file that is right."""
    return parse(content, "x.json", "/somewhere")


OWN = {"flat": [{"resource": "process.memory"}], "phase": "after"}


@pytest.mark.parametrize(
    ("text", "per_hour", "relative"),
    [
        *(("20MB/h", 20e6, False), ("1MB/min", 60e6, False), ("1.5GB/h", 1.5e9, False), ("512kB/h", 512e3, False)),
        *(("5/h", 5.0, False), ("10%/h", 0.1, True), ("1%/min", 0.6, True), ("2ms/h", 0.002, False), ("0/h", 0, False)),
    ],
)
def test_growth_is_written_as_people_say_it(text: str, per_hour: float, relative: bool):
    """Per hour, in bytes, seconds, or as a share."""
    found = read_block(Flat, {"resource": "process.memory", "growth": text}, "x", Findings(Source(None)))
    assert found.growth == Growth(per_hour=pytest.approx(per_hour), relative=relative)


def test_a_file_s_soak_is_read():
    """Resources and figures of response times, with the usual phase."""
    findings = Findings(Source(None))
    data = {"flat": [{"resource": "process.memory", "of": "service"}, {"metric": "p(95)", "operation": "read-item"}]}
    assert read_block(Soak, data, "soak", findings) == Soak(
        flat=(
            Flat(resource="process.memory", of="service"),
            Flat(metric=Times(aggregate="p", quantile=95.0), operation="read-item"),
        ),
        phase=PhaseName.AFTER,
    )
    assert findings.clean("soak")


@pytest.mark.parametrize("metric", ["p", "p(0)", "max", "rate", "rps", "nonsense", "p95"])
def test_what_is_no_figure_of_response_times_is_refused(metric: str):
    """A maximum is one operation; errors and throughput have objectives of their own."""
    found = problems(changed({"OWN.soak": {"flat": [{"metric": metric}], "phase": "baseline"}}))
    assert any(problem.where.endswith("soak.flat[0].metric") for problem in found)


@pytest.mark.parametrize(
    ("soak", "where", "said"),
    [
        ({"flat": [{}]}, "flat[0].resource", "a resource or a metric"),
        ({"flat": [{"resource": "process.memory", "metric": "med"}]}, "flat[0].resource", "not both"),
        ({"flat": [{"metric": "med", "of": "service"}]}, "flat[0].of", "of an operation"),
        ({"flat": [{"metric": "med", "operation": "nobody"}]}, "flat[0].operation", "no operation of this file"),
        ({"flat": [{"resource": "process.memory", "operation": "read-item"}]}, "flat[0].operation", "of a part"),
        ({"flat": [{"resource": "process.memory", "growth": "20"}]}, "flat[0].growth", "20"),
        ({"flat": [{"resource": "Memory"}]}, "flat[0].resource", "Memory"),
        ({"flat": []}, "flat", ""),
        ({"flat": [{"resource": "process.memory"}], "phase": "warm-up"}, "phase", "too short"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(soak: dict, where: str, said: str):
    """Nothing that could never be judged is accepted."""
    found = problems(changed({"OWN.soak": {"phase": "baseline", **soak}}))
    assert [problem for problem in found if problem.where.endswith(f"soak.{where}") and said in str(problem)], found


def test_a_soak_of_five_minutes_is_accepted_and_four_are_not():
    """So much is needed to tell a leak from a warm-up; the file's own warm-up comes in addition."""
    whole = changed(
        {"OWN.load.baseline": "5m", "OWN.soak": {**OWN, "phase": "baseline"}, "OWN.safety.max_duration": "1h"}
    )
    assert read(whole).soak == Soak(flat=(Flat(resource="process.memory"),), phase=PhaseName.BASELINE)
    for change in ({"OWN.load.baseline": "4m"}, {"OWN.soak.warm_up": "10s"}):
        with pytest.raises(SpecError, match="too short to see what grows"):
            read(changed({"OWN.load.baseline": "5m", "OWN.soak": {**OWN, "phase": "baseline"}, **change}))


def test_a_phase_that_the_method_does_not_have_is_told():
    """Without a warm-up there is none to be judged."""
    found = problems(changed({"OWN.load.warm_up": "0s", "OWN.soak": {**OWN, "phase": "warm-up"}}))
    assert [problem for problem in found if "there is no phase warm-up" in str(problem)], found
