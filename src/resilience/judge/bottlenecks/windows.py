"""When the target had more to do than it could: windows in which its service was clearly not that of the baseline.

Full service is that of `judge.signal`: ok, not degraded, within the latency band of the baseline. A window begins where
so many operations lack it that chance does not explain it for `SUSTAINED_S`, and lasts until it is back for as long.
That is what the end of the throughput curve looks like from outside, whatever the load's model: in an open load answers
get slower, fail or are dropped while arrivals go on; in a closed one they get slower.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from resilience.judge.case import Case
from resilience.judge.changes import locate
from resilience.judge.generator import LAG_LIMIT_S, account_of, lag_s, out_of
from resilience.judge.phases import FaultWindow
from resilience.judge.quantiles import DROPPED, NS, OK, stats, to_ns
from resilience.judge.signal import Band, Bins, find_band, find_bins
from resilience.model import Phase, PhaseName

Float64 = npt.NDArray[np.float64]
Stretch = tuple[float, float]

SUSTAINED_S = 3.0
"""A window is at least so long, and so is what parts two of them."""

MOST_BINS = 3600
MOST_WINDOWS = 8
"""The longest ones; of a target that stumbles all the time more would say no more."""

OWN_SHARE = 0.5
"""So much of the operations that lack full service must have it when lateness of the generator is not counted, for the
generator to have been the limit."""


@dataclass(frozen=True, slots=True)
class Course:
    """Load and response over a run, in bins by arrival; what has no operation is NaN.

    Attributes:
        at_s: where each bin begins. width_s: their width.
        offered: operations per second. answered: those that were ok, per second.
        mean_s: mean response time of what was sent.
        under_way: operations under way on average, by Little's law: arrivals per second times their mean time.
    """

    at_s: Float64
    width_s: float
    offered: Float64
    answered: Float64
    mean_s: Float64
    under_way: Float64

    def between(self, start_s: float, end_s: float) -> "Course":
        """The bins that lie within a stretch."""
        inside = (self.at_s >= start_s - 1e-9) & (self.at_s + self.width_s <= end_s + 1e-9)
        columns = (self.offered, self.answered, self.mean_s, self.under_way)
        offered, answered, mean_s, under_way = (column[inside] for column in columns)
        return Course(self.at_s[inside], self.width_s, offered, answered, mean_s, under_way)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch in which the service was not full.

    Attributes:
        start_s: when the first operations that lacked full service arrived. end_s: by bins.
        resolution_s: how much earlier or later it may really have begun: an operation that arrives meets what slows it
            down at any time until it ends.
        faults: names of those that were in place meanwhile, by our doing.
        offered, answered: operations per second, and of those the ok ones.
        lacking: share of the operations that lacked full service.
        p95_ms: response time. usual_p95_ms: that of the baseline.
        generator: why the generator and not the target was the limit; empty if it was not.
    """

    start_s: float
    end_s: float
    resolution_s: float
    faults: tuple[str, ...]
    offered: float
    answered: float
    lacking: float
    p95_ms: float | None
    usual_p95_ms: float | None
    generator: str


def find_course(case: Case, width_s: float = 1.0) -> Course:
    """Load and response of the whole run."""
    count = max(1, math.ceil(case.end_s / width_s))
    samples = case.traffic.between(0.0, count * width_s)
    edges = np.asarray([to_ns(index * width_s) for index in range(count + 1)], dtype=np.int64)
    marks = np.searchsorted(samples.arrival_ns, edges)
    sent = samples.outcome != DROPPED
    together_s = _sums(np.where(sent, samples.end_ns - samples.arrival_ns, 0), marks) / NS
    many, ok = _sums(sent, marks), _sums(samples.outcome == OK, marks)
    mean_s = np.full(count, np.nan)
    np.divide(together_s, many, out=mean_s, where=many > 0)
    return Course(
        at_s=edges[:-1] / NS,
        width_s=width_s,
        offered=np.diff(marks) / width_s,
        answered=ok / width_s,
        mean_s=mean_s,
        under_way=together_s / width_s,
    )


