"""The report as one HTML file: no network, no other file, a strict content security policy.

Pictures are drawn by uPlot, which the file carries, from at most a few hundred aggregated points; without scripts the
same figures are there as tables. Every text from outside is escaped twice over: what cannot be seen by
`resilience.text.printable`, what HTML would understand by Jinja's autoescape.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from resilience import __version__
from resilience.columns import Record
from resilience.model import Answer, EventKind, Json, Verdict
from resilience.report import document
from resilience.report.document import Row, number, phase_label, rows, table, words
from resilience.report.gaps import find_gaps
from resilience.report.series import PER_DECADE, Series, find_series
from resilience.report.summary import WRITES, account_lines
from resilience.text import ABSENT, count, instant, milliseconds, percent, printable, rate, seconds

_SYMBOLS = {"pass": "✓", "unknown": "?", "fail": "✗"}

_MOST_EVENTS = 500


def render(record: Record, verdict: Verdict) -> bytes:
    """The report of a run. Judged figures are those of `verdict.document`; only pictures are made from the samples."""
    series = find_series(record)
    judged = verdict.document
    style, script = _style(), _script()
    page = _template().render(
        policy=_policy(style, script),
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file and the library
        data=_embedded(_pictures(record, series, judged)),
        record=record,
        verdict=verdict,
        faults=rows(judged, "faults"),
        objectives=rows(judged, "objectives"),
        recovery=table(judged, "recovery"),
        cycles=rows(table(judged, "recovery"), "cycles"),
        phases=[(phase, _operations(phase)) for phase in rows(judged, "phases")],
        writes=[(name, meaning, table(judged, "writes").get(name)) for name, meaning in WRITES],
        has_writes=bool(table(judged, "writes")),
        accounts=account_lines(judged),
        degradation=_degradation(verdict),
        bins=_bins(series),
        series=series,
        events=record.events[:_MOST_EVENTS],
        events_left=max(0, len(record.events) - _MOST_EVENTS),
        gaps=find_gaps(record, verdict),
        header=next((event.detail for event in record.events if event.kind is EventKind.HEADER), {}),
        version=__version__,
    )
    return page.encode()


def _operations(phase: Row) -> list[tuple[str, Row]]:
    """Operations of a phase with their figures, all of them together first; then its tenants and regions."""
    found = table(phase, "operations")
    made = [(name, table(found, name)) for name in sorted(found, key=lambda name: (name != "all", name))]
    for kind in ("tenant", "region"):
        segments = table(phase, f"{kind}s")
        made += [(f"{kind} {name}", table(segments, name)) for name in sorted(segments)]
    return made


def _degradation(verdict: Verdict) -> list[Row]:
    """Evidence that compares an operation before, during and after a fault."""
    found = [one for part in verdict.parts for one in part.evidence if _compares(one)]
    return [one for one in found if isinstance(one, Mapping)]


def _compares(evidence: Json) -> bool:
    return isinstance(evidence, Mapping) and {"fault", "operation", "during"} <= evidence.keys()


def _bins(series: Series) -> list[tuple[Any, ...]]:
    """The pictures as rows: start; offered, ok, degraded, failed, unknown and dropped per second; the quantiles."""
    counts = (series.offered, series.ok, series.degraded, series.failed, series.unknown, series.dropped)
    per_second = [(values / series.lengths_s).tolist() for values in counts]
    starts = [index * series.bin_s for index in range(len(series))]
    return list(zip(starts, *per_second, series.p50_ms, series.p95_ms, series.p99_ms, strict=True))


def _pictures(record: Record, series: Series, judged: Row) -> dict[str, Json]:
    """What the script draws."""
    bins = _bins(series)
    columns: list[Json] = [[_short(row[column]) for row in bins] for column in range(1, 10)]
    ends = [number(phase, "end_s") or 0.0 for phase in rows(judged, "phases")]
    length_s = max([float(series.lengths_s.sum()), *ends])
    numbers = {fault.name: index for index, fault in enumerate(record.experiment.faults, start=1)}
    names = ("offered", "ok", "degraded", "failed", "unknown", "dropped", "p50", "p95", "p99")
    return {
        "bin_s": series.bin_s,
        "length_s": length_s,
        **dict(zip(names, columns, strict=True)),
        "per_decade": PER_DECADE,
        "heat": [value for cell in series.heat for value in cell],
        "phases": [_band(phase, numbers) for phase in rows(judged, "phases")],
        "marks": [mark for cycle in rows(table(judged, "recovery"), "cycles") for mark in _marks(cycle)],
    }


def _band(phase: Row, numbers: Mapping[str, int]) -> dict[str, Json]:
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


def _marks(cycle: Row) -> list[Json]:
    letters = (("degraded_s", "D"), ("detected_s", "T"), ("recovered_s", "R"))
    return [{"at": number(cycle, key), "letter": letter} for key, letter in letters if number(cycle, key) is not None]


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


# ------------------------------------------------------------------------------------------------------- the template


def _figure(show: Callable[[float | None], str]) -> Callable[[Any], str]:
    """A filter that shows a figure for reading and carries it unrounded: `<data value="12.3456" …>12.3 ms</data>`."""

    def filtered(value: Any) -> str:  # noqa: ANN401 - whatever the document holds
        known = number({"value": value}, "value") if not isinstance(value, jinja2.Undefined) else None
        if known is None:
            return Markup('<span class="none">{}</span>').format(ABSENT)
        return Markup('<data value="{0}" title="{0}">{1}</data>').format(repr(known), show(known))

    return filtered


def _shown(value: Any) -> Any:  # noqa: ANN401 - whatever a template prints
    """Escape what cannot be seen in every text that a template prints; what is markup already is ours."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value)
    return value


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, finalize=_shown, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "ms": _figure(milliseconds),
        "s": _figure(seconds),
        "at": _figure(instant),
        "pct": _figure(percent),
        "n": _figure(count),
        "rate": _figure(rate),
        "milliseconds": milliseconds,
        "seconds": seconds,
        "per_second": rate,
        "label": phase_label,
        "degraded": document.degraded_share,
        "value": document.objective_value,
        "about": document.about,
        "text": document.as_text,
        "word": words,
        "items": document.items,
        "symbol": lambda answer: _SYMBOLS.get(answer, "?"),
        "known": lambda answer: answer if answer in {one.value for one in Answer} else "unknown",
    }
    environment.tests["compares"] = _compares
    return environment.from_string(_asset("report.html.j2"))


def _asset(name: str) -> str:
    return (files("resilience.report") / "assets" / name).read_text(encoding="utf-8")


@cache
def _style() -> str:
    return _asset("uPlot.min.css") + "\n" + _asset("report.css")


@cache
def _script() -> str:
    return f"/*! {_asset('uPlot.LICENSE.txt').strip()} */\n{_asset('uPlot.iife.min.js')}\n{_asset('report.js')}"


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
