"""The section about searches and capacity runs: judged figures as judged. Requirement M6."""

from dataclasses import replace

from resilience.judge.verdict import judge
from resilience.model import Verdict
from resilience.report.material import Material
from resilience.report.sections import searches
from tests.judge.builder import Scene
from tests.judge.search.samples import record_of

EVIL = "<script>alert(1)</script>"


def of_search(**change) -> Material:
    """A search that found a break-point at 300."""
    record = record_of(lambda level: 40.0 if level <= 300 else 900.0)
    verdict = judge(record)
    document = dict(verdict.document)
    document["search"] = {**document["search"], **change}
    return Material(record, Verdict(verdict.answer, verdict.because, verdict.parts, document))


def test_every_step_stands_there_with_why_it_broke():
    """And the brief says where it breaks and that it came back."""
    of = of_search()
    made = searches.section(of)
    told = of.document["search"]["conditions"][0]
    text = str(made.body)
    assert text.count("<tr><td>") == len(told["steps"])
    assert f"holds at {told['holds']:.4g} /s, breaks at {told['breaks']:.4g} /s" in text
    assert "p(95)&lt;250 was 900" in text
    assert "It came back" in text
    assert any("holds at" in line for line in made.brief)


def test_what_is_not_known_is_said():
    """A document whose condition has no answer."""
    row = {"condition": EVIL, "kind": "undecided", "holds": None, "breaks": None, "came_back": None, "steps": []}
    text = str(searches.section(of_search(conditions=[row])).body)
    assert "not known whether it comes back" in text
    assert EVIL not in text


def test_levels_and_the_law_of_a_capacity_run():
    """A peak beyond what was measured is not told as a number."""
    base = Scene().record()
    verdict = judge(base)
    level = {"users": 4, "rps": 80.0, "mean_ms": 50.0, "p95_ms": 70.0, "in_flight": 4.0, "seen": "holds", "why": ""}
    value = {"value": 0.1, "low": 0.05, "high": 0.2}
    law = {"gamma_per_s": value, "sigma": value, "kappa": value, "fits": True, "peak": None, "measured_to": 30}
    capacity = {"copies": 1, "levels": [level], "best": None, "law": law}
    of = Material(base, replace(verdict, document={**verdict.document, "capacity": capacity}))
    made = searches.section(of)
    assert made.title == "How it scales"
    assert "not within the 30 users that were measured" in str(made.body)
    assert "80" in str(made.body)


def test_an_ordinary_run_has_no_such_section():
    """Nothing was searched."""
    base = Scene().record()
    assert searches.section(Material(base, judge(base))) is None
