"""What is told of bottlenecks and anomalies reads the same everywhere, and hostile names are shown harmlessly."""

import io
from dataclasses import replace

from rich.console import Console

from resilience.judge.verdict import judge
from resilience.model import Verdict
from resilience.model.resources import Unit
from resilience.report.bottlenecks import figure, print_bottlenecks, summary_lines
from resilience.report.material import Material
from resilience.report.sections import bottlenecks
from resilience.report.summary import print_summary
from tests.judge.bottlenecks.made import made, seeing, slow_case, slowed, step

EVIL = "<script>alert(1)</script>\x1b[2J"


def judged(of="service"):
    """A run with a limit that was reached."""
    busy = made("process.cpu", of, step(23, 0.12, 0.29, 0.004), 0.3, Unit.CORES)
    case = seeing(slow_case(), busy)
    return Material(case.record, judge(case.record))


def printed(show, width=100):
    """What something prints, without colour."""
    stream = io.StringIO()
    show(Console(file=stream, width=width, color_system=None))
    return stream.getvalue()


def test_the_section_has_the_place_its_evidence_and_what_helps():
    """Requirement M5, R1: ranked, with numbers; and that observation is no proof."""
    found = bottlenecks.section(judged())
    text = str(found.body)
    assert "processor time of the service" in text
    assert "service used 0.29 of 0.3 cores" in text
    assert "more copies" in text
    assert "only an intervention shows" in text
    assert any("bottleneck:" in line for line in found.brief)


def test_anomalies_say_whether_a_fault_of_the_run_explains_them():
    """Requirement M4: here none does."""
    text = str(bottlenecks.section(judged()).body)
    assert "latency from" in text
    assert "no fault of this run explains it" in text


def test_a_run_of_before_there_was_any_of_it_has_no_section():
    """An old verdict."""
    of = judged()
    document = {key: value for key, value in of.document.items() if key not in {"bottlenecks", "anomalies"}}
    old = Verdict(of.verdict.answer, of.verdict.because, of.verdict.parts, document)
    assert bottlenecks.section(replace(of, verdict=old)) is None
    assert list(summary_lines(document)) == []


def test_the_closing_summary_has_a_line_for_each():
    """And none for a run in which nothing was saturated."""
    of = judged()
    text = printed(lambda console: print_summary(of.verdict, "runs/x", console), width=400)
    assert "bottleneck: from 24" in text
    assert "anomalies that no fault of this run explains: " in text
    well = judge(slowed(spells=()).record)
    assert "bottleneck" not in printed(lambda console: print_summary(well, "runs/x", console))


def test_the_command_prints_windows_places_and_anomalies():
    """In a narrow terminal, too."""
    of = judged()
    text = printed(lambda console: print_bottlenecks(of.document, console), width=60)
    for word in ("the limit:", "lacked full service", "service used", "anomalies", "latency"):
        assert word in text


def test_hostile_names_are_harmless():
    """A part may be called anything."""
    of = judged(of=EVIL)
    assert "<script>" not in str(bottlenecks.section(of).body)
    shown = printed(lambda console: print_bottlenecks(of.document, console))
    assert "\x1b[2J" not in shown


def test_figures_are_told_in_their_units():
    """Requirement R1."""
    assert figure(None, "ms") == "–"
    assert (figure(12.3, "ms"), figure(0.5, "ratio"), figure(3.0, "count")) == ("12.3 ms", "50 %", "3")
    assert (figure(0.25, "cores"), figure(2.0**21, "bytes_per_s"), figure(7.0, "per_s")) == (
        "0.25 cores",
        "2 MiB/s",
        "7/s",
    )
