"""Tenants and regions in the file: read as written, and refused with everything that does not fit. Requirement L4."""

import pytest

from resilience.model import Region, Segment
from resilience.spec.parse import parse
from resilience.spec.segments import ways
from tests.spec.changing import changed, problems

TENANTS = [{"name": "blue", "weight": 3}, {"name": "green"}]


def test_tenants_and_regions_are_read_as_written():
    """Names, weights (1 if left out), and objectives about one of them or each."""
    objectives = [
        {"expression": "rate<0.01 @ fault", "tenant": "each"},
        {"expression": "p(95)<100 @ fault", "tenant": "blue", "region": "eu", "operation": "read-item"},
    ]
    path = {"method": "GET", "path": "/items/${key}?tenant=${tenant}", "headers": {"X-Region": "${region}"}}
    content = changed(
        {
            "OWN.load.tenants": TENANTS,
            "OWN.load.regions": [{"name": "eu"}],
            "OWN.load.operations[0].request": path,
            "OWN.load.operations[0].expect": {"json": {"tenant": "${tenant}"}},
            "OWN.objectives": objectives,
        }
    )
    experiment = parse(content, "x.json", "/somewhere")
    assert experiment.load.tenants == (Segment(name="blue", weight=3.0), Segment(name="green"))
    assert experiment.load.regions == (Region(name="eu"),)
    assert [(one.tenant, one.region, one.operation) for one in experiment.objectives] == [
        ("each", "", "all"),
        ("blue", "eu", "read-item"),
    ]


@pytest.mark.parametrize(
    ("changes", "path", "told"),
    [
        ({"OWN.load.tenants": [*TENANTS, TENANTS[0]]}, "load.tenants[2].name", "already"),
        ({"OWN.load.tenants": [{"name": "each"}]}, "load.tenants[0].name", "meaning of its own"),
        ({"OWN.load.regions": [{"name": "all"}]}, "load.regions[0].name", "meaning of its own"),
        (
            {"OWN.load.regions": [{"name": "eu", "jitter": "5ms"}]},
            "load.regions[0].jitter",
            "no latency that it could vary",
        ),
        (
            {"OWN.load.regions": [{"name": "eu", "latency": "5ms", "jitter": "6ms"}]},
            "load.regions[0].jitter",
            "write at most 5ms",
        ),
        (
            {"OWN.load.regions": [{"name": "eu", "latency": "5ms"}], "OWN.stack.use": "external"},
            "load.regions[0].latency",
            "no way to the service for a region alone",
        ),
        (
            {"OWN.load.regions": [{"name": "1", "latency": "5ms"}], "OWN.stack.service.copies": 2},
            "load.regions[0].name",
            "another part of the stack is called 'service-1'",
        ),
        ({"OWN.load.tenants": [{"name": "Blue"}]}, "load.tenants[0].name", "is not a name"),
        ({"OWN.load.tenants": [{"name": "blue", "weight": 0}]}, "load.tenants[0].weight", "more than 0"),
        (
            {"OWN.load.operations[0].request.path": "/items/${tenant}"},
            "load.operations[0].request.path",
            "add tenants to load",
        ),
        (
            {"OWN.load.tenants": TENANTS, "OWN.load.operations[0].request.path": "/items/${region}"},
            "load.operations[0].request.path",
            "add regions to load",
        ),
        (
            {"OWN.objectives[0]": {"expression": "rate<0.1 @ fault", "tenant": "blue"}},
            "objectives[0].tenant",
            "add tenants to load",
        ),
        (
            {"OWN.load.tenants": TENANTS, "OWN.objectives[0]": {"expression": "rate<0.1 @ fault", "tenant": "blu"}},
            "objectives[0].tenant",
            "did you mean 'blue'?",
        ),
        (
            {"OWN.objectives[0]": {"expression": "rate<0.1 @ fault", "region": "each"}},
            "objectives[0].region",
            "add regions to load",
        ),
    ],
)
def test_what_does_not_fit_is_told_at_its_place(changes, path, told):
    """Requirement E2: the path, and what to do."""
    found = {problem.where: str(problem) for problem in problems(changed(changes))}
    assert told in found[f"extensions[0].{path}"]


def test_a_relation_needs_a_baseline_and_a_phase_that_are_long_enough():
    """20 s each, or it could never be anything but unknown: refused before anything is touched."""
    wanted = {"OWN.objectives[0]": {"expression": "p(95) no worse than 10% @ after"}}
    (problem,) = problems(changed(wanted))
    assert "there are 6s of one" in problem.message
    longer = {"method[6].provider.arguments.duration": "20s"}
    assert "there are 15s of one" in problems(changed(wanted | longer))[0].message
    content = changed(wanted | longer | {"OWN.load.baseline": "20s"})
    assert parse(content, "x.json", "/somewhere").objectives[0].relation == "no worse than"


def test_a_service_level_is_read_as_written():
    """Its defaults are three nines, half a second, and no replay of alerts."""
    plain = parse(changed({}), "x.json", "/somewhere").service_level
    assert (plain.availability, plain.satisfied_s, plain.alert_scale) == (99.9, 0.5, 0.0)
    block = {"availability": 99.5, "satisfied": "100ms", "alert_scale": 60}
    said = parse(changed({"OWN.service_level": block}), "x.json", "/somewhere").service_level
    assert (said.availability, said.satisfied_s, said.alert_scale) == (99.5, 0.1, 60.0)
    assert problems(changed({"OWN.service_level": {"availability": 100}}))


def test_a_region_with_a_latency_has_a_way_that_faults_can_be_put_on():
    """Requirement L9: its latency and jitter are read, and its way is a part of the stack."""
    regions = [{"name": "eu", "latency": "20ms", "jitter": "5ms"}, {"name": "us", "latency": "0ms"}, {"name": "asia"}]
    content = changed({"OWN.load.regions": regions, "method[0].provider.arguments.part": "service-eu"})
    experiment = parse(content, "x.json", "/somewhere")
    assert experiment.load.regions[0] == Region(name="eu", latency_s=0.02, jitter_s=0.005)
    assert ways(experiment.load) == ("service-eu", "service-us")
    assert experiment.faults[0].on == "service-eu"
    near = {"OWN.load.regions": [{"name": "eu"}], "method[0].provider.arguments.part": "service-eu"}
    assert ["the stack has no part 'service-eu'" in str(problem) for problem in problems(changed(near))] == [True]
