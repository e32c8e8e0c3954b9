"""What was read of resources, phase by phase, and limits on it: judged only where a limit is declared.

The mean of a series in a phase is over time: each reading stands for the stretch since the one before it, at most three
ordinary periods. A share that is made of two rates is the share of what was counted in the phase, not the mean of the
shares of its seconds. Where the readings of a phase cover less than nine tenths of it, a limit cannot be told to hold:
the answer is unknown, unless what was read fails it already by a maximum or minimum.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from resilience.judge.case import Case
from resilience.judge.quantiles import nearest_of
from resilience.model import Answer, Comparison, Json, Part, Phase, ResourceLimit
from resilience.model.resources import SHARES, Float64, Gap, Resources, Series

COVERED = 0.9
"""Share of a phase that must be covered by readings."""

_LONG = 3.0
_COMPARED = {
    Comparison.LT: np.less,
    Comparison.LE: np.less_equal,
    Comparison.GT: np.greater,
    Comparison.GE: np.greater_equal,
    Comparison.EQ: np.equal,
    Comparison.NE: np.not_equal,
}
_QUANTILES = {"min": 0.0, "med": 0.5, "max": 1.0}


@dataclass(frozen=True, slots=True)
class Stretch:
    """The readings of a series in a phase.

    Attributes:
        value: what was read. weight_s: the time that each stands for, all together at most the length of the phase.
        limit: the most that it could be at each reading; NaN where that was not known.
        covered: share of the phase that they stand for.
        mean: over time; of a share, over what was counted. None without readings.
    """

    value: Float64
    weight_s: Float64
    limit: Float64
    covered: float
    mean: float | None


def stretch_of(series: Series, phase: Phase, resources: Resources) -> Stretch:
    """The readings of a phase, and the time that each stands for."""
    inside = series.between(phase.start_s, phase.end_s)
    length_s = phase.end_s - phase.start_s
    if not len(inside) or length_s <= 0:
        nothing = np.zeros(0)
        return Stretch(nothing, nothing, nothing, 0.0, None)
    weight_s = _weights(series, phase)
    limit = inside.limits
    if limit is None:
        limit = np.full(len(inside), math.nan if inside.limit is None else inside.limit)
    stood_s = weight_s.sum()
    if series.name in SHARES:  # there is none where nothing was counted, which is no gap
        rate = resources.get(SHARES[series.name][0], series.of)
        stood_s = _weights(rate, phase).sum() if rate is not None else stood_s
    mean = float(np.average(inside.value, weights=weight_s)) if weight_s.sum() > 0 else float(inside.value.mean())
    return Stretch(
        inside.value,
        weight_s,
        limit,
        min(1.0, float(stood_s) / length_s),
        _counted_share(series, phase, resources, mean),
    )


def _weights(series: Series, phase: Phase) -> Float64:
    """Seconds since the reading before, and of the last one until the end; bounded, so that a gap is not covered."""
    all_s = series.at_s
    first, last = np.searchsorted(all_s, (phase.start_s, phase.end_s))
    if first == last:
        return np.zeros(0)
    usual_s = float(np.median(np.diff(all_s))) if len(all_s) > 1 else phase.end_s - phase.start_s
    before = np.concatenate(([max(phase.start_s, float(all_s[first]) - _LONG * usual_s)], all_s[first : last - 1]))
    weights = np.minimum(all_s[first:last] - before, _LONG * usual_s)
    weights[-1] += min(phase.end_s - float(all_s[last - 1]), usual_s)
    return weights


def _counted_share(series: Series, phase: Phase, resources: Resources, mean: float) -> float | None:
    """Σa / (Σa + Σb) of a share of two rates; of another series its mean."""
    if series.name not in SHARES:
        return mean
    total = []
    for name in SHARES[series.name]:
        rate = resources.get(name, series.of)
        inside = None if rate is None else rate.between(phase.start_s, phase.end_s)
        if rate is None or inside is None or not len(inside):
            return mean
        total.append(float((inside.value * _weights(rate, phase)).sum()))
    return total[0] / sum(total) if sum(total) > 0 else mean


def figures(case: Case) -> list[dict[str, object]]:
    """Every series in every phase: mean, least, most, and the most as a share of its limit."""
    resources = case.record.resources
    return [
        {
            "name": series.name,
            "of": series.of,
            "unit": series.unit.value,
            "limit": series.limit,
            "phases": [_figures(series, phase, resources) for phase in case.phases],
        }
        for series in resources.series
        if len(series)
    ]


def _figures(series: Series, phase: Phase, resources: Resources) -> dict[str, object]:
    stretch = stretch_of(series, phase, resources)
    some = len(stretch.value) > 0
    shares = stretch.value[stretch.limit > 0] / stretch.limit[stretch.limit > 0] if some else stretch.value
    return {
        "phase": phase.label,
        "count": len(stretch.value),
        "mean": stretch.mean,
        "min": float(stretch.value.min()) if some else None,
        "max": float(stretch.value.max()) if some else None,
        "share": float(shares.max()) if len(shares) else None,
    }


def gaps(found: Sequence[Gap]) -> list[dict[str, object]]:
    """Stretches in which something could not be read."""
    return [
        {"collector": gap.collector, "of": gap.of, "start_s": gap.start_s, "end_s": gap.end_s, "why": gap.why}
        for gap in found
    ]


@dataclass(frozen=True, slots=True)
class Judged:
    """A limit in a phase."""

    limit: ResourceLimit
    of: str
    phase: str
    value: float | None
    answer: Answer
    count: int
    because: str
    unit: str = ""

    def json(self) -> dict[str, Json]:
        """As in `verdict.json`, beside the objectives."""
        return {
            "phase": self.phase,
            "operation": "",
            "tenant": "",
            "region": "",
            "resource": self.limit.resource,
            "of": self.of,
            "expression": self.limit.expression,
            "value": self.value,
            "unit": self.unit,
            "answer": self.answer.value,
            "count": self.count,
            "because": self.because,
        }


def judge_limit(case: Case, limit: ResourceLimit) -> tuple[Judged, ...]:
    """Judge a limit in each phase that it speaks of; unknown if there was none, or nothing was read."""
    label = f"{limit.phase.value}({limit.fault})" if limit.fault else limit.phase.value
    named = [one for one in case.record.resources.named(limit.resource) if limit.of in {"", one.of}]
    phases = case.named(limit.phase, limit.fault)
    if not phases:
        return (_unknown(limit, limit.of, label, 0, f"there was no phase {label}"),)
    if not named:
        return tuple(_unknown(limit, limit.of, phase.label, 0, _missing(case, limit)) for phase in phases)
    return tuple(_in_phase(case, limit, series, phase) for series in named for phase in phases)


def _missing(case: Case, limit: ResourceLimit) -> str:
    """Why nothing was read, as far as gaps tell."""
    whys = [gap.why for gap in case.record.resources.gaps if limit.of in {"", gap.of.partition("/")[0], gap.of}]
    return "nothing was read" + (f": {whys[0]}" if whys else "")


def _unknown(limit: ResourceLimit, of: str, phase: str, count: int, why: str) -> Judged:
    because = f"{_about(limit, of)}: {limit.expression} cannot be told: {why}"
    return Judged(limit, of, phase, None, Answer.UNKNOWN, count, because)


def _about(limit: ResourceLimit, of: str) -> str:
    return f"{limit.resource} of {of}" if of else limit.resource


def _in_phase(case: Case, limit: ResourceLimit, series: Series, phase: Phase) -> Judged:
    stretch = stretch_of(series, phase, case.record.resources)
    count = len(stretch.value)
    if not count:
        why = next((f": {gap.why}" for gap in _gaps_of(case, series, phase)), "")
        return _unknown(limit, series.of, phase.label, 0, f"there are no readings in {phase.label}{why}")
    if limit.share and not np.all(stretch.limit > 0):
        return _unknown(limit, series.of, phase.label, count, "the most that it can be is not known")
    value = _value(limit, series, stretch)
    good = bool(_COMPARED[limit.comparison](value, limit.limit))
    unit = "share" if limit.share else series.unit.value
    shown = f"{value * 100:.4g} % of its limit" if limit.share else f"{value:.6g} {series.unit.value}"
    said = f"{_about(limit, series.of)}: {limit.expression} was {shown} in {phase.label} ({count:,} readings)"
    if stretch.covered < COVERED and (good or not _settled(limit)):
        why = f"{said}, but readings cover {stretch.covered * 100:.0f} % of {phase.label}"
        why += next((f": {gap.why}" for gap in _gaps_of(case, series, phase)), "")
        return Judged(limit, series.of, phase.label, value, Answer.UNKNOWN, count, why, unit)
    return Judged(limit, series.of, phase.label, value, Answer.PASS if good else Answer.FAIL, count, said, unit)


def _settled(limit: ResourceLimit) -> bool:
    """Whether what fails it stays a failure, whatever was not read: a maximum above, a minimum below."""
    upper = limit.comparison in {Comparison.LT, Comparison.LE} and limit.aggregate == "max"
    return upper or (limit.comparison in {Comparison.GT, Comparison.GE} and limit.aggregate == "min")


def _gaps_of(case: Case, series: Series, phase: Phase) -> list[Gap]:
    return [
        gap
        for gap in case.record.resources.gaps
        if gap.collector == series.collector
        and (gap.of in {series.of, series.of.partition("/")[0]} or gap.collector == "system")
        and gap.start_s < phase.end_s
        and gap.end_s > phase.start_s
    ]


def _value(limit: ResourceLimit, series: Series, stretch: Stretch) -> float:
    """The aggregate, as a share of the limit if it is compared with one."""
    values = stretch.value / stretch.limit if limit.share else stretch.value
    if limit.aggregate == "avg":
        if series.name in SHARES and stretch.mean is not None:  # its limit is 1
            return stretch.mean
        weights = stretch.weight_s if stretch.weight_s.sum() > 0 else None
        return float(np.average(values, weights=weights))
    quantile = _QUANTILES.get(limit.aggregate, (limit.quantile or 0.0) / 100)
    return float(nearest_of(np.sort(values), quantile))


def with_limits(case: Case, part: Part) -> Part:
    """The part *objectives* with the limits on resources among them; the same where none is declared."""
    limits = case.record.experiment.observing.limits
    if not limits:
        return part
    judged = [one for limit in limits for one in judge_limit(case, limit)]
    missed = sorted((one for one in judged if one.answer is not Answer.PASS), key=lambda one: -one.answer.severity)
    answer = Answer.worst([part.answer, *(one.answer for one in judged)])
    because = part.because
    if not missed:
        because += f"; all {len(judged)} limits on resources held" if answer is Answer.PASS else ""
    elif part.answer.severity >= missed[0].answer.severity and part.answer is not Answer.PASS:
        because += f"; {missed[0].because}"
    else:
        rest = f" (and {len(missed) - 1} more limits on resources not met)" if len(missed) > 1 else ""
        because = missed[0].because + rest
    listed = part.data.get("objectives")
    rows: list[Json] = [*(listed if isinstance(listed, list) else []), *(one.json() for one in judged)]
    evidence = (*part.evidence, *(one.because for one in missed))
    return Part(part.name, answer, because, evidence, {**part.data, "objectives": rows})


def document(case: Case) -> dict[str, object] | None:
    """What stands in `verdict.json` of resources; None where none were read. Nothing of it is judged."""
    resources = case.record.resources
    if not resources.series and not resources.gaps and not resources.problems:
        return None
    try:
        return {
            "series": figures(case),
            "gaps": gaps(resources.gaps),
            "profiles": [{"of": one.of, "phase": one.phase, "samples": one.samples} for one in resources.profiles],
            "problems": list(resources.problems),
        }
    except Exception as error:  # noqa: BLE001 - what was read besides never changes the answer
        return {"series": [], "gaps": [], "profiles": [], "problems": [f"{type(error).__name__}: {error}"]}
