"""What can be written in an experiment about a fault, and what is said about mistakes."""

import inspect
import os
import sys
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.errors import FaultError
from resilience.faults import registry
from resilience.host import commands
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


PLUGIN = """
from resilience.faults import registry
class Brownout:
    kind = "acme.brownout"
from resilience.faults.kinds import Kind
KIND = Kind(name="acme.brownout", build=lambda settings, place: Brownout(), revive=lambda undo: Brownout(),
                     undo="the lights of {on} go on", needs={})
"""

QUESTION = """
from resilience.faults import registry
from resilience.model import FaultSpec, Undo
spec = FaultSpec(name="f", kind="acme.brownout", on="hall", duration_s=1.0)
assert registry.check(spec) == ()
assert type(registry.from_undo(Undo(kind="acme.brownout", data={}))).__name__ == "Brownout"
broken = registry.check(FaultSpec(name="f", kind="acme.broken", on="hall", duration_s=1.0))
print(registry.undo_sentence(spec), "|", broken[0])
"""


def test_kinds_of_other_packages(tmp_path: Path):
    """An installed package adds a kind by an entry point; a broken one is a problem when it is named, and only then."""
    (tmp_path / "acme.py").write_text(PLUGIN)
    about = tmp_path / "acme-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    points = "[resilience.faults]\nacme.brownout = acme:KIND\nacme.broken = acme:MISSING\n"
    (about / "entry_points.txt").write_text(points)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = commands.run([sys.executable, "-c", QUESTION], timeout_s=30, environment=environment)
    assert "the lights of hall go on |" in done.out, done.err
    assert "acme:MISSING cannot be loaded" in done.out


def test_undo_of_an_unknown_kind():
    """A debt of a kind that nobody knows is an error that names it, not a silent success."""
    with pytest.raises(FaultError, match=r"acme\.gone"):
        registry.from_undo(Undo(kind="acme.gone", data={}))


@pytest.mark.parametrize("kind", sorted(registry.KINDS))
def test_a_kind_says_what_whoever_uses_it_must_know(kind: str):
    """Four headings: what it changes (the first line), how it is undone, what it needs, when it fails."""
    text = inspect.getdoc(registry.KINDS[kind].build) or ""
    assert text.split(".")[0], "what it changes"
    undone = "undone: not at all" if registry.KINDS[kind].is_strike else "undone"
    assert [word for word in (undone, "needs", "fails") if word not in text] == []
