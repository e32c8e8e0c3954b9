"""Runs compared with earlier ones: every operation in every phase, and how they came through faults.

Times and rates are compared as ratios (of logarithms the difference), shares in points of a hundred. A comparison is
refused where the conditions differ in what matters, and where a run was not fit to be judged.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from resilience.judge.regression.conditions import Difference, differences
from resilience.judge.regression.decide import FAMILY, Margin, decide, reach, repetitions
from resilience.judge.regression.outages import compare_outages
from resilience.judge.regression.rows import Row
from resilience.judge.regression.slices import DEGRADED, ERROR_RATE, RATE
from resilience.judge.regression.spread import RUN_TO_RUN, Side, assumed, difference, excess, repeated
from resilience.judge.regression.strain import excused, strain
from resilience.model import Baseline, Change, Estimate, Measured, PhaseName, Regression
from resilience.model.regression import ERRORS, LATENCY, TAIL, THROUGHPUT

SUBJECT: Mapping[str, str] = {
    "p50_ms": LATENCY,
    "p95_ms": TAIL,
    "p99_ms": "",
    RATE: THROUGHPUT,
    ERROR_RATE: ERRORS,
    DEGRADED: "",
}
"""Metric → what can be demanded of it; the order in which they are told."""

_SHARES = {ERROR_RATE, DEGRADED}
_WEIGHT = [Change.WORSE, Change.UNKNOWN, Change.BETTER, Change.SAME]
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of comparing.

    Attributes:
        answer: worse if anything is; else not enough data if something demanded could not be told; else better if
            anything is; else same. Not comparable if it was refused.
        because: one sentence with the numbers.
        rows: everything that was compared, the gravest first.
        differences: of the conditions.
        undecided: how many demanded rows could not be told.
    """

    answer: Change
    because: str
    before: tuple[Measured, ...]
    after: tuple[Measured, ...]
    rows: tuple[Row, ...]
    differences: tuple[Difference, ...]
    undecided: int
    settings: Regression

    def of(self, change: Change) -> list[Row]:
        """The rows of which this was said."""
        return [row for row in self.rows if row.answer is change]


@dataclass(frozen=True, slots=True)
class _Pair:
    """One metric of one operation in one phase, of both sides."""

    phase: str
    operation: str
    metric: str
    before: Side
    after: Side

    @property
    def relative(self) -> bool:
        return self.metric not in _SHARES

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.before, self.after


def compare(before: Baseline, after: Sequence[Measured], settings: Regression, *, anyway: bool = False) -> Comparison:
    """Compare runs with a baseline.

    Args:
        before: one run or more.
        after: one run or more, of one experiment.
        settings: margins, and what is demanded.
        anyway: what differs is told, and the comparison made all the same.

    Raises:
        ImportError: scipy, of the extra `analysis`, is not installed.
    """
    made = Comparison(Change.NOT_COMPARABLE, "", before.runs, tuple(after), (), (), 0, settings)
    found = _differences(before.runs, after)
    made = replace(made, differences=tuple(found))
    refused = [one for one in found if one.refused]
    unfit = [f"run {one.run} is not fit to be compared: {one.unfit}" for one in (*before.runs, *after) if one.unfit]
    if (refused or unfit) and not anyway:
        why = [*unfit, *(f"{one} differs" for one in refused)]
        more = f", and {len(why) - _SHOWN} more" if len(why) > _SHOWN else ""
        return replace(made, because=f"cannot be compared: {'; '.join(why[:_SHOWN])}{more}")
    rows = tuple(sorted(_rows(before.runs, after, settings), key=lambda row: _WEIGHT.index(row.answer)))
    undecided = sum(row.required for row in rows if row.answer is Change.UNKNOWN)
    answer, because = _told(rows, undecided)
    if len(before.runs) + len(after) == 2 and answer is not Change.UNKNOWN:  # noqa: PLR2004 - one on each side
        because += f" (one run each: that medians differ by {RUN_TO_RUN:.0%} by themselves is assumed)"
    return replace(made, answer=answer, because=because, rows=rows, undecided=undecided)


def _differences(before: Sequence[Measured], after: Sequence[Measured]) -> list[Difference]:
    """Of any run from the first of the baseline."""
    first = before[0].conditions
    found: dict[str, Difference] = {}
    for run in (*before[1:], *after):
        for one in differences(first, run.conditions):
            found.setdefault(one.what, one)
    return sorted(found.values(), key=lambda one: (not one.refused, one.what))


def _rows(before: Sequence[Measured], after: Sequence[Measured], settings: Regression) -> Iterator[Row]:
    pairs = [*_pairs(before, after)]
    outages = sorted({name for run in before for name in run.recoveries} & {n for run in after for n in run.recoveries})
    comparisons = len(pairs) + len(outages)
    prior = {metric: _prior([pair for pair in pairs if pair.metric == metric]) for metric in SUBJECT}
    strained = strain(before, after)
    for pair in pairs:
        yield excused(_row(pair, prior[pair.metric], settings, comparisons), strained)
    yield from _lacking(before, after, settings)
    for name in outages:
        yield compare_outages(
            name,
            [one for run in before for one in run.recoveries.get(name, ())],
            [one for run in after for one in run.recoveries.get(name, ())],
            settings,
            comparisons,
        )


