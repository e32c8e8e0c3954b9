"""The page of baselines: what later runs are compared with, with intervals from time slices."""

import math
from collections.abc import Iterator

from resilience.judge.statistics import student
from resilience.model import Baseline, Estimate, Measured
from resilience.report.markdown import escape
from resilience.report.performance.inputs import Inputs
from resilience.report.performance.layout import code, grid, missing
from resilience.text import ABSENT, milliseconds, percent, rate

_METRICS = ("ok_per_s", "p50_ms", "p95_ms", "p99_ms", "error_rate")
_HEADS = ("phase", "operation", "ok per s", "p50", "p95", "p99", "not ok")
_SURE = 0.975
_FEWEST = 9
"""Slices that an interval needs."""


def lines(inputs: Inputs) -> Iterator[str]:
    """The page."""
    if not inputs.baselines:
        yield missing("no baseline was given: `resilience baseline RUN… --out FILE` writes one")
        return
    yield "Each figure with its 95 % interval from slices of time: what chance within the run can do. Runs differ"
    yield "from one another besides, and by more; `resilience compare` reckons with both."
    for name, baseline in inputs.baselines.items():
        yield from _section(name, baseline)


def lacking(inputs: Inputs) -> list[str]:
    """Whether there is none."""
    return [] if inputs.baselines else ["baselines: none was given"]


def _section(name: str, baseline: Baseline) -> Iterator[str]:
    yield ""
    yield f"## {escape(baseline.experiment)}"
    yield ""
    compare = code(f"resilience compare {name} runs/latest")
    yield f"In {code(name)}; {compare} compares a run with it."
    for run in baseline.runs:
        yield ""
        at = escape(run.at[:19].replace("T", " "))
        yield f"Run {code(run.run)} of {at} UTC, {escape(run.answer)}{_unfit(run)}:"
        yield ""
        yield from grid(_HEADS, list(_rows(run)))


def _unfit(run: Measured) -> str:
    return f", not fit to be compared ({escape(run.unfit)})" if run.unfit else ""


def _rows(run: Measured) -> Iterator[list[str]]:
    for phase, operations in run.cells.items():
        for operation, told in operations.items():
            yield [escape(phase), escape(operation), *(_estimate(metric, told.get(metric)) for metric in _METRICS)]


def _estimate(metric: str, one: Estimate | None) -> str:
    """`12.3 ms (11.9 ms to 12.7 ms)`; an error of a time or a rate is one of its logarithm."""
    if one is None:
        return ABSENT
    show = milliseconds if metric.endswith("_ms") else rate if metric == "ok_per_s" else percent
    if one.slices < _FEWEST or not math.isfinite(one.error):
        return f"{show(one.value)} (too short for an interval)"
    half = one.error * student(_SURE, one.slices - 1)
    if metric == "error_rate":
        low, high = max(0.0, one.value - half), min(1.0, one.value + half)
    else:
        low, high = one.value * math.exp(-half), one.value * math.exp(half)
    return f"{show(one.value)} ({show(low)} to {show(high)})"
