"""The report as one HTML file: no network, no other file, a strict content security policy.

Pictures are drawn by uPlot, which the file carries, from at most a few hundred aggregated points; without scripts the
same figures are there as tables. What stands in it is what `sections.SECTIONS` make.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

from markupsafe import Markup

from resilience import __version__
from resilience.columns import Record
from resilience.model import Answer, EventKind, Json, Verdict
from resilience.report.axis import find_axis
from resilience.report.charts import as_json
from resilience.report.markup import asset, fill
from resilience.report.material import Material, Section
from resilience.report.sections import SECTIONS
from resilience.report.series import PER_DECADE
from resilience.report.tiles import find_tiles


def render(record: Record, verdict: Verdict) -> bytes:
    """The report of a run. Judged figures are those of `verdict.document`; only pictures are made from the samples."""
    return page((Material(record, verdict),))


def page(runs: Sequence[Material]) -> bytes:
    """The same of one run that may have a comparison, or of several: then a table of their verdicts comes first."""
    style, script = _style(), _script()
    alone = len(runs) == 1
    answers = [of.verdict.answer for of in runs]
    made = [_run(of, "" if alone else f"run-{number}-", 1 if alone else 2) for number, of in enumerate(runs, start=1)]
    filled = fill(
        "report.html.j2",
        policy=_policy(style, script),
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file and the library
        data=_embedded({"runs": [one["pictures"] for one in made]}),
        runs=made,
        answer=Answer.worst(answers).value,
        numbers={answer.value: answers.count(answer) for answer in Answer},
        version=__version__,
    )
    return filled.encode()


def _run(of: Material, prefix: str, level: int) -> dict[str, Any]:
    """One run of a page: all ids begin with the prefix, its heading has the level."""
    sections = find_sections(of)
    body = fill(
        "run.html.j2",
        record=of.record,
        verdict=of.verdict,
        sections=sections,
        tiles=find_tiles(of),
        header=next((event.detail for event in of.record.events if event.kind is EventKind.HEADER), {}),
        prefix=prefix,
        level=level,
    )
    return {"of": of, "prefix": prefix, "body": body, "pictures": _pictures(of, sections)}


def find_sections(of: Material) -> tuple[Section, ...]:
    """The sections that have something to say, in their order."""
    made = [section(of) for section in SECTIONS]
    return tuple(section for section in made if section is not None)


def _pictures(of: Material, sections: Sequence[Section]) -> dict[str, Json]:
    """What the script draws."""
    axis = find_axis(of)
    return {
        "bin_s": of.series.bin_s,
        "length_s": axis.length_s,
        "per_decade": PER_DECADE,
        "charts": [as_json(chart) for section in sections for chart in section.charts],
        "phases": [asdict(band) for band in axis.bands],
        "marks": [asdict(mark) for mark in axis.marks],
    }


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
