"""No worse than before, as a claim that has to be shown: a difference to the baseline, its bounds, and a margin.

A difference that was not seen is no evidence that there is none: with few operations nothing is ever seen. So the
margin is the largest difference that would do no harm, and the claim holds only if the whole of the difference's
interval lies within it (two one-sided tests at 5 %, TOST: Schuirmann 1987; `no worse than` is the one of the two that
asks about harm). If the whole interval lies beyond the margin the answer is fail; anything else is unknown, and how
long it would take to tell is said.

* Of response times the difference is relative: ln(quantile after) - ln(quantile before), told as a share of the one
  before. Requests near each other in time are alike, so operations are no independent sample: each phase is cut into
  blocks of at least 5 s, and the variance is that of the blocks about the whole (*sectioning*: Asmussen and Glynn,
  *Stochastic Simulation*, III.5): s² = Σ(ln q_i - ln q)² / (b (b - 1)), with Student's t and Welch's degrees of
  freedom.
* Of shares the difference is absolute, in points. Its interval is the wider one of two: from blocks in the same way,
  and Newcombe's hybrid score interval (1998, method 10), which does not collapse where nothing failed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from resilience.columns import Samples
from resilience.judge.quantiles import DROPPED, OK, nearest_rank, to_ns
from resilience.judge.statistics import Z_ONE_95, student_95, wilson
from resilience.model import COMPARED_S, Answer, Objective

BLOCK_S = 5.0
"""Blocks are at least this long: longer than what slow answers, retries and collectors of garbage have in common."""

MIN_BLOCKS = round(COMPARED_S / BLOCK_S)
"""Fewer blocks say too little about how much they differ."""

MIN_PER_BLOCK = 20
"""Fewer operations have no quantile worth the name."""

_NO_WORSE = "no worse than"


@dataclass(frozen=True, slots=True)
class Stretch:
    """The samples that arrived from `start_s` until before `end_s`."""

    samples: Samples
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Compared:
    """A difference to the baseline, as a share of 1; above 0 is more: slower, or a larger share."""

    answer: Answer
    value: float
    low: float
    high: float
    because: str


@dataclass(frozen=True, slots=True)
class _Estimate:
    """A figure of one side, its variance from blocks, and how many blocks there were."""

    value: float
    variance: float
    blocks: int


def compare(objective: Objective, before: Sequence[Stretch], after: Stretch) -> Compared | str:
    """Compare a phase with the baseline; a text says why that cannot be done.

    Args:
        objective: with a `relation`; its `limit` is the margin.
        before: the baseline phases.
        after: the phase that is judged.
    """
    old = [block for stretch in before for block in _blocks(stretch)]
    new = _blocks(after)
    for side, blocks in (("the baseline", old), ("the phase", new)):
        if len(blocks) < MIN_BLOCKS:
            return (
                f"{side} has {len(blocks)} blocks of {BLOCK_S:g} s, and at least {MIN_BLOCKS} are needed: "
                f"{MIN_BLOCKS * BLOCK_S:g} s"
            )
    share = objective.aggregate in {"rate", "availability", "degraded"}
    found = _shares(objective, old, new) if share else _times(objective, old, new)
    return found if isinstance(found, str) else _decide(objective, *found, seconds=after.end_s - after.start_s)


def _blocks(stretch: Stretch) -> list[Samples]:
    """A phase in blocks of equal length, at least BLOCK_S each; one, or none, if it is too short."""
    count = int((stretch.end_s - stretch.start_s) / BLOCK_S + 1e-9)
    if count == 0:
        return []
    edges = [to_ns(edge) for edge in np.linspace(stretch.start_s, stretch.end_s, count + 1)]
    places = np.searchsorted(stretch.samples.arrival_ns, edges)
    return [stretch.samples.where(np.arange(first, last)) for first, last in pairwise(places.tolist())]


def _times(objective: Objective, old: list[Samples], new: list[Samples]) -> tuple[float, float, float] | str:
    estimates = []
    for side, blocks in (("the baseline", old), ("the phase", new)):
        times = [_sent_ns(block) for block in blocks]
        fewest = min(len(each) for each in times)
        if fewest < MIN_PER_BLOCK or not any(bool((block.outcome == OK).any()) for block in blocks):
            return f"a block of {side} has {fewest} operations, and at least {MIN_PER_BLOCK} are needed"
        whole = math.log(_figure(objective, np.concatenate(times)))
        each = [math.log(_figure(objective, block)) for block in times]
        spread = math.fsum((one - whole) ** 2 for one in each) / (len(each) * (len(each) - 1))
        estimates.append(_Estimate(whole, spread, len(each)))
    before, after = estimates
    reach = _reach(before, after)
    difference = after.value - before.value
    return math.expm1(difference), math.expm1(difference - reach), math.expm1(min(difference + reach, 700.0))


def _sent_ns(samples: Samples) -> npt.NDArray[np.int64]:
    sent = samples.outcome != DROPPED
    times: npt.NDArray[np.int64] = (samples.end_ns - samples.arrival_ns)[sent]
    return times


def _figure(objective: Objective, times: npt.NDArray[np.int64]) -> float:
    """A positive time: a nanosecond at least."""
    if objective.aggregate == "avg":
        return max(float(times.mean()), 1.0)
    quantile = 0.5 if objective.aggregate == "med" else (objective.quantile or 0.0) / 100
    return float(max(nearest_rank(np.sort(times), quantile), 1))


def _shares(objective: Objective, old: list[Samples], new: list[Samples]) -> tuple[float, float, float] | str:
    estimates, scores = [], []
    for side, blocks in (("the baseline", old), ("the phase", new)):
        counted = [_count(objective, block) for block in blocks]
        hits, totals = [hit for hit, _ in counted], [total for _, total in counted]
        total = sum(totals)
        if min(totals) < MIN_PER_BLOCK:
            return f"a block of {side} has {min(totals)} operations, and at least {MIN_PER_BLOCK} are needed"
        share = sum(hits) / total
        # The ratio estimator: blocks differ in how many operations they have.
        spread = math.fsum((hit - share * size) ** 2 for hit, size in counted)
        mean = total / len(counted)
        variance = spread / (len(counted) * (len(counted) - 1) * mean**2)
        estimates.append(_Estimate(share, variance, len(counted)))
        scores.append(wilson(sum(hits), total, Z_ONE_95))
    before, after = estimates
    (old_low, old_high), (new_low, new_high) = scores
    difference, reach = after.value - before.value, _reach(before, after)
    low = difference - max(reach, math.hypot(after.value - new_low, old_high - before.value))
    high = difference + max(reach, math.hypot(new_high - after.value, before.value - old_low))
    return difference, low, high


def _count(objective: Objective, samples: Samples) -> tuple[int, int]:
    """How many of how many: bad ones of the offered, ok ones of the offered, degraded ones of the ok."""
    ok = samples.outcome == OK
    answered = int(np.count_nonzero(ok))
    match objective.aggregate:
        case "rate":
            return len(samples) - answered, len(samples)
        case "availability":
            return answered, len(samples)
        case _:
            return int(np.count_nonzero(samples.degraded & ok)), answered


def _reach(before: _Estimate, after: _Estimate) -> float:
    """Half the width of the interval of a difference, one-sided 95 %: Welch's t."""
    together = before.variance + after.variance
    if together == 0:
        return 0.0
    freedom = together**2 / (before.variance**2 / (before.blocks - 1) + after.variance**2 / (after.blocks - 1))
    return student_95(max(int(freedom), 1)) * math.sqrt(together)