def _sums(values: npt.NDArray[Any], marks: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The sums of the values between marks, without a column of sums: there may be many millions."""
    found = np.zeros(len(marks) - 1, dtype=np.int64)
    some = marks[:-1] < marks[1:]
    if np.any(some):
        found[some] = np.add.reduceat(values, marks[:-1][some], dtype=np.int64)
    return found


def find_windows(case: Case) -> tuple[Window, ...] | str:
    """The windows in order of time, or one sentence that says why they cannot be told."""
    if not case.baselines:
        return "the run has no baseline to compare with"
    band = find_band(case)
    if isinstance(band, str):
        return band
    start_s = case.baselines[0].start_s
    wide = replace(band, bin_s=max(1.0, math.ceil((case.end_s - start_s) / MOST_BINS)))
    bins = find_bins(case, wide, start_s, case.end_s)
    found = [_window(case, wide, bins, first, last) for first, last in _stretches(bins)]
    longest = sorted(found, key=lambda one: one.start_s - one.end_s)[:MOST_WINDOWS]
    return tuple(sorted(longest, key=lambda one: one.start_s))


def _stretches(bins: Bins) -> Iterator[tuple[int, int]]:
    """Runs of bins that are clearly out of the band, first and last; short breaks in them are part of them."""
    needed = max(2, math.ceil(SUSTAINED_S / bins.width_s))
    out = np.flatnonzero(bins.outside)
    if not len(out):
        return
    for run in np.split(out, np.flatnonzero(np.diff(out) > needed) + 1):
        if len(run) >= needed:
            yield int(run[0]), int(run[-1])


def _window(case: Case, band: Band, bins: Bins, first: int, last: int) -> Window:
    begin_s, end_s = bins.at(first), bins.at(last) + bins.width_s
    change = locate(case, band, bins, first, worse=True)
    samples = case.traffic.between(begin_s, end_s)
    seen, usual = stats(samples, end_s - begin_s), [stats(case.during(one), 1.0) for one in case.baselines]
    offered, well = int(bins.offered[first : last + 1].sum()), int(bins.good[first : last + 1].sum())
    return Window(
        start_s=min(max(change.at_s, begin_s - bins.width_s), end_s),
        end_s=end_s,
        resolution_s=change.resolution_s + _met_s(case, band, begin_s, bins.width_s),
        faults=tuple(fault.name for fault in case.faults if _in_place(fault, begin_s, end_s)),
        offered=seen.count / (end_s - begin_s),
        answered=seen.ok / (end_s - begin_s),
        lacking=(offered - well) / offered if offered else 0.0,
        p95_ms=seen.p95_ms,
        usual_p95_ms=usual[-1].p95_ms,
        generator=_short(case, bins, first, last) or _generator(case, band, (begin_s, end_s)),
    )


def _met_s(case: Case, band: Band, begin_s: float, width_s: float) -> float:
    """How long the first operations that lacked full service took: the median of those that were sent."""
    samples = case.traffic.between(begin_s, begin_s + width_s)
    slow = samples.where(~band.well(samples) & (samples.outcome != DROPPED))
    return float(np.median(slow.end_ns - slow.arrival_ns)) / NS if len(slow) else 0.0


def _in_place(fault: FaultWindow, start_s: float, end_s: float) -> bool:
    """Whether a fault was in place for some of a stretch."""
    begun_s = fault.confirmed_s if fault.confirmed_s is not None else fault.requested_s
    over_s = fault.over_s if fault.over_s is not None else fault.until_s
    return begun_s is not None and begun_s < end_s and over_s > start_s


def _short(case: Case, bins: Bins, first: int, last: int) -> str:
    """Why the generator was the limit, if in most of some bins it offered less than was due; users decide for it."""
    starved = ~bins.asked[first : last + 1]
    if case.record.experiment.load.closed or np.count_nonzero(starved) <= OWN_SHARE * len(starved):
        return ""
    return f"in {np.count_nonzero(starved)} of {len(starved)} bins it offered clearly less than the schedule has"


def _generator(case: Case, band: Band, stretch: Stretch) -> str:
    """Why the generator was what was slow in a stretch; empty if the target was."""
    start_s, end_s = stretch
    phase = Phase(PhaseName.AFTER, start_s, end_s)
    lacked = out_of(case, [phase])
    if lacked:
        return "it had no means of its own to send: " + ", ".join(f"{n:,} × {why}" for why, n in lacked.items())
    samples = case.during(phase)
    late_s = lag_s(samples)
    if late_s is not None and late_s > LAG_LIMIT_S:
        lacking = ~band.well(samples)
        excused = lacking & replace(band, excused=True).well(samples)
        if np.count_nonzero(excused) > OWN_SHARE * np.count_nonzero(lacking):
            return (
                f"operations were begun {late_s * 1000:.0f} ms late at p99, and "
                f"{np.count_nonzero(excused) / np.count_nonzero(lacking):.0%} of those that lacked full service would "
                "have had it if counted from when they were begun"
            )
    for begun_s, over_s, share in _busy(case):
        overlap_s = min(over_s, end_s) - max(begun_s, start_s)
        if overlap_s > OWN_SHARE * (end_s - start_s):
            return f"it used {share:.0%} of its processor time from {begun_s:.1f} to {over_s:.1f} s"
    return ""


def _busy(case: Case) -> Iterator[tuple[float, float, float]]:
    """Stretches in which the generator says that it had no processor time left."""
    said = account_of(case).get("generator")
    rows = said.get("busy") if isinstance(said, dict) else None
    for row in rows if isinstance(rows, list | tuple) else ():
        if isinstance(row, list | tuple) and len(row) == 3:  # noqa: PLR2004 - begin, end, share
            begun_s, over_s, share = row
            if all(isinstance(one, int | float) for one in (begun_s, over_s, share)):
                yield float(begun_s), float(over_s), float(share)
