"""A control group: what a fault did, beside users whom it could not reach, in the same seconds.

Keys are split at random into two groups: one reaches the service directly, the other by a way on which the fault is. A
slow minute of the environment is slow for both, so it is no part of their difference; before and after cannot tell the
two apart (A. Basiri et al., *ChAP*, ICSE SEIP 2019).

An answer is *good* if it was ok and came within a limit. Operations in order of arrival are cut into small blocks that
hold some of each group; the difference of the two shares of good answers in a block is one observation. Their mean has
a confidence sequence (see `sequential`), so it is told when the difference was first shown, though one looked all the
time.

* Before any fault the groups must be alike: the difference within the margin. Otherwise the split itself differs (its
  keys, its way), and nothing follows.
* Under a fault on the way of one group: **pass** if the difference is shown to be less than the margin, **fail** if it
  is shown to be more, else unknown.
* A fault on what both groups use reaches both. Their difference then says nothing about that fault; it is told, and
  not judged.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from resilience.columns import Bool, Float64, Samples
from resilience.judge.case import Case
from resilience.judge.quantiles import MS, NS, OK, nearest_rank, of_segment, response_ns
from resilience.judge.sequential import confidence_sequence
from resilience.model import CONTROL_GROUP, EXPERIMENT_GROUP, Answer, Control, Json, Part, Phase, PhaseName

ALPHA = 0.05
WAY = f"service-{EXPERIMENT_GROUP}"
"""The part between the experiment's group and the service."""

_OF_EACH = 2
"""A block is so long that it holds about so many of the smaller group."""


@dataclass(frozen=True, slots=True)
class Compared:
    """The two groups in a phase.

    Attributes:
        difference: share of good answers of the control group less that of the other; above 0 is worse for the other.
        low, high: bounds that hold at every instant together; at the phase's end.
        shown_s: when it was first shown that there is a difference at all; None if it was not.
        beyond_s: when it was first shown to be more than the margin.
    """

    phase: Phase
    good: tuple[float, float]
    counts: tuple[int, int]
    p95_ms: tuple[float | None, float | None]
    difference: float
    low: float
    high: float
    shown_s: float | None
    beyond_s: float | None


def check_control(case: Case) -> Part:
    """Compare the two groups in the baseline and under each fault."""
    settings = case.record.experiment.load.control
    if settings is None:
        return Part("control", Answer.UNKNOWN, "the load has no control group")
    limit_ns = _limit_ns(case, settings)
    if limit_ns is None:
        return Part("control", Answer.UNKNOWN, "nothing was answered in the baseline, so no answer can be called good")
    phases = [phase for phase in case.phases if phase.name in {PhaseName.BASELINE, PhaseName.FAULT}]
    # All faults together have one chance in twenty; the baseline, which only says whether they can be judged, its own.
    faults = max(1, sum(phase.name is PhaseName.FAULT for phase in phases))
    alphas = [ALPHA / (faults if phase.name is PhaseName.FAULT else 1) for phase in phases]
    rows = [_compare(case, phase, limit_ns, settings, alpha) for phase, alpha in zip(phases, alphas, strict=True)]
    judged = [(phase, row, *_judge(case, phase, row, settings)) for phase, row in zip(phases, rows, strict=True)]
    answers = [answer for _, _, answer, _ in judged if answer is not None]
    told = [why for _, _, _, why in judged]
    on_way = any(answer is not None for phase, _, answer, _ in judged if phase.name is PhaseName.FAULT)
    if not on_way:
        answers.append(Answer.UNKNOWN)
        told.insert(0, f"no fault is on {WAY}: both groups met the same, so their difference says nothing of it")
    answer = Answer.worst(answers)
    worst = [why for _, _, one, why in judged if one is answer] or told
    because = (
        worst[0]
        if answer is not Answer.PASS
        else "; ".join(why for phase, _, one, why in judged if one is answer and phase.name is PhaseName.FAULT)
    )
    data: dict[str, Json] = {
        "share": settings.share,
        "margin": settings.margin,
        "slower_than_ms": limit_ns / MS,
        "confidence": 1 - ALPHA,
        "phases": [_json(phase, row, one, why) for phase, row, one, why in judged],
    }
    return Part(
        "control",
        answer,
        because if on_way or answer is not Answer.UNKNOWN else told[0],
        tuple(told),
        {"control": data},
    )


def _limit_ns(case: Case, settings: Control) -> int | None:
    """Up to what an answer came in time: as the file says, else the band of recovery."""
    if settings.slow_s is not None:
        return round(settings.slow_s * NS)
    recovery = case.record.experiment.recovery
    times = np.sort(
        np.concatenate([response_ns(case.during(phase)) for phase in case.baselines] or [np.zeros(0, np.int64)])
    )
    if not len(times):
        return None
    return round(max(recovery.latency_factor * nearest_rank(times, 0.95), recovery.latency_floor_s * NS))


