"""Comparisons, the control group and histories as people see them: terminal, Markdown, page."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from resilience.judge.regression.compare import compare
from resilience.judge.regression.history import History, Trend
from resilience.judge.regression.part import document
from resilience.judge.verdict import judge
from resilience.model import Regression
from resilience.report.compared import markdown
from resilience.report.comparison import compared_rows, print_comparison, regression_of
from resilience.report.material import Material
from resilience.report.sections import comparison, control
from resilience.report.summary import print_summary
from resilience.report.trends import bars, print_history
from tests.judge.builder import honest
from tests.judge.regression.drawn import before, measured
from tests.judge.test_control import FAULT, record

WAS = measured("aaaa", p50_ms=(10.0, 0.005), p95_ms=(20.0, 0.2), counts={"writes.lost": 0.0, "budget.x": 0.01})
NOW = measured("bbbb", p50_ms=(15.0, 0.005), p95_ms=(21.0, 0.2), counts={"writes.lost": 1.0, "budget.x": 0.02})


@pytest.fixture
def made():
    """A comparison's document, with hostile texts in it."""
    hostile = replace(NOW, conditions={"versions.<b>|evil": "1\x1b[31m"})
    return document(compare(before(WAS), [hostile], Regression()))


def shown(print_it, *arguments, **options):
    """What is printed."""
    console = Console(width=150, file=io.StringIO(), no_color=True)
    print_it(*arguments, console, **options)
    return console.file.getvalue()


def test_in_the_terminal(made):
    """The answer first, then of what, what differs, the rows that matter, and what is counted over whole runs."""
    text = shown(print_comparison, made)
    assert text.lstrip().startswith("WORSE")
    for word in (
        "before: aaaa; after: bbbb",
        "+50 %",
        "10 ms",
        "15 ms",
        "writes.lost 0 → 1",
        "hold together with 99 %",
    ):
        assert word in text
    assert text.index("worse            baseline") < text.index("not enough data  baseline")
    assert "\x1b[31m" not in text


def test_many_rows_are_cut_unless_all_are_asked_for(made):
    """What is left out is counted."""
    many = made | {"rows": made["rows"] * 20}
    assert "more: --all" in shown(print_comparison, many)
    assert "more: --all" not in shown(print_comparison, many, everything=True)


def test_as_markdown(made):
    """A table that GitHub shows; nothing in it is markup that was not ours."""
    text = markdown(made)
    assert text.startswith("**worse**: ")
    assert "| answer | phase |" in text
    assert "<b>" not in text
    assert "\x1b" not in text


def test_rows_come_back_from_the_document(made):
    """What is shown is what was judged."""
    assert [row.answer.value for row in compared_rows(made)] == [row["answer"] for row in made["rows"]]
    assert compared_rows({"rows": [{"answer": "splendid"}]})[0].answer.value == "not enough data"


def test_the_section_of_a_report(made):
    """There where a run was compared, by its verdict or by what the report is given; escaped."""
    verdict = judge(honest().record())
    assert comparison.section(Material(honest().record(), verdict)) is None
    given = comparison.section(Material(honest().record(), verdict, made))
    own = replace(verdict, document={**verdict.document, "regression": made})
    section = comparison.section(Material(honest().record(), own))
    assert section.body == given.body
    assert regression_of(own.document) == made
    assert "+50 %" in section.body
    assert "&lt;b&gt;" in section.body
    assert "<b>" not in section.body
    assert section.brief[0].startswith("worse: ")


def test_the_section_of_a_control_group():
    """Both groups side by side, and the sentences; nothing where there is none."""
    run = record(("experiment", *FAULT, 0.2))
    section = control.section(Material(run, judge(run)))
    assert "fault(redis-down)" in section.body
    assert "more than the margin" in section.body
    assert control.section(Material(honest().record(), judge(honest().record()))) is None


def test_the_summary_of_a_run_says_both(made):
    """In one line each, whatever the answer."""
    run = record()
    verdict = judge(run)
    told = replace(verdict, document={**verdict.document, "regression": made})
    console = Console(width=400, file=io.StringIO(), no_color=True)
    print_summary(told, "runs/x", console)
    text = console.file.getvalue()
    assert "Compared with before: worse: p50 of read" in text
    assert "Control group: fault(redis-down): 100.00% good answers" in text


def test_a_history():
    """Regressions first, with their bars; how the runs ended above."""
    worse = Trend("baseline read p95_ms", True, (1.0, 1.0, 2.0), (), alert=True, because="worse since run 3")  # noqa: FBT003 - which way is bad
    calm = Trend("after read p95_ms", True, (1.0, 1.0, 1.0), (), alert=False, because="no change is shown")  # noqa: FBT003 - as above
    found = History("shop", 2, (("a", "pass"), ("b", "fail"), ("c", "pass")), ("b",), (calm, worse))
    text = shown(print_history, [found])
    for word in ("3 runs: 2 pass, 1 fail", "1 of them not fit", "2 versions", "REGRESSION", "▁▁█"):
        assert word in text
    assert text.index("worse since run 3") < text.index("no change is shown")
    assert shown(print_history, []).strip() == "no run with a verdict"
    assert bars([3.0, 3.0]) == "▁▁"
