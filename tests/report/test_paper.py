"""PDF: whole pages with the judged figures, nothing fetched, hostile texts as texts."""

import builtins
import re
import shutil
import subprocess

import pytest

from resilience.errors import EnvironmentNotReady
from resilience.model import Answer, Part
from resilience.report import paper
from resilience.report.axis import Axis, Band, Mark
from resilience.report.charts import Chart, Line
from resilience.report.material import Material

try:
    from resilience.report.layout import to_pdf
    from resilience.report.pictures import draw
except (ImportError, OSError):
    pytest.skip("needs WeasyPrint, its libraries (Debian: libpango-1.0-0 …) and Matplotlib", allow_module_level=True)


def text_of(content, path):
    """What a reader of the pages sees."""
    path.write_bytes(content)
    return subprocess.run(
        [shutil.which("pdftotext"), "-layout", path, "-"], capture_output=True, check=True, timeout=60
    ).stdout.decode()


def few(make, **more):
    """A verdict of few rows: layout takes its time for each."""
    document = make.document("fail", "2 of 1,690 acknowledged writes are lost")
    document["writes"]["lost"] = 2
    for key in ("phases", "objectives", "faults"):
        document[key] = document[key][:1]
    return make.verdict(document=document, parts=(Part("writes", Answer.FAIL, "2 lost", ("order 7",)),), **more)


@pytest.mark.slow
def test_pages_with_the_judged_figures(make, tmp_path):
    """Requirement R1: title, verdict, figures and gaps are on the pages, each of which has its number."""
    content = paper.render([Material(make.record(samples=make.samples(length_s=5.0)), few(make))])
    assert content.startswith(b"%PDF-")
    if shutil.which("pdftotext") is None:
        pytest.skip("needs pdftotext (Debian: poppler-utils)")
    text = text_of(content, tmp_path / "x.pdf")
    for said in ("2 of 1,690 acknowledged writes are lost", "Redis fails", "6.66 s", "What is not covered"):
        assert said in text
    assert re.search(r"1 ?/ ?\d", text)


@pytest.mark.slow
def test_hostile_texts_and_several_runs(make):
    """Texts cannot make the layout ask for anything, nor end it; several runs are one document."""
    record, verdict = make.hostile()
    document = {**verdict.document, "phases": [], "faults": verdict.document["faults"][:1]}
    hostile = Material(record, make.verdict(Answer.FAIL, document=document, parts=verdict.parts))
    content = paper.render([hostile, hostile])
    assert content.startswith(b"%PDF-")


@pytest.mark.parametrize("address", ["file:///etc/passwd", "http://127.0.0.1:9/x.png", "chart:9-9"])
def test_nothing_is_fetched(address):
    """An image from anywhere else ends the rendering."""
    with pytest.raises(BaseException, match="fetching"):
        to_pdf(f'<img src="{address}">', {})


def test_same_chart_same_picture():
    """Gaps, limits, holes, marks and a heat map are drawn; names with dollar signs are no formulas."""
    axis = Axis(10.0, (Band("F1 $a$", "F1", fault=True, start=2.0, end=None),), (Mark(3.0, "D"), Mark(3.1, "T")))
    line = Line("$x_1$", [1.0, None, 3.0], "dotted", "p95")
    heat = Chart("l", "L", "ms", [0.5, 1.5, 2.5], (line,), heat=((0, 3, 5), (2, 7, 1)))
    small = Chart("m", "M", "bytes", [0.5, 1.5, 2.5], (line,), limit=4.0, gaps=((4.0, 6.0),), small=True)
    for chart in (heat, small):
        assert draw(chart, axis) == draw(chart, axis)
        assert draw(chart, axis).startswith(b"\x89PNG")


def test_without_its_libraries_it_says_what_to_install(record, verdict, monkeypatch):
    """Before anything is laid out, with what to do."""
    whole = builtins.__import__

    def without(name, *rest):
        if name == "resilience.report.layout":
            raise ModuleNotFoundError("No module named 'weasyprint'", name="weasyprint")
        return whole(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(EnvironmentNotReady, match=r"resilience\[pdf\]"):
        paper.render([Material(record, verdict)])