def _compare(case: Case, phase: Phase, limit_ns: int, settings: Control, alpha: float) -> Compared | None:
    samples = case.of_mix(case.during(phase))
    groups = [of_segment(samples, "region", name) for name in (CONTROL_GROUP, EXPERIMENT_GROUP)]
    if not all(len(group) for group in groups):
        return None
    good = (samples.outcome == OK) & (samples.end_ns - samples.arrival_ns <= limit_ns)
    exposed = _in_group(samples)
    values, ends_s = _observations(good, exposed, samples.arrival_ns / NS, settings.share)
    if not len(values):
        return None
    found = confidence_sequence(values, alpha, -1.0, 1.0)
    shares = [float(np.mean(good[exposed == group])) for group in (False, True)]
    times = [response_ns(group) for group in groups]
    return Compared(
        phase,
        (shares[0], shares[1]),
        (len(groups[0]), len(groups[1])),
        tuple(nearest_rank(one, 0.95) / MS if len(one) else None for one in times),  # type: ignore[arg-type] # two
        shares[0] - shares[1],
        float(found.low[-1]),
        float(found.high[-1]),
        _first(found.low > 0, ends_s),
        _first(found.low > settings.margin, ends_s),
    )


def _in_group(samples: Samples) -> Bool:
    """Of which samples the group is the experiment's."""
    assert samples.region is not None  # noqa: S101 - both groups have samples
    group: Bool = samples.region == list(samples.regions).index(EXPERIMENT_GROUP)
    return group


def _observations(good: Bool, exposed: Bool, arrival_s: Float64, share: float) -> tuple[Float64, Float64]:
    """Difference of the shares of good answers in each block that holds both groups, and when the block ended.

    Which operations are in which group was drawn without regard to what becomes of them, so leaving out blocks that
    lack one favours neither.
    """
    size = math.ceil(_OF_EACH / min(share, 1 - share))
    block = np.arange(len(good)) // size
    count = int(block[-1]) + 1 if len(block) else 0
    totals = [np.bincount(block, weights=exposed == group, minlength=count) for group in (False, True)]
    goods = [np.bincount(block, weights=good & (exposed == group), minlength=count) for group in (False, True)]
    whole = (totals[0] > 0) & (totals[1] > 0)
    control, other = (hits[whole] / total[whole] for hits, total in zip(goods, totals, strict=True))
    last = np.minimum((np.arange(count) + 1) * size, len(good)) - 1
    return control - other, arrival_s[last][whole]


def _first(where: Bool, at_s: Float64) -> float | None:
    return float(at_s[int(np.argmax(where))]) if where.any() else None


def _judge(case: Case, phase: Phase, row: Compared | None, settings: Control) -> tuple[Answer | None, str]:
    """What follows from a phase; None is that it is not judged."""
    if row is None:
        return Answer.UNKNOWN, f"{phase.label}: one of the groups has no operations"
    told = (
        f"{phase.label}: {row.good[1]:.2%} good answers beside {row.good[0]:.2%} of the control group, a difference of "
        f"{row.difference * 100:.3g} points, between {row.low * 100:.3g} and {row.high * 100:.3g}"
    )
    margin = f"the margin of {settings.margin * 100:g} points"
    if phase.name is PhaseName.BASELINE:
        if -settings.margin < row.low and row.high < settings.margin:
            return Answer.PASS, told
        return Answer.UNKNOWN, f"{told}: the groups are not shown to be alike before any fault, within {margin}"
    if shared := sorted(_shared(case, phase)):
        why = f"{', '.join(shared)} reaches both groups, so this says nothing of it"
        return None, f"{told}; {why}"
    if row.high < settings.margin:
        return Answer.PASS, f"{told}: less than {margin}"
    if row.low > settings.margin and row.beyond_s is not None:
        after_s = row.beyond_s - phase.start_s
        return Answer.FAIL, f"{told}: more than {margin}, as was shown {after_s:.3g} s after the phase began"
    return Answer.UNKNOWN, f"{told}: whether that is more than {margin} cannot be told"


def _shared(case: Case, phase: Phase) -> Iterator[str]:
    """Faults of a phase that are not on the way of one group alone."""
    for fault in case.record.experiment.faults:
        meant = phase.about(fault.name) or (fault.group and phase.about(fault.group))
        if meant and fault.on != WAY:
            yield f"{fault.name} on {fault.on}"


def _json(phase: Phase, row: Compared | None, answer: Answer | None, because: str) -> Json:
    known: dict[str, Json] = {
        "phase": phase.label,
        "answer": None if answer is None else answer.value,
        "because": because,
    }
    if row is None:
        return known
    names = (CONTROL_GROUP, EXPERIMENT_GROUP)
    groups: dict[str, Json] = {
        name: {"count": row.counts[index], "good": row.good[index], "p95_ms": row.p95_ms[index]}
        for index, name in enumerate(names)
    }
    figures: dict[str, Json] = {
        "groups": groups,
        "difference": row.difference,
        "low": row.low,
        "high": row.high,
        "shown_s": row.shown_s,
        "beyond_s": row.beyond_s,
    }
    return known | figures
