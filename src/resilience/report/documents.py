"""The verdict and the run over time as JSON, for other programs."""

import json
from collections.abc import Sequence
from dataclasses import replace

from resilience.columns import Samples
from resilience.errors import SpecError
from resilience.model import Json
from resilience.report.charts import as_json
from resilience.report.gaps import find_gaps
from resilience.report.html import find_sections
from resilience.report.material import Material
from resilience.report.selection import Selection, Timeline
from resilience.report.series import PER_DECADE, Series, find_series
from resilience.text import printable


def render(runs: Sequence[Material], wanted: Selection) -> bytes:
    """`verdict.json` with `series`, `charts` and `gaps` besides; of several runs a list of them under `runs`.

    Args:
        runs: at least one.
        wanted: what the series are made from; nothing that was judged is changed by it.

    Raises:
        SpecError: an operation or phase that no run has.
    """
    lines = [Timeline.of(of.record.events) for of in runs]
    if problems := wanted.problems(lines, [name for of in runs for name in of.record.samples.operations]):
        raise SpecError(problems)
    made = [_document(of, wanted, line) for of, line in zip(runs, lines, strict=True)]
    document: Json = made[0] if len(made) == 1 else {"runs": [*made]}
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode(errors="backslashreplace")


def _document(of: Material, wanted: Selection, line: Timeline) -> dict[str, Json]:
    record = of.record
    series = of.series if wanted.everything else find_series(replace(record, samples=_chosen(of, wanted, line)))
    sections = find_sections(of)
    return {
        **of.document,
        "gaps": list(find_gaps(record, of.verdict)),
        "series": _series(series, wanted),
        "charts": {
            chart.name: {"title": printable(chart.title), **as_json(chart)}
            for section in sections
            for chart in section.charts
            if section.name != "time"
        },
    }


def _chosen(of: Material, wanted: Selection, line: Timeline) -> Samples:
    samples = of.record.samples
    chosen = wanted.of(samples.arrival_ns, line.where(samples.arrival_ns), line)
    if wanted.operations:
        codes = [index for index, name in enumerate(samples.operations) if name in wanted.operations]
        chosen &= (samples.operation[:, None] == codes).any(axis=1)
    return samples.where(chosen)


def _series(series: Series, wanted: Selection) -> dict[str, Json]:
    """Columns of equal length, one value for each bin; and the heat map as (bin, row, count)."""
    counts = ("offered", "ok", "degraded", "failed", "unknown", "dropped")
    starts = [index * series.bin_s for index in range(len(series))]
    first = next((index for index, at_s in enumerate(starts) if at_s + series.bin_s > (wanted.from_s or 0.0)), 0)
    last = len(starts) if wanted.to_s is None else sum(at_s < wanted.to_s for at_s in starts)
    cut = slice(first, max(first, last))
    return {
        "of": {
            "from_s": wanted.from_s,
            "to_s": wanted.to_s,
            "phases": list(wanted.phases),
            "operations": list(wanted.operations),
        },
        "bin_s": series.bin_s,
        "at_s": starts[cut],
        **{name: getattr(series, name)[cut].tolist() for name in counts},
        "p50_ms": list(series.p50_ms[cut]),
        "p95_ms": list(series.p95_ms[cut]),
        "p99_ms": list(series.p99_ms[cut]),
        "heat": {
            "rows_per_decade_ms": PER_DECADE,
            "cells": [[index - first, row, number] for index, row, number in series.heat if first <= index < last],
        },
    }
