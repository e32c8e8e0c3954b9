"""The report as one HTML file: no network, no other file, a strict content security policy.

Pictures are drawn by uPlot, which the file carries, from at most a few hundred aggregated points; without scripts the
same figures are there as tables. What stands in it is what `sections.SECTIONS` make.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache

from markupsafe import Markup

from resilience import __version__
from resilience.columns import Record
from resilience.model import EventKind, Json, Verdict
from resilience.report.charts import as_json
from resilience.report.document import number, phase_label, rows, table
from resilience.report.markup import asset, fill
from resilience.report.material import Material, Section
from resilience.report.sections import SECTIONS
from resilience.report.series import PER_DECADE
from resilience.text import printable


def render(record: Record, verdict: Verdict) -> bytes:
    """The report of a run. Judged figures are those of `verdict.document`; only pictures are made from the samples."""
    return page(Material(record, verdict))


def page(of: Material) -> bytes:
    """The same of a run that may have a comparison."""
    sections = find_sections(of)
    style, script = _style(), _script()
    filled = fill(
        "report.html.j2",
        policy=_policy(style, script),
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file and the library
        data=_embedded(_pictures(of, sections)),
        record=of.record,
        verdict=of.verdict,
        sections=sections,
        header=next((event.detail for event in of.record.events if event.kind is EventKind.HEADER), {}),
        version=__version__,
    )
    return filled.encode()


def find_sections(of: Material) -> tuple[Section, ...]:
    """The sections that have something to say, in their order."""
    made = [section(of) for section in SECTIONS]
    return tuple(section for section in made if section is not None)


def _pictures(of: Material, sections: Sequence[Section]) -> dict[str, Json]:
    """What the script draws."""
    phases, series = rows(of.document, "phases"), of.series
    ends = [number(phase, "end_s") or 0.0 for phase in phases]
    numbers = {fault.name: index for index, fault in enumerate(of.record.experiment.faults, start=1)}
    return {
        "bin_s": series.bin_s,
        "length_s": max([float(series.lengths_s.sum()), *ends]),
        "per_decade": PER_DECADE,
        "charts": [as_json(chart) for section in sections for chart in section.charts],
        "phases": [_band(phase, numbers) for phase in phases],
        "marks": [mark for cycle in rows(table(of.document, "recovery"), "cycles") for mark in _marks(cycle)],
    }


def _band(phase: Mapping[str, Json], numbers: Mapping[str, int]) -> dict[str, Json]:
    label = phase_label(phase)
    name, _, rest = label.partition("(")
    fault = rest.removesuffix(")")
    is_fault = name == "fault"
    short = f"F{numbers[fault]}" if is_fault and fault in numbers else ""
    return {
        "label": printable(f"{short} {fault}".strip() if is_fault else name, 60),
        "short": short,
        "fault": is_fault,
        "start": number(phase, "start_s"),
        "end": number(phase, "end_s"),
    }


def _marks(cycle: Mapping[str, Json]) -> list[Json]:
    letters = (("degraded_s", "D"), ("detected_s", "T"), ("recovered_s", "R"))
    return [{"at": number(cycle, key), "letter": letter} for key, letter in letters if number(cycle, key) is not None]


@cache
def _style() -> str:
    return asset("uPlot.min.css") + "\n" + asset("report.css")


@cache
def _script() -> str:
    return f"/*! {asset('uPlot.LICENSE.txt').strip()} */\n{asset('uPlot.iife.min.js')}\n{asset('report.js')}"


def _policy(style: str, script: str) -> str:
    """Nothing from anywhere, and no inline code or style but these two."""
    return (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _embedded(value: Json) -> Markup:
    """JSON that cannot end the element it stands in."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)  # noqa: S704 - what HTML would understand was replaced just now