def _pairs(before: Sequence[Measured], after: Sequence[Measured]) -> Iterator[_Pair]:
    for phase, operations in before[0].cells.items():
        for operation in operations:
            for metric in SUBJECT:
                sides = [[_estimate(run, phase, operation, metric) for run in runs] for runs in (before, after)]
                known = [[one for one in side if one is not None] for side in sides]
                if [len(side) for side in known] != [len(before), len(after)]:
                    continue
                relative = metric not in _SHARES
                yield _Pair(phase, operation, metric, *(Side.of(side, relative=relative) for side in known))


def _estimate(run: Measured, phase: str, operation: str, metric: str) -> Estimate | None:
    return run.cells.get(phase, {}).get(operation, {}).get(metric)


def _lacking(before: Sequence[Measured], after: Sequence[Measured], settings: Regression) -> Iterator[Row]:
    """What is demanded and was not measured in every run."""
    runs = (*before, *after)
    places = {(phase, name): None for run in runs for phase, found in run.cells.items() for name in found}
    for phase, operation in places:
        for metric, subject in SUBJECT.items():
            if not _required(phase, subject, settings):
                continue
            without = [run.run for run in runs if _estimate(run, phase, operation, metric) is None]
            if without:
                because = f"too little was measured in run {', '.join(without[:_SHOWN])}"
                yield Row(phase, operation, metric, Change.UNKNOWN, because=because, required=True)


def _prior(pairs: Sequence[_Pair]) -> float | None:
    """Variance from run to run as it is known of all cells of a metric; None if no run was repeated."""
    told = [pair for pair in pairs if repeated(pair.sides)]
    return math.fsum(excess(pair.sides) for pair in told) / len(told) if told else None


def _required(phase: str, subject: str, settings: Regression) -> bool:
    return subject in settings.require and not phase.startswith(PhaseName.FAULT.value)


def _row(pair: _Pair, prior: float | None, settings: Regression, comparisons: int) -> Row:
    fault = pair.phase.startswith(PhaseName.FAULT.value)
    least = assumed(pair.before, pair.metric, relative=pair.relative, fault=fault)
    value, error, freedom = difference(pair.before, pair.after, max(least, prior or 0.0))
    half = reach(error, freedom, comparisons)
    was, now = (math.exp(side.mean) if pair.relative else side.mean for side in pair.sides)
    margin = _margin(pair.metric, was, settings)
    answer = decide(value, half, margin)
    change, low, high = (
        math.expm1(min(one, 700.0)) if pair.relative else one for one in (value, value - half, value + half)
    )
    more = repetitions(value, half, margin) if answer is Change.UNKNOWN else None
    return Row(
        pair.phase,
        pair.operation,
        pair.metric,
        answer,
        was,
        now,
        change,
        low,
        high,
        because="" if more is None else f"about {more} times as many runs, or as long ones, would tell",
        required=_required(pair.phase, SUBJECT[pair.metric], settings),
        beyond=not margin.down < value < margin.up,
    )


def _margin(metric: str, was: float, settings: Regression) -> Margin:
    if metric in _SHARES:
        wide = max(settings.share_floor, settings.margin * was)
        return Margin(wide, -wide, max(settings.share_floor, wide / 2), Change.WORSE)
    wide = math.log1p(settings.margin)
    if metric == RATE:
        return Margin(wide, -wide, wide / 2, Change.BETTER)
    floor = math.log1p(settings.floor_s * 1e3 / was)
    return Margin(max(wide, floor), -max(wide, floor), max(wide / 2, floor), Change.WORSE)


def _told(rows: Sequence[Row], undecided: int) -> tuple[Change, str]:
    """The answer and one sentence."""
    by = {change: [row for row in rows if row.answer is change] for change in _WEIGHT}
    worse, better, same, unknown = (by[one] for one in (Change.WORSE, Change.BETTER, Change.SAME, Change.UNKNOWN))
    counted = f"of {len(rows)} figures {len(same)} are shown to be the same, {len(unknown)} cannot be told"
    if worse:
        more = f", and {len(worse) - _SHOWN} more" if len(worse) > _SHOWN else ""
        return Change.WORSE, f"worse: {_listed(worse)}{more}"
    if not rows or len(unknown) == len(rows):
        return Change.UNKNOWN, "nothing could be told: the runs are too short, or too noisy"
    if undecided:
        first = next(row for row in unknown if row.required)
        return Change.UNKNOWN, f"{undecided} demanded figures cannot be told: {first.words()}; {counted}"
    if better:
        return Change.BETTER, f"better: {_listed(better)}; nothing is shown to be worse; {counted}"
    return Change.SAME, f"nothing is shown to be worse; {counted}"


def _listed(rows: Sequence[Row]) -> str:
    return "; ".join(row.words() for row in rows[:_SHOWN])


def family(comparison: Comparison) -> Mapping[str, float]:
    """By which rates the answers are held: the family-wise error rate, and the number of comparisons."""
    return {"family_wise_error_rate": FAMILY, "comparisons": float(len(comparison.rows))}
