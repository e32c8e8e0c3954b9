"""Markdown for a pull request: short, and foreign texts are only texts."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from resilience.model import Answer, Part
from resilience.report.markdown import MOST, escape, render
from resilience.report.material import Material
from resilience.text import printable

OURS = {
    "h2", "h3", "p", "ul", "li", "strong", "em", "table", "thead", "tbody", "tr", "th", "td", "details", "summary",
    "sub",
}  # fmt: skip
READER = MarkdownIt("commonmark", {"html": True}).enable("table")


def shown(markdown):
    """What a reader of the rendered text sees, without what keeps GitHub from making links of it."""
    return html.unescape(re.sub(r"<[^>]*>", "", READER.render(markdown))).replace("\u200b", "")


def test_what_decides_stands_first(make):
    """Requirement R1: verdict and sentence, faults, recovery, writes, objectives that failed; details are folded."""
    document = make.document("fail", "2 of 1,690 acknowledged writes are lost")
    document["writes"]["lost"] = 2
    document["objectives"][3]["answer"] = "fail"
    parts = (Part("writes", Answer.FAIL, "2 lost"), Part("recovery", Answer.PASS, "quick"))
    text = render(Material(make.record(), make.verdict(Answer.FAIL, document=document, parts=parts))).decode()
    seen, folded = text.split("<details>", 1)
    assert seen.startswith("## ❌ FAIL: Redis fails")
    for said in (
        "2 of 1,690 acknowledged writes are lost",
        "**2 lost**",
        "6.66 s (from 1.58 s to 8.25 s), limit 5 min",
        "| redis-hung |",
        f"{len(document['objectives']) - 1} of {len(document['objectives'])} met",
    ):
        assert said in seen
    assert "none lost" not in text
    assert "What is not covered" in folded
    assert len(seen.splitlines()) < 40


def test_unknown_is_told_as_unknown(make):
    """Answers, writes and figures that are not known are said to be so, never zero and never good."""
    document = make.document("unknown")
    document["writes"]["lost"] = None
    document["recovery"]["mttr_s"] = None
    document["objectives"][0]["answer"] = "unknown"
    document["faults"][0]["confirmed_s"] = None
    text = render(Material(make.record(), make.verdict(Answer.UNKNOWN, document=document))).decode()
    assert text.startswith("## ❔ UNKNOWN")
    assert "none lost" not in text
    assert "not known: lost" in text
    assert "full service: not known" in text
    assert "**never**" in text


TEXTS = st.text(alphabet=st.characters(codec="utf-8"), max_size=60)


@given(TEXTS | st.sampled_from(["1. x", " - x", "#1", "$a$ $b$", "www.x.y", "```", "=", "[a]: b", "\\"]))
def test_any_text_is_only_a_text(text):
    """Whatever it holds, a text is seen as it is, in a list and in a table, and makes no markup."""
    want = printable(text).strip()
    for frame, tags in (("- {}", {"ul", "li"}), ("| a |\n| --- |\n| {} |", OURS)):
        made = frame.format(escape(text))
        found = READER.render(made)
        assert set(re.findall(r"</?(\w+)", found)) <= tags
        assert want in shown(made) or not want


@pytest.mark.parametrize("text", ["@somebody", "see #12", "https://x.y/z", "www.x.y", "mailto:a@b.c"])
def test_nobody_is_called_and_nothing_is_linked(text):
    """GitHub's own readings of a plain text: mention, issue, bare link."""
    made = escape(text)
    assert not re.search(r"@\w|#\d|https?:|www\.|mailto:", made.replace("&#", "&_"))
    assert shown(made).strip() == text


def test_hostile_names_of_a_run(make):
    """The whole report has no markup but its own."""
    text = render(Material(*make.hostile())).decode()
    found = set(re.findall(r"</?([A-Za-z!]\w*)", READER.render(text)))
    assert found <= OURS
    assert "\x1b" not in text
    assert "\x00" not in text


def test_long_reports_end_in_time(make):
    """What GitHub takes as a comment is never exceeded, and nothing is left open."""
    parts = tuple(Part(f"part {n}", Answer.FAIL, "because " * 100, ("x" * 390,) * 40) for n in range(60))
    text = render(Material(make.record(), make.verdict(Answer.FAIL, parts=parts))).decode()
    assert MOST - 2_000 < len(text) < MOST + 500
    assert text.count("<details>") == text.count("</details>")
    assert "The rest is in the report itself" in text


def test_several_runs_begin_with_a_table(make):
    """The worst answer first, a row for each run, then each run."""
    good, bad = Material(make.record(), make.verdict()), Material(*make.hostile())
    text = render(good, bad).decode()
    assert text.startswith("## ❌ FAIL: 2 runs")
    assert text.count("\n### ") == 2