def _decide(objective: Objective, value: float, low: float, high: float, *, seconds: float) -> Compared:
    margin = objective.limit
    relative = objective.aggregate in {"p", "med", "avg"}
    # How far up and down is still the same: a ratio of 1 + m is undone by one of 1 / (1 + m).
    up, down = margin, -margin / (1 + margin) if relative else -margin
    if objective.relation == _NO_WORSE:
        if objective.aggregate == "availability":
            up = math.inf
        else:
            down = -math.inf
    said = _said(value, low, high, relative=relative)
    if down < low and high < up:
        return Compared(Answer.PASS, value, low, high, said)
    if low >= up or high <= down:
        return Compared(Answer.FAIL, value, low, high, f"{said}, all of it beyond the margin")
    room = min(up - value, value - down)
    if room <= 0:
        return Compared(Answer.UNKNOWN, value, low, high, f"{said}; what was seen is not within the margin")
    # An interval's width falls with the square root of the length observed.
    wide = max(high - value if up < math.inf else 0.0, value - low if down > -math.inf else 0.0)
    needed_s = math.ceil(seconds * (wide / room) ** 2 / BLOCK_S) * BLOCK_S
    more = f"; to tell would take about {needed_s:,.0f} s of baseline and of this phase each"
    return Compared(Answer.UNKNOWN, value, low, high, said + more)


def _said(value: float, low: float, high: float, *, relative: bool) -> str:
    unit = "%" if relative else " points of a hundred"
    return f"the difference was {value * 100:+.3g}{unit}, between {low * 100:+.3g} and {high * 100:+.3g} (TOST at 5 %)"
