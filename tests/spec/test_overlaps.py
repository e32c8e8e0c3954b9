"""What must not be done at the same time is refused before anything is touched. Requirement F7."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.model import BeginFault, EndFault, FaultGroup, FaultSpec
from resilience.spec.findings import Findings
from resilience.spec.overlaps import check_overlaps, clash, parts_at_most
from resilience.spec.text import read_text

KINDS = ["process.pause", "process.kill", "toxiproxy.down", "toxiproxy.latency", "redis.readonly", "cgroup.cpu"]


def fault(kind: str, on: str = "redis", **more) -> FaultSpec:
    """A fault of that kind on a part."""
    return FaultSpec(name=f"{kind.replace('.', '-')}-{on}", kind=kind, on=on, duration_s=5.0, **more)


def found(*steps, max_at_once: int = 1) -> list[str]:
    """What is wrong with a method of these steps."""
    findings = Findings(read_text(b"{}", "x.json"))
    check_overlaps([(f"method[{index}]", step) for index, step in enumerate(steps)], max_at_once, findings)
    return [f"{problem.where}: {problem.message}" for problem in findings.problems]


@pytest.mark.parametrize(
    ("one", "other", "allowed"),
    [
        (fault("process.pause"), fault("process.kill"), False),
        (fault("process.pause"), fault("process.kill", "postgres"), True),
        (fault("redis.readonly"), fault("process.kill"), False),
        (fault("redis.readonly"), fault("toxiproxy.latency"), True),
        (fault("toxiproxy.down"), fault("toxiproxy.latency"), False),
        (fault("toxiproxy.latency"), fault("toxiproxy.latency"), True),
        (fault("process.kill", "toxiproxy"), fault("toxiproxy.latency"), False),
        (fault("process.pause", "", among=("redis", "service")), fault("process.kill"), False),
    ],
)
def test_matrix(one: FaultSpec, other: FaultSpec, allowed: bool):
    """Either order gives the same answer, with its reason."""
    assert clash(one, other) == clash(other, one)
    assert bool(clash(one, other)) is not allowed


@given(st.sampled_from(KINDS), st.sampled_from(KINDS))
def test_other_parts_do_not_clash(one: str, other: str):
    """What is done to another part is none of its business, unless it is the proxy server itself."""
    assert clash(fault(one, "redis"), fault(other, "postgres")) == ""


def test_one_after_the_other():
    """Steps that come one after another are never in place together."""
    assert found(fault("process.pause"), fault("process.kill"), fault("toxiproxy.down", "postgres")) == []


def test_group():
    """Members of a group are in place together: too many parts, or kinds that clash, are told at the step."""
    two = FaultGroup(name="both", faults=(fault("toxiproxy.down"), fault("toxiproxy.down", "postgres")), duration_s=5.0)
    assert "on 2 parts at once, safety.max_at_once is 1" in found(two)[0]
    assert found(two, max_at_once=2) == []
    clashing = FaultGroup(name="both", faults=(fault("process.pause"), fault("process.kill")), duration_s=5.0)
    assert "method[0]: " in found(clashing)[0]
    assert "must not be in place together" in found(clashing)[0]


def test_begun_and_ended():
    """What is begun is in place until it is ended."""
    begun = BeginFault(fault("process.pause", at_most_s=60.0))
    killed = fault("process.kill")
    assert found(begun, EndFault(begun.begun.name), killed) == []
    assert found(begun, killed, EndFault(begun.begun.name)) != []


def test_parts_that_are_yet_to_be_drawn_count_as_one_more():
    """As long as the seed has not drawn, the worst is assumed."""
    drawn = fault("process.pause", "", among=("redis", "service"))
    assert parts_at_most((drawn, fault("process.kill", "postgres"))) == 2
    assert parts_at_most((replace(drawn, on="postgres"), fault("process.kill", "postgres"))) == 1
