"""Resources over the run: a small chart for each metric that changed, limits as lines, gaps hatched; all as a table."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from resilience.model.catalogue import METRICS, SHARES, Unit
from resilience.model.resources import Resources, Series
from resilience.report import charts
from resilience.report.charts import Chart, Dash, Line, figure
from resilience.report.document import Row, items, number, rows, table, words
from resilience.report.flames import flame_graph, top
from resilience.report.markup import fill
from resilience.report.material import Material, Section

MOST_CHARTS = 36
MOST_LINES = 6
MOST_STATEMENTS = 10
_EDGE_S = 0.001
_LATE = 3.0
"""Readings that are so many ordinary periods apart have a gap between them."""
POINTS = 200
"""Points of a line in a small chart."""

_UNITS: Mapping[Unit, charts.Unit] = {
    Unit.CORES: "cores",
    Unit.BYTES: "bytes",
    Unit.BYTES_PER_S: "bytes_per_s",
    Unit.RATIO: "ratio",
    Unit.COUNT: "count",
    Unit.PER_S: "per_s",
    Unit.SECONDS: "s",
}
_STYLES: tuple[tuple[Dash, str], ...] = (
    ("solid", "p50"),
    ("dashed", "p95"),
    ("dotted", "p99"),
    ("solid", "degraded"),
    ("dashed", "failed"),
    ("dotted", "offered"),
)
_FIRST = (
    "process.cpu",
    "host.cpu",
    "process.memory",
    "cgroup.throttled",
    "postgres.connections",
    "postgres.waits.lock",
    "postgres.waits.io",
    "postgres.cache.hit_ratio",
    "postgres.index.use",
    "redis.hit_ratio",
    "redis.memory.used",
    "redis.clients",
    "redis.operations",
)
"""What is asked for first after a run; then what the file names; then the rest of the catalogue."""


def section(of: Material) -> Section | None:
    """Charts and a table of what was read; None where nothing was."""
    told = table(of.document, "resources")
    if not told:
        return None
    resources = of.record.resources
    length_s = of.series.bin_s * len(of.series)
    shown = list(_charts(resources, length_s))
    body = fill(
        "sections/resources.html.j2",
        figures=[figure(chart) for chart in shown],
        left_out=max(0, len(_names(resources)) - len(shown)),
        stores=list(_stores(resources)),
        series=[_row(row) for row in rows(told, "series")],
        gaps=rows(told, "gaps"),
        problems=items(told, "problems"),
        profiles=[
            {"of": one.of, "phase": one.phase, "samples": one.samples, "picture": flame_graph(one), "top": top(one)}
            for one in resources.profiles
            if one.samples
        ],
    )
    return Section("resources", "Resources", body, tuple(shown), tuple(_brief(told)))


def _names(resources: Resources) -> list[str]:
    """The metrics that changed at all, in the order in which they are shown."""
    order = {name: place for place, name in reversed([*enumerate((*_FIRST, *METRICS, *SHARES))])}
    declared = len(_FIRST) - 0.5
    changed = {one.name for one in resources.series if len(one) and one.value.min() < one.value.max()}
    return sorted(changed, key=lambda name: (order.get(name, declared), name))


def _charts(resources: Resources, length_s: float) -> Iterator[Chart]:
    for name in _names(resources)[:MOST_CHARTS]:
        some = [one for one in resources.named(name) if len(one)]
        some.sort(key=lambda one: -float(one.value.max()))
        yield _chart(name, some[:MOST_LINES], resources, length_s, more=len(some) - MOST_LINES)


def _chart(name: str, some: Sequence[Series], resources: Resources, length_s: float, *, more: int) -> Chart:
    """One metric, a line for each thing that it is of."""
    fewest = min(max(len(one) for one in some), POINTS)
    at_s: list[float] = []
    lines = []
    for one, (dash, tone) in zip(some, _STYLES, strict=False):
        at_s, values = _binned(one, length_s, fewest)
        lines.append(Line(one.of, values, dash, tone))
    limits = {one.limit for one in some}
    limit = limits.pop() if len(limits) == 1 else None
    most = max(float(one.value.max()) for one in some)
    near = limit is not None and limit > 0 and most >= limit / 10  # else the line would flatten what there is to see
    notes = [f"at most {charts.shown(limit, _UNITS[some[0].unit])}"] if limit is not None else []
    notes += [f"{more} more are in the table"] if more > 0 else []
    collectors = {one.collector for one in some}
    things = {part for one in some for part in (one.of, one.of.partition("/")[0])}
    gaps = [
        (gap.start_s, gap.end_s)
        for gap in resources.gaps
        if gap.collector in collectors and (gap.collector == "system" or gap.of in things)
        # Of some readings only another metric was missing.
        if not any(len(one.between(gap.start_s + _EDGE_S, gap.end_s - _EDGE_S)) for one in some)
    ]
    return Chart(
        "resource-" + "".join(char if char.isalnum() else "-" for char in name),
        name,
        _UNITS[some[0].unit],
        at_s,
        tuple(lines),
        limit=limit if near else None,
        gaps=tuple(gaps),
        note="; ".join(notes),
        small=True,
    )


def _binned(one: Series, length_s: float, most: int) -> tuple[list[float], list[float | None]]:
    """The series in as many bins as its fellows have, so that all lines share their instants.

    A bin that two readings skipped although they follow each other has what lies between them; a gap stays one.
    """
    length_s = max(length_s, float(one.at_s[-1]))
    inside = one.between(0.0, length_s + 1.0)
    width_s = length_s / most
    middles = (np.arange(most) + 0.5) * width_s
    if not len(inside):
        return middles.tolist(), [None] * most
    where = np.minimum((inside.at_s / width_s).astype(np.int64), most - 1)
    number = np.bincount(where, minlength=most)
    mean = np.bincount(where, weights=inside.value, minlength=most) / np.maximum(number, 1)
    between = np.interp(middles, inside.at_s, inside.value)
    after = np.searchsorted(inside.at_s, middles)
    far_s = _LATE * float(np.median(np.diff(inside.at_s))) if len(inside) > 1 else 0.0
    found: list[float | None] = []
    for bin_, (count, next_) in enumerate(zip(number.tolist(), after.tolist(), strict=True)):
        near = 0 < next_ < len(inside) and inside.at_s[next_] - inside.at_s[next_ - 1] <= far_s
        found.append(float(mean[bin_]) if count else float(between[bin_]) if near else None)
    return middles.tolist(), found


def _stores(resources: Resources) -> Iterator[dict[str, object]]:
    """What took the most time in each PostgreSQL, and which of its tables grew, over the whole run."""
    for of, kept in sorted(resources.kept.items()):
        statements = rows(kept, "statements")
        whole_ms = sum(number(row, "total_ms") or 0.0 for row in statements)
        grown = [row for row in rows(kept, "tables") if (number(row, "table_bytes") or 0.0) > 0]
        yield {
            "of": of,
            "statements": [
                {
                    "query": " ".join(words(row, "query").split()),
                    "calls": number(row, "calls"),
                    "mean_ms": number(row, "mean_ms"),
                    "share": (number(row, "total_ms") or 0.0) / whole_ms if whole_ms > 0 else None,
                }
                for row in statements[:MOST_STATEMENTS]
            ],
            "lacking": words(kept, "no_statements"),
            "tables": [
                {
                    "name": words(row, "name"),
                    "grew": charts.shown(number(row, "table_bytes"), "bytes"),
                    "now": charts.shown(number(row, "table_bytes_now"), "bytes"),
                    "sequential": number(row, "sequential_scans"),
                    "index": number(row, "index_scans"),
                }
                for row in grown[:MOST_STATEMENTS]
            ],
        }


def _row(row: Row) -> dict[str, object]:
    """A series in the table: over the whole run from its phases, in its unit."""
    unit = _UNITS.get(Unit(words(row, "unit")), "count")
    phases = rows(row, "phases")
    means = [charts.shown(number(phase, "mean"), unit) for phase in phases]
    shares = [value for phase in phases if (value := number(phase, "share")) is not None]
    most = [value for phase in phases if (value := number(phase, "max")) is not None]
    limit = number(row, "limit")
    return {
        "name": words(row, "name"),
        "of": words(row, "of"),
        "phases": [words(phase, "phase") for phase in phases],
        "means": means,
        "most": charts.shown(max(most), unit) if most else "",
        "limit": charts.shown(limit, unit) if limit is not None else "",
        "share": max(shares) if shares else None,
    }


def _brief(told: Row) -> Iterator[str]:
    """What came nearest to its limit, and what was not read."""
    near: list[tuple[float, str]] = []
    for row in rows(told, "series"):
        shares = [value for phase in rows(row, "phases") if (value := number(phase, "share")) is not None]
        if shares and words(row, "unit") != Unit.RATIO.value:
            near.append((max(shares), f"{words(row, 'name')} of {words(row, 'of')}"))
    if near:
        share, what = max(near)
        yield f"Nearest to its limit: {what}, {share * 100:.0f} % at most."
    if gaps := rows(told, "gaps"):
        yield f"{len(gaps)} gaps in what was read."
