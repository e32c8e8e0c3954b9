"""The run over time: latency as a heat map, throughput, and what was not ok."""

import numpy as np

from resilience.report.charts import Chart, Line, figure
from resilience.report.markup import fill
from resilience.report.material import Definition, Material, Section
from resilience.report.series import Counts, Series
from resilience.text import count


def section(of: Material) -> Section:
    """Three charts."""
    series = of.series
    charts = pictures(series) if len(of.record.samples) else ()
    body = fill("sections/time.html.j2", figures=[figure(chart) for chart in charts], bin_s=series.bin_s)
    return Section("time", "The run over time", body, charts, definitions=_definitions(of) if charts else ())


def _definitions(of: Material) -> tuple[Definition, ...]:
    series = of.series
    window = f"each bin of {series.bin_s:g} s, by the instant at which an operation was meant to start"
    offered, dropped = int(series.offered.sum()), int(series.dropped.sum())
    sent, all_of_them = f"{count(offered - dropped)} operations that were sent", f"{count(offered)} operations offered"
    return (
        Definition(
            "Latency",
            "From the instant at which an operation was meant to start to its end, so waiting before it was sent is "
            "part of it, and so are timeouts. A cell counts operations; p95 is the smallest value with at least 95 % "
            "of the values at or below it. Nothing is averaged or interpolated.",
            window,
            sent,
        ),
        Definition(
            "Offered, ok, degraded",
            "Operations per second: what was due; what was answered well; of these, what said that it was degraded.",
            window,
            all_of_them,
        ),
        Definition(
            "Failed, unknown, dropped",
            "Certainly without effect; may or may not have happened, such as a timeout; due, but nothing was free to "
            "send it. With ok they add up to what was offered.",
            window,
            all_of_them,
        ),
    )


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
