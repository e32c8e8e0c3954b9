"""What a file may promise of rate limits, balancing and scaling: Requirements J6 and J7."""

import pytest

from resilience.model import Experiment, PhaseName
from resilience.model.serving import Balance, RateLimit, Scaling
from resilience.spec.parse import parse
from tests.spec.changing import changed, problems


def read(content: bytes) -> Experiment:
    """The experiment of a file that is right."""
    return parse(content, "x.json", "/somewhere")


LIMIT = {"name": "all", "most": 50, "phase": "baseline"}
SCALING = {"resource": "kubernetes.replicas.ready", "per_replica": 100}


def test_promises_are_read():
    """Each into its place, with the defaults of the model."""
    found = read(
        changed(
            {
                "OWN.rate_limits": [{**LIMIT, "within": 0.05}],
                "OWN.balance": {"phases": ["baseline", "recovery"], "copies": 3},
                "OWN.load.served_by": "X-Served-By",
                "OWN.load.tracing": {"share": 0.5, "link": "http://traces/${trace_id}"},
                "OWN.scaling": SCALING,
            }
        )
    )
    assert found.rate_limits == (RateLimit(name="all", most=50.0, within=0.05),)
    assert found.balance == Balance(phases=(PhaseName.BASELINE, PhaseName.RECOVERY), copies=3)
    assert found.scaling == Scaling(resource="kubernetes.replicas.ready", per_replica=100.0)
    assert found.load.served_by == "X-Served-By"
    assert found.load.tracing is not None
    assert (found.load.tracing.share, found.load.tracing.header) == (0.5, "w3c")


def test_a_file_without_promises_has_none():
    """An old file means what it meant."""
    found = read(changed({}))
    assert (found.soak, found.rate_limits, found.balance, found.scaling) == (None, (), None, None)


@pytest.mark.parametrize(
    ("changes", "where", "said"),
    [
        ({"OWN.rate_limits": [LIMIT, LIMIT]}, "rate_limits[1].name", "already"),
        ({"OWN.rate_limits": [{**LIMIT, "per": "tenant"}]}, "rate_limits[0].per", "no tenants"),
        ({"OWN.rate_limits": [{**LIMIT, "most": 0.5}]}, "rate_limits[0].most", "less than one"),
        ({"OWN.rate_limits": [{**LIMIT, "operations": ["no"]}]}, "rate_limits[0].operations[0]", "no operation"),
        (
            {"OWN.load.warm_up": "0s", "OWN.rate_limits": [{**LIMIT, "phase": "warm-up"}]},
            "rate_limits[0].phase",
            "no phase warm-up",
        ),
        ({"OWN.rate_limits": [{**LIMIT, "most": 0}]}, "rate_limits[0].most", "0"),
        ({"OWN.balance": {}, "OWN.load.served_by": "X-By"}, "balance.copies", "one copy alone"),
        ({"OWN.balance": {"copies": 2}}, "balance", "which copy gave an answer"),
        (
            {
                "OWN.balance": {"copies": 2, "phases": ["warm-up"]},
                "OWN.load.served_by": "X-By",
                "OWN.load.warm_up": "0s",
            },
            "balance.phases[0]",
            "no phase warm-up",
        ),
        ({"OWN.scaling": {**SCALING, "least": 5, "most": 2}}, "scaling.least", "exclude each other"),
        ({"OWN.load.served_by": "not a header"}, "load.served_by", ""),
        ({"OWN.load.tracing": {"share": 0}}, "load.tracing.share", ""),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(changes: dict, where: str, said: str):
    """Nothing that could never be judged is accepted."""
    found = problems(changed(changes))
    assert [problem for problem in found if problem.where.endswith(where) and said in str(problem)], found
