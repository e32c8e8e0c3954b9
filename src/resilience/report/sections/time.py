"""The run over time: latency as a heat map, throughput, and what was not ok."""

import numpy as np

from resilience.report.charts import Chart, Line, figure
from resilience.report.markup import fill
from resilience.report.material import Material, Section
from resilience.report.series import Counts, Series


def section(of: Material) -> Section:
    """Three charts."""
    series = of.series
    charts = pictures(series) if len(of.record.samples) else ()
    body = fill("sections/time.html.j2", figures=[figure(chart) for chart in charts], bin_s=series.bin_s)
    return Section("time", "The run over time", body, charts)


def pictures(series: Series) -> tuple[Chart, ...]:
    """Latency, throughput and what was not ok, bin by bin."""
    begins_s = series.bin_s * np.arange(len(series))
    at_s: list[float] = (begins_s + np.minimum(0.5 * series.bin_s, series.lengths_s)).tolist()

    def per_second(counts: Counts) -> list[float | None]:
        found: list[float | None] = (counts / series.lengths_s).tolist()
        return found

    return (
        Chart(
            "latency",
            "Latency",
            "ms",
            at_s,
            (
                Line("p50", series.p50_ms, "solid", "p50"),
                Line("p95", series.p95_ms, "dashed", "p95"),
                Line("p99", series.p99_ms, "dotted", "p99"),
            ),
            note=f"each cell counts operations by response time; lines are quantiles of each {series.bin_s:g} s",
            heat=series.heat,
        ),
        Chart(
            "throughput",
            "Throughput",
            "per_s",
            at_s,
            (
                Line("offered", per_second(series.offered), "dotted", "offered"),
                Line("ok", per_second(series.ok), "solid", "ok"),
                Line("of these degraded", per_second(series.degraded), "dashed", "degraded"),
            ),
            note="operations per second, by intended start",
        ),
        Chart(
            "errors",
            "Not ok",
            "per_s",
            at_s,
            (
                Line("failed", per_second(series.failed), "solid", "failed"),
                Line("unknown", per_second(series.unknown), "dashed", "unsure"),
                Line("dropped", per_second(series.dropped), "dotted", "dropped"),
            ),
            note="operations per second, by intended start",
        ),
    )
