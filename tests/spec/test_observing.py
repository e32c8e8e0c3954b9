"""What a file says of resources: read, and checked against the rest of it."""

from pathlib import Path

import pytest
import yaml

from resilience.errors import SpecError
from resilience.model import Observing, PhaseName
from resilience.spec.parse import parse

FILE = Path(__file__).parents[2] / "experiments" / "redis-failure.yaml"


def read(observe):
    """The shipped experiment with this block."""
    data = yaml.safe_load(FILE.read_text())
    data["extensions"][0]["observe"] = observe
    return parse(yaml.safe_dump(data).encode(), "a.yaml", str(FILE.parent))


def problems(observe):
    with pytest.raises(SpecError) as told:
        read(observe)
    return [str(problem) for problem in told.value.problems]


def test_without_the_block_everything_is_as_usual():
    """Once a second, what the stack's own parts say; an old file means what it meant."""
    experiment = parse(FILE.read_bytes(), "a.yaml", str(FILE.parent))
    assert experiment.observing == Observing()
    assert experiment.observing.collected("embedded") == ("system", "postgres", "redis", "toxiproxy")
    assert experiment.observing.collected("external") == ()


def test_a_whole_block_is_read():
    """Every key."""
    found = read(
        {
            "period": "500ms",
            "collect": ["system", "redis"],
            "streams": ["jobs"],
            "metrics": [
                {
                    "part": "service",
                    "path": "/m",
                    "token": "TOKEN",
                    "take": [
                        {"name": "pool.used", "metric": 'shop_dependency_busy{dependency="postgres"}', "limit": 10},
                        {"name": "uses", "metric": "shop_cache_total"},
                    ],
                },
                {"url": "http://127.0.0.1:1", "take": [{"name": "x", "metric": "x", "limit_metric": "y"}]},
            ],
            "prometheus": [{"url": "http://127.0.0.1:9090", "queries": [{"name": "q", "query": "up", "limit": 3}]}],
            "kubernetes": [{"namespace": "shop", "selector": "app=cart", "context": "here"}],
            "profile": [{"part": "service", "phase": "fault", "fault": "redis-down", "duration": "5s", "rate": 50}],
            "limits": [
                {"resource": "pool.used", "of": "service", "expression": "max<80% @ after"},
                {"resource": "redis.hit_ratio", "expression": "avg>90% @ baseline"},
            ],
        }
    ).observing
    assert (found.period_s, found.collect, found.streams) == (0.5, ("system", "redis"), ("jobs",))
    assert [one.name for one in found.metrics[0].take] == ["pool.used", "uses"]
    assert found.prometheus[0].queries[0].limit == 3.0
    assert (found.profile[0].phase, found.profile[0].fault, found.profile[0].duration_s) == (
        PhaseName.FAULT,
        "redis-down",
        5.0,
    )
    assert [one.phase for one in found.limits] == [PhaseName.AFTER, PhaseName.BASELINE]


def test_every_problem_is_told_at_once():
    """With where it is and what to write."""
    told = "\n".join(
        problems(
            {
                "period": "20s",
                "metrics": [
                    {"part": "servise", "take": [{"name": "process.cpu", "metric": "9x"}]},
                    {
                        "part": "service",
                        "url": "http://a",
                        "take": [{"name": "a", "metric": "a", "limit": 1, "limit_metric": "b"}],
                    },
                ],
                "profile": [{"part": "postgress", "phase": "fault", "fault": "nobody"}],
                "limits": [
                    {"resource": "redis.hitratio", "expression": "avg>90% @ baseline"},
                    {"resource": "redis.clients", "of": "redys", "expression": "max<80% @ fault(nobody)"},
                ],
            }
        )
    )
    for text in (
        "20 s is too seldom",
        "the stack has no part 'servise'",
        "there is a series 'process.cpu' already",
        "'9x' is no metric",
        "needs either part or url",
        "there is a limit already",
        "the stack has no part 'postgress'",
        "'nobody' is no fault of this file",
        "'redis.hitratio' is read by nothing",
        "redis.hit_ratio",
        "the stack has no part 'redys'",
    ):
        assert text in told, told


@pytest.mark.parametrize(
    ("block", "why"),
    [
        ({"collect": ["postgrse"]}, "postgrse"),
        ({"metrics": [{"part": "service", "take": []}]}, "take"),
        ({"metrics": [{"part": "service", "take": [{"name": "A b", "metric": "a"}], "token": "a b"}]}, "name"),
        ({"prometheus": [{"url": "ftp://x", "queries": [{"name": "q", "query": "up"}]}]}, "url"),
        ({"limits": [{"resource": "redis.clients"}]}, "expression"),
        ({"limits": [{"resource": "redis.clients", "expression": "use<80%"}]}, "nothing that is told"),
        ({"limits": [{"resource": "redis.clients", "expression": "max<80% @ fault(redis-gone)"}]}, "redis-gone"),
        ({"perriod": "1s"}, "perriod"),
    ],
)
def test_what_is_wrong_is_told(block, why):
    """In the schema's words or ours."""
    assert any(why in problem for problem in problems(block)), problems(block)


def test_limits_alone_are_objectives():
    """A probe that asks whether objectives were met has something to ask for."""
    data = yaml.safe_load(FILE.read_text())
    own = data["extensions"][0]
    del own["objectives"]
    own["observe"] = {"limits": [{"resource": "redis.clients", "expression": "max<80% @ after"}]}
    assert parse(yaml.safe_dump(data).encode(), "a.yaml", str(FILE.parent)).observing.limits
