"""The anomalies of a run, as marks on its time line: which figure left its baseline, when, and under which fault.

Of the load: response time (p95, by its logarithm, because it varies by factors), errors (share of operations that were
not ok), throughput (ok answers that came, per arrival of the schedule or per user). Of resources: those that say how
busy something is (`WATCHED`), while the load is within `SAME_LOAD` of the baseline's: they follow it by nature.

One that begins while a fault is in place, or within `AFTERWARDS_S` after it, is *expected*: it is shown, with the
fault's name. Nothing here changes an answer: an anomaly says "look here", an objective says what is not allowed.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from resilience.judge.anomaly import Anomaly, Usual, anomalies_of
from resilience.judge.case import Case
from resilience.judge.quantiles import DROPPED, MS, NS, OK, to_ns
from resilience.judge.signal import level_integral
from resilience.model import Json
from resilience.model.resources import Series, Unit

Float64 = npt.NDArray[np.float64]

MOST_BINS = 3600
MOST_TOLD = 200
SAME_LOAD = 0.2
AFTERWARDS_S = 10.0

LATENCY, ERRORS, THROUGHPUT = "latency", "errors", "throughput"

LEAST = {LATENCY: math.log(1.1), ERRORS: 0.01, THROUGHPUT: 0.05}
"""Smaller spreads matter to nobody: a tenth of the response time, one operation of a hundred, five percent."""

LEAST_SHARE = 0.05
"""The same of resources: of their level in the baseline, or of their limit."""

WATCHED = re.compile(
    r"process\.(cpu|memory.*|threads|files.*)|cgroup\.throttled|host\.(cpu|memory.*)|disk\..*|redis\.(hit_ratio|memory\..*|"
    r"evict.*|clients.*)|postgres\.(connections.*|sessions.*|waits.*|locks.*|cache\.hit_ratio)"
)


@dataclass(frozen=True, slots=True)
class Figure:
    """What is watched: readings in order of time.

    Attributes:
        name: `latency`, …, or the name of a series; `of` is what it is of, empty for the load.
        shown: from a reading to what is told.
    """

    name: str
    of: str
    unit: str
    at_s: Float64
    value: Float64
    least: float

    def shown(self, value: float) -> float:
        """A reading as it is told: response times in ms."""
        return math.exp(value) if self.name == LATENCY and not self.of else value


def anomalies(case: Case) -> list[Json]:
    """The rows of `anomalies` in `verdict.json`, in order of time; none without a baseline."""
    if not case.baselines:
        return []
    baseline = (case.baselines[-1].start_s, case.baselines[-1].end_s)
    begin_s = case.baselines[0].start_s
    found: list[tuple[float, dict[str, Json]]] = []
    for figure in (*load_figures(case), *_resources(case)):
        usual = Usual.of(_between(figure, *baseline).value, figure.least)
        if usual is None:
            continue
        after = _between(figure, begin_s, math.inf)
        told = anomalies_of(after.at_s, after.value, usual)
        found += [(one.start_s, _row(case, figure, usual, one)) for one in told]
    found.sort(key=lambda pair: pair[0])
    return [row for _, row in found[:MOST_TOLD]]


def _row(case: Case, figure: Figure, usual: Usual, one: Anomaly) -> dict[str, Json]:
    faults = _faults(case, one.start_s)
    return {
        "figure": figure.name,
        "of": figure.of,
        "unit": figure.unit,
        "start_s": one.start_s,
        "flagged_s": one.flagged_s,
        "end_s": one.end_s,
        "usual": figure.shown(usual.middle),
        "seen": figure.shown(one.seen),
        "more": one.more,
        "faults": list(faults),
        "expected": bool(faults),
    }


def _faults(case: Case, at_s: float) -> tuple[str, ...]:
    """The faults that an anomaly may come of: in place then, or gone for no longer than `AFTERWARDS_S`.

    Readings are of a second or so: the anomaly may seem to begin up to one before the fault.
    """
    found = []
    for fault in case.faults:
        over_s = fault.over_s if fault.over_s is not None else fault.until_s
        if fault.requested_s is not None and fault.requested_s - 1.0 <= at_s <= over_s + AFTERWARDS_S:
            found.append(fault.name)
    return tuple(found)


def load_figures(case: Case) -> Iterator[Figure]:
    """Response time, errors and throughput, per bin of a second (longer in runs beyond an hour)."""
    width_s = max(1.0, math.ceil(case.end_s / MOST_BINS))
    bins = math.floor(case.end_s / width_s + 1e-9)
    samples = case.traffic.between(0.0, bins * width_s)
    edges = np.asarray([to_ns(index * width_s) for index in range(bins + 1)], dtype=np.int64)
    at_s = edges[1:] / NS
    marks = np.searchsorted(samples.arrival_ns, edges)
    sent = samples.outcome != DROPPED
    took = samples.end_ns - samples.arrival_ns
    p95 = np.full(bins, np.nan)
    for index in range(bins):
        piece = slice(int(marks[index]), int(marks[index + 1]))
        times = took[piece][sent[piece]]
        if len(times):
            place = max(math.ceil(round(0.95 * len(times), 9)), 1) - 1
            p95[index] = math.log(max(float(np.partition(times, place)[place]), 1.0) / MS)
    yield Figure(LATENCY, "", "ms", at_s, p95, LEAST[LATENCY])
    offered = np.diff(marks)
    ok_before = np.concatenate(([0], np.cumsum(samples.outcome == OK)))
    ok = np.diff(ok_before[marks])
    errors = np.full(bins, np.nan)
    np.divide(offered - ok, offered, out=errors, where=offered > 0)
    yield Figure(ERRORS, "", Unit.RATIO.value, at_s, errors, LEAST[ERRORS])
    load = case.record.experiment.load
    levels = [level_integral(load, start_s, start_s + width_s) for start_s in (edges[:-1] / NS).tolist()]
    came, _ = np.histogram(samples.end_ns[samples.outcome == OK], edges)
    share = np.full(bins, np.nan)
    level = np.asarray(levels, dtype=np.float64)
    np.divide(came, level, out=share, where=level > 0)
    yield Figure(THROUGHPUT, "", Unit.RATIO.value, at_s, share, LEAST[THROUGHPUT])


def _resources(case: Case) -> Iterator[Figure]:
    """The series that are watched, without the readings of times at which the load was another."""
    load = case.record.experiment.load
    phase = case.baselines[-1]
    level = level_integral(load, phase.start_s, phase.end_s) / (phase.end_s - phase.start_s)
    for series in case.record.resources.series:
        if WATCHED.fullmatch(series.name) and len(series):
            alike = np.asarray([_alike(load_at(case, at_s), level) for at_s in series.at_s.tolist()], dtype=np.bool_)
            least = LEAST_SHARE * max(_level(series, phase.start_s, phase.end_s), series.limit or 0.0)
            value = np.where(alike, series.value, np.nan)
            yield Figure(series.name, series.of, series.unit.value, series.at_s, value, max(least, 1e-9))


def load_at(case: Case, at_s: float) -> float:
    """The level of the profile in the second before an instant; of a script's load, which has none, always 0."""
    return level_integral(case.record.experiment.load, max(0.0, at_s - 1.0), at_s)


def _alike(now: float, usual: float) -> bool:
    return usual <= 0 or abs(now - usual) <= SAME_LOAD * usual


def _level(series: Series, start_s: float, end_s: float) -> float:
    inside = series.between(start_s, end_s).value
    return abs(float(np.median(inside))) if len(inside) else 0.0


def _between(figure: Figure, start_s: float, end_s: float) -> Figure:
    first, last = np.searchsorted(figure.at_s, (start_s, end_s))
    cut = slice(int(first), int(last))
    return Figure(figure.name, figure.of, figure.unit, figure.at_s[cut], figure.value[cut], figure.least)
