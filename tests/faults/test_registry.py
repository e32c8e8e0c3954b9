"""What can be written in an experiment about a fault, and what is said about mistakes."""

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.errors import FaultError
from resilience.faults import registry
from resilience.model import FaultSpec, Undo


def spec(kind: str, **settings) -> FaultSpec:
    return FaultSpec(name="f", kind=kind, on="redis", duration_s=1.0, settings=settings)


@pytest.mark.parametrize(
    ("written", "where", "words"),
    [
        (spec("toxiproxy.donw"), "f.kind", "toxiproxy.down"),
        (spec("toxiproxy.latency", latency=3), "f.settings.latency", "latency_ms"),
        (spec("toxiproxy.latency", latency_ms="3"), "f.settings.latency_ms", "'3' is no whole number"),
        (spec("toxiproxy.latency", latency_ms=True), "f.settings.latency_ms", "True is no whole number"),
        (spec("toxiproxy.latency", latency_ms=-1), "f.settings.latency_ms", "out of range"),
        (spec("toxiproxy.latency", latency_ms=5, jitter_ms=6), "f.settings.jitter_ms", "more than latency_ms 5"),
        (spec("toxiproxy.timeout", stream="sideways"), "f.settings.stream", "one of downstream, upstream, both"),
        (spec("process.pause", hard=1), "f.settings.hard", "no settings"),
    ],
)
def test_mistakes_are_named(written: FaultSpec, where: str, words: str):
    """A mistake is found before anything is touched, at its place, with what would be right (Requirement E2)."""
    (problem,) = registry.check(written)
    assert problem.where == where
    assert words in str(problem)


def test_all_mistakes_are_listed():
    """Not the first one only."""
    assert len(registry.check(spec("toxiproxy.latency", a=1, b=2, latency_ms=-1))) == 3


@pytest.mark.parametrize("kind", sorted(registry.KINDS))
def test_defaults_are_valid(kind: str):
    """Every kind works as it is, and says in one sentence how it is taken back (Requirement E4)."""
    assert registry.check(spec(kind)) == ()
    defaults = registry.find(kind).complete({})
    assert registry.check(spec(kind, **defaults)) == ()
    assert "redis" in registry.undo_sentence(spec(kind))
    jsonschema.Draft202012Validator.check_schema(registry.find(kind).schema())


@given(
    st.sampled_from(sorted(registry.KINDS)),
    st.dictionaries(
        st.sampled_from(["latency_ms", "jitter_ms", "timeout_ms", "stream", "other"]),
        st.one_of(st.integers(-10, 700_000), st.booleans(), st.none(), st.sampled_from(["both", "up", ""])),
    ),
)
def test_check_agrees_with_the_schema(kind: str, settings: dict):
    """What editors are told (the schema) and what we check are the same, but for jitter above latency."""
    by_schema = jsonschema.Draft202012Validator(registry.find(kind).schema()).is_valid(settings)
    problems = [
        problem for problem in registry.check(spec(kind, **settings)) if "more than latency" not in str(problem)
    ]
    assert by_schema == (not problems)


def test_undo_of_an_unknown_kind():
    """A debt of a kind that nobody knows is an error that names it, not a silent success."""
    with pytest.raises(FaultError, match=r"acme\.gone"):
        registry.from_undo(Undo(kind="acme.gone", data={}))
