"""What must not grow while a load lasts: memory, connections, files, backlogs, response times.

What the file declares (`soak.flat`) is judged: growth beyond what is tolerated fails, flatness that was shown passes,
and everything else, growth that levels off included, is unknown. What it does not declare is looked at all the same in
the longest phase without a fault, if that is long enough, and told as advice, which changes no answer.

How a trend is told from noise stands in `judge.trend`. All quantities of a run are one family: together they raise a
false alarm as rarely as one would by itself.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from resilience.columns import Float64
from resilience.judge.case import Case
from resilience.judge.quantiles import DROPPED, NS, nearest_of, of_operation, to_ns
from resilience.judge.trend import Course, Exhaustion, Trend, exhaustion, family, trend
from resilience.model import Answer, Json, Part, Phase, PhaseName
from resilience.model.resources import Resources, Series, Unit
from resilience.model.soak import SHORTEST_S, Flat, Growth, Times
from resilience.text import seconds

MB = 1e6
USUAL: dict[str, Growth] = {
    Unit.BYTES.value: Growth(per_hour=20 * MB),
    Unit.COUNT.value: Growth(per_hour=12.0),
    Unit.RATIO.value: Growth(per_hour=0.05),
}
RELATIVE = Growth(per_hour=0.1, relative=True)
"""What is tolerated if nothing is said: 20 MB, 12 of what is counted, 5 points of a share, or else 10 %; in an hour."""

WATCHED = (
    *("process.memory", "process.files", "process.threads", "cgroup.memory", "redis.memory.used", "redis.clients"),
    *("postgres.connections", "postgres.rows.dead", "*backlog*", "*pending*", "*queue*"),
)
"""Resources that are looked at without being asked for; tables and keys grow because they are written to."""

QUIET = (PhaseName.BASELINE, PhaseName.AFTER)
"""Phases in which no fault is in place, nor being recovered from."""

MOST_BINS, PER_BIN = 720, 20
"""Response times are taken in so many bins at most, of at least so many operations each."""


@dataclass(frozen=True, slots=True)
class _Quantity:
    """Something that could grow, as it was read over time."""

    flat: Flat
    declared: bool
    unit: str
    at_s: Float64
    value: Float64
    limit: float | None
    missing: str = ""

    @property
    def name(self) -> str:
        if self.flat.metric is not None:
            return f"{self.flat.metric} of {self.flat.operation}"
        return f"{self.flat.resource} of {self.flat.of}" if self.flat.of else self.flat.resource


def check_soak(case: Case) -> Part:
    """Judge what the file declares; asked only if it declares something."""
    soak = case.record.experiment.soak
    assert soak is not None  # noqa: S101 - asked only then
    phases = case.named(soak.phase)
    judged = [row for phase in phases for row in _rows(case, phase, soak.flat, soak.warm_up_s, declared=True)]
    data: dict[str, Json] = {"soak": [dict(row) for _, row in judged]}
    if not phases:
        return Part("soak", Answer.UNKNOWN, f"there was no phase {soak.phase.value}", (), data)
    answer = Answer.worst(one for one, _ in judged)
    told = tuple(str(row["because"]) for one, row in sorted(judged, key=lambda each: -each[0].severity))
    if answer is Answer.PASS:
        return Part("soak", answer, f"all {len(judged)} quantities that must stay flat did", told, data)
    more = sum(1 for one, _ in judged if one is not Answer.PASS) - 1
    return Part("soak", answer, told[0] + (f" (and {more} more not flat)" if more else ""), told, data)


def soak_advice(case: Case) -> list[Json]:
    """The same of what nobody declared, in the longest quiet phase; nothing if none is long enough."""
    quiet = [phase for name in QUIET for phase in case.named(name) if phase.end_s - phase.start_s >= SHORTEST_S]
    if not quiet:
        return []
    longest = max(quiet, key=lambda phase: phase.end_s - phase.start_s)
    names = dict.fromkeys(
        series.name
        for series in case.record.resources.series
        if any(fnmatchcase(series.name, pattern) for pattern in WATCHED)
    )
    flat = [Flat(resource=name) for name in names]
    flat += [
        Flat(metric=Times(aggregate="p", quantile=95.0), operation=name)
        for name in dict.fromkeys(case.traffic.samples.operations)
    ]
    return [row for _, row in _rows(case, longest, flat, 0.0, declared=False)]


def _rows(
    case: Case, phase: Phase, flat: Iterable[Flat], warm_up_s: float, *, declared: bool
) -> list[tuple[Answer, dict[str, Json]]]:
    found = [quantity for one in flat for quantity in _quantities(case, phase, one, declared=declared)]
    alarm = family(len(found))
    return [_row(quantity, phase, phase.start_s + warm_up_s, alarm) for quantity in found]


def _quantities(case: Case, phase: Phase, flat: Flat, *, declared: bool) -> Iterator[_Quantity]:
    """What a line of the file is about: a response time, or every series of that name."""
    if flat.metric is not None:
        at_s, value = response_times(case, phase, flat.metric, flat.operation)
        yield _Quantity(flat, declared, "seconds", at_s, value, None)
        return
    resources = case.record.resources
    series = [one for one in resources.named(flat.resource) if flat.of in {"", one.of}]
    for one in series:
        inside = one.between(phase.start_s, phase.end_s)
        named = Flat(resource=one.name, of=one.of, growth=flat.growth)
        yield _Quantity(named, declared, one.unit.value, inside.at_s, inside.value, one.limit, _gaps(resources, one))
    if not series:
        nothing = np.zeros(0)
        yield _Quantity(flat, declared, "", nothing, nothing, None, "nothing was read under that name")


def _gaps(resources: Resources, series: Series) -> str:
    """Why readings may be missing."""
    why = [gap.why for gap in resources.gaps if gap.collector == series.collector and gap.of in {"", series.of}]
    return why[0] if why else ""


def response_times(case: Case, phase: Phase, metric: Times, operation: str = "all") -> tuple[Float64, Float64]:
    """A figure of response times over a phase: the middles of bins, and seconds; NaN where too few were sent."""
    samples = case.during(phase)
    if operation != "all":
        samples = of_operation(samples, case.traffic.index(operation))
    sent = samples.outcome != DROPPED
    arrival, times = samples.arrival_ns[sent], (samples.end_ns - samples.arrival_ns)[sent]
    bins = max(1, min(MOST_BINS, len(times) // PER_BIN))
    edges = np.linspace(phase.start_s, phase.end_s, bins + 1)
    places = np.searchsorted(arrival, [to_ns(edge) for edge in edges])
    value = np.full(bins, math.nan)
    for place in range(bins):
        some = times[places[place] : places[place + 1]]
        if len(some) >= PER_BIN // 2:
            value[place] = _figure(metric, some) / NS
    return (edges[1:] + edges[:-1]) / 2, value


def _figure(metric: Times, times: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> float:
    if metric.aggregate == "avg":
        return float(np.mean(times))
    return nearest_of(np.sort(times), 0.5 if metric.quantile is None else metric.quantile / 100)


def _row(quantity: _Quantity, phase: Phase, start_s: float, alarm: float) -> tuple[Answer, dict[str, Json]]:
    growth = quantity.flat.growth or USUAL.get(quantity.unit, RELATIVE)
    known = quantity.value[np.isfinite(quantity.value)]
    level = float(np.median(known[: max(1, len(known) // 3)])) if len(known) else 0.0
    tolerated = growth.per_hour * level if growth.relative else growth.per_hour
    found = trend(quantity.at_s, quantity.value, start_s, phase.end_s, tolerated, alarm)
    left = exhaustion(found, quantity.limit) if quantity.limit is not None else None
    answer = {Course.GROWS: Answer.FAIL, Course.FLAT: Answer.PASS}.get(found.course, Answer.UNKNOWN)
    row: dict[str, Json] = {
        "what": quantity.name,
        "phase": phase.label,
        "declared": quantity.declared,
        "course": found.course.value,
        "answer": answer.value if quantity.declared else None,
        "unit": quantity.unit,
        "per_hour": found.per_hour,
        "low": found.low,
        "high": found.high,
        "tolerated": tolerated,
        "level": found.level,
        "limit": quantity.limit,
        "exhausted_s": None if left is None else left.after_s,
        "soonest_s": None if left is None else left.soonest_s,
        "latest_s": None if left is None else left.latest_s,
        "from_s": found.from_s if found.readings else None,
        "to_s": found.to_s if found.readings else None,
        "readings": found.readings,
    }
    row["why"] = found.why + (f" ({quantity.missing})" if found.per_hour is None and quantity.missing else "")
    row["because"] = _because(quantity, found, tolerated, left)
    return answer, row


def _because(quantity: _Quantity, found: Trend, tolerated: float, left: Exhaustion | None) -> str:
    """One sentence with the numbers."""
    if found.per_hour is None or found.low is None or found.high is None:
        missing = f" ({quantity.missing})" if quantity.missing else ""
        return f"{quantity.name}: {found.why}{missing}"
    unit = quantity.unit
    rate = f"{shown(found.per_hour, unit)} an hour ({shown(found.low, unit)} to {shown(found.high, unit)})"
    said = f"{quantity.name}: {found.course.value}: {rate}, {shown(tolerated, unit)} tolerated; {found.why}"
    if left is not None and left.after_s is not None and quantity.limit is not None:
        latest = "never" if left.latest_s is None else lasting(left.latest_s)
        soonest = "at once" if left.soonest_s is None else lasting(left.soonest_s)
        said += f"; its limit of {shown(quantity.limit, unit)} is reached in {lasting(left.after_s)} if it goes on"
        said += f" ({soonest} to {latest})"
    return said


def lasting(length_s: float) -> str:
    """A length for reading: `8.25 s`, `5 min 20 s`, `6.8 h`, `4.2 days`."""
    hours = length_s / 3600
    if hours < 2:  # noqa: PLR2004 - below that minutes read better
        return seconds(length_s)
    return f"{hours:.3g} h" if hours < 48 else f"{hours / 24:.3g} days"  # noqa: PLR2004 - two days


def shown(value: float, unit: str) -> str:
    """A figure of a resource for reading: `58.3 MB`, `12.5 ms`, `3.2 %`, `17`."""
    if unit in {"bytes", "bytes_per_s"}:
        return f"{value / MB:.3g} MB" + ("/s" if unit == "bytes_per_s" else "")
    if unit == "seconds":
        return f"{value * 1000:.3g} ms"
    if unit == "ratio":
        return f"{value * 100:.3g} points"
    return f"{value:.4g}" if abs(value) >= 1e-6 else "0"  # noqa: PLR2004 - what is left of sums of floats
