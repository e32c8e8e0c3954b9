"""Objectives: thresholds on what clients saw, in a phase or in every sliding window of it.

Latency aggregates are over everything that was sent (see `judge.quantiles`). Where nothing at all was answered ok there
is no latency to speak of, however soon the refusals came: the answer is unknown, never pass.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from resilience.columns import Samples
from resilience.judge.aborted import ended_by
from resilience.judge.budget import apdex, availability, bad, budget_used, burn_rate
from resilience.judge.case import Case
from resilience.judge.equivalence import Stretch, compare
from resilience.judge.quantiles import DROPPED, MS, OK, Traffic, nearest_rank, of_operation, of_segment
from resilience.judge.signal import expected, too_few
from resilience.judge.timing import measured, those
from resilience.model import Answer, Comparison, Json, Objective, Part, Phase

EACH = "each"
"""Of tenants or regions: every one on its own."""

STEP_S = 1.0
"""Sliding windows begin this far apart."""

_COMPARE: dict[Comparison, Callable[[float, float], bool]] = {
    Comparison.LT: lambda value, limit: value < limit,
    Comparison.LE: lambda value, limit: value <= limit,
    Comparison.GT: lambda value, limit: value > limit,
    Comparison.GE: lambda value, limit: value >= limit,
    Comparison.EQ: lambda value, limit: value == limit,
    Comparison.NE: lambda value, limit: value != limit,
}

_ALWAYS_MEASURABLE = {"count", "rps"}
_TIMES = {"p", "avg", "min", "max", "med"}


@dataclass(frozen=True, slots=True)
class Judged:
    """One objective in one phase.

    Attributes:
        phase: label of the phase: `fault(redis-down)`.
        value: in the objective's own unit; of the worst window if it has windows; None without samples.
        count: samples that it rests on.
        low, high: of a relation, the bounds of the difference (each one-sided 95 %).
    """

    objective: Objective
    phase: str
    value: float | None
    answer: Answer
    count: int
    because: str
    low: float | None = None
    high: float | None = None

    def json(self) -> dict[str, Json]:
        """As in `verdict.json`."""
        return {
            "phase": self.phase,
            "operation": self.objective.operation,
            "tenant": self.objective.tenant,
            "region": self.objective.region,
            "expression": self.objective.expression,
            "value": self.value,
            "answer": self.answer.value,
            "count": self.count,
            **({"low": self.low, "high": self.high} if self.objective.relation else {}),
            "because": self.because,
        }


def measure(objective: Objective, samples: Samples, seconds: float, usual: float | None = None) -> float | None:
    """The value of an objective's aggregate over samples that arrived within `seconds`; None if there is none.

    Args:
        objective: its aggregate, with what stands in its parentheses.
        samples: those that it is about.
        seconds: the length of the stretch in which they arrived.
        usual: operations offered per second in the baseline; a share of a budget needs it.

    Raises:
        ValueError: the aggregate is not known.
    """
    offered = len(samples)
    ok = int(np.count_nonzero(samples.outcome == OK))
    match objective.aggregate:
        case "count":
            return float(offered)
        case "rps":
            return ok / seconds if seconds > 0 else None
        case "rate":
            return (offered - ok) / offered if offered else None
        case "degraded":
            return float(np.count_nonzero(samples.degraded & (samples.outcome == OK))) / ok if ok else None
        case "shed":
            return float(np.count_nonzero(samples.shed)) / offered if offered else None
        case "availability":
            return availability(samples)
        case "apdex":
            return apdex(samples, objective.argument or 0.0)
        case "burn":
            return burn_rate(samples, (objective.argument or 0.0) / 100)
        case "budget":
            return budget_used(bad(samples), usual, (objective.argument or 0.0) / 100) if usual and offered else None
        case _:
            return _latency(objective, samples) if ok else None


def _latency(objective: Objective, samples: Samples) -> float | None:
    if objective.measure:
        return measured(objective, samples)
    sent = samples.outcome != DROPPED
    times = np.sort(samples.end_ns[sent] - samples.arrival_ns[sent])
    quantiles = {"min": 0.0, "med": 0.5, "max": 1.0, "p": (objective.quantile or 0.0) / 100}
    if objective.aggregate == "avg":
        return float(np.mean(times)) / MS
    if objective.aggregate not in quantiles:
        raise ValueError(
            f"{objective.expression}: the aggregate is {objective.aggregate!r}, "
            f"expected one of apdex, availability, avg, budget, burn, count, degraded, max, med, min, p, rate, rps"
        )
    return nearest_rank(times, quantiles[objective.aggregate]) / MS


def holds(objective: Objective, value: float) -> bool:
    """Whether a value meets the threshold."""
    return _COMPARE[objective.comparison](value, objective.limit)


def _badness(objective: Objective, value: float) -> float:
    """Larger is worse, for choosing the worst window."""
    match objective.comparison:
        case Comparison.LT | Comparison.LE:
            return value
        case Comparison.GT | Comparison.GE:
            return -value
        case Comparison.EQ:
            return abs(value - objective.limit)
        case _:
            return -abs(value - objective.limit)


def _windows(phase: Phase, window_s: float) -> Iterator[tuple[float, float]]:
    """Every window of the length that lies within the phase, at steps of a second; and one that ends with the phase."""
    last_s = phase.end_s - window_s
    for step in range(math.floor((last_s - phase.start_s) / STEP_S) + 1):
        yield phase.start_s + step * STEP_S, phase.start_s + step * STEP_S + window_s
    yield last_s, phase.end_s


def judge_objective(case: Case, objective: Objective) -> tuple[Judged, ...]:
    """Judge an objective in each phase that it speaks of; unknown if there was none."""
    found = case.named(objective.phase, objective.fault)
    if not found:
        label = f"{objective.phase.value}({objective.fault})" if objective.fault else objective.phase.value
        return (_unknown(objective, label, 0, f"there was no phase {label}"),)
    return tuple(_or_ended(case, _in_phase(case, one, phase)) for one in _each(case, objective) for phase in found)


def _each(case: Case, objective: Objective) -> Iterator[Objective]:
    """The objective for every tenant and region that it is about."""
    load = case.record.experiment.load
    tenants = [one.name for one in load.tenants] if objective.tenant == EACH else []
    regions = [one.name for one in load.regions] if objective.region == EACH else []
    for tenant in tenants or [objective.tenant]:
        for region in regions or [objective.region]:
            yield replace(objective, tenant=tenant, region=region)


def _about(objective: Objective) -> str:
    """What an objective is about: `read-item of tenant blue`."""
    words = objective.operation
    words += f" of tenant {objective.tenant}" if objective.tenant else ""
    return words + (f" from region {objective.region}" if objective.region else "")


def _unknown(objective: Objective, phase: str, count: int, why: str) -> Judged:
    because = f"{_about(objective)}: {objective.expression} cannot be told: {why}"
    return Judged(objective, phase, None, Answer.UNKNOWN, count, because)


def _selection(case: Case, objective: Objective) -> Callable[[Samples], Samples] | str:
    """Picks the samples that an objective is about; a text says why there are none."""
    samples = case.traffic.samples
    index = case.traffic.index(objective.operation)
    if objective.operation != "all" and index < 0:
        return f"no operation {objective.operation!r} was ever offered"
    for kind, name, names in (
        ("tenant", objective.tenant, samples.tenants),
        ("region", objective.region, samples.regions),
    ):
        if name and name not in names:
            return f"no operation of {kind} {name!r} was ever offered"
    timed = those(objective, case.record.experiment.load) if objective.measure else frozenset()
    has = [number for number, name in enumerate(samples.operations) if name in timed]

    def choose(some: Samples) -> Samples:
        some = some.where(np.isin(some.operation, has)) if objective.measure else some
        some = some if objective.operation == "all" else of_operation(some, index)
        some = of_segment(some, "tenant", objective.tenant) if objective.tenant else some
        return of_segment(some, "region", objective.region) if objective.region else some

    return choose


def _in_phase(case: Case, objective: Objective, phase: Phase) -> Judged:
    chosen = _selection(case, objective)
    if isinstance(chosen, str):
        return _unknown(objective, phase.label, 0, chosen)
    if objective.relation:
        return _compare(case, objective, phase, chosen)
    traffic = Traffic(chosen(case.during(phase)))
    count = len(traffic.samples)
    if count == 0 and objective.aggregate not in _ALWAYS_MEASURABLE:
        return _unknown(objective, phase.label, 0, f"no samples in {phase.label}")
    usual = None
    if objective.aggregate == "budget":
        usual = _usual(case, chosen)
        if not usual:
            return _unknown(objective, phase.label, count, "the baseline has none, so its usual rate is not known")
    length_s = phase.end_s - phase.start_s
    spans = [(phase.start_s, phase.end_s)]
    if objective.window_s is not None:
        if length_s < objective.window_s:
            why = f"{phase.label} lasted {length_s:.1f} s, less than the window of {objective.window_s:g} s"
            return _unknown(objective, phase.label, count, why)
        spans = list(_windows(phase, objective.window_s))
    judged = _over(objective, phase, traffic, spans, usual)
    if judged.answer is Answer.FAIL and objective.aggregate in _ALWAYS_MEASURABLE:
        offered = len(case.of_mix(case.during(phase)))
        due = expected(case.record.experiment.load, phase.start_s, phase.end_s)
        if too_few(offered, due):  # who was not asked cannot have failed to answer
            why = f"{offered:,} operations are on record for {phase.label} where the load's profile has {due:,.0f}"
            return _unknown(objective, phase.label, count, why)
    return judged


def _or_ended(case: Case, judged: Judged) -> Judged:
    """The same, unless that objective ended the run in that phase: then that, if the record bears it out."""
    objective = judged.objective
    ended = ended_by(case, objective, judged.phase)
    chosen = _selection(case, objective)
    if ended is None or isinstance(chosen, str):
        return judged
    seen = ended.seen(chosen(case.traffic.samples))
    length_s = ended.until_s - ended.from_s
    values = [measure(objective, seen, length_s)]
    if objective.aggregate in _TIMES:  # what only the generator's own lateness made too long: as in `_over`
        values.append(measure(objective, _from_start(seen), length_s))
    when = f"the run was ended at {ended.until_s:.2f} s, in {judged.phase}"
    if all(value is not None and not holds(objective, value) for value in values):
        said = f"{_about(objective)}: {objective.expression} was {values[0]:.6g} of what had ended since "
        because = f"{said}{ended.from_s:.2f} s ({len(seen):,} operations), so {when}"
        return replace(judged, value=values[0], answer=Answer.FAIL, count=len(seen), because=because)
    if judged.answer is Answer.FAIL:
        return replace(judged, because=f"{judged.because}; {when}")
    why = f"{when}, because it was seen to be {ended.value:.6g}, and the record does not bear that out"
    return _unknown(objective, judged.phase, judged.count, why)


def _over(
    objective: Objective, phase: Phase, traffic: Traffic, spans: Sequence[tuple[float, float]], usual: float | None
) -> Judged:
    """The worst of the stretches; a latency that only the generator's own lateness made too long is unknown."""
    count = len(traffic.samples)

    def worst(some: Traffic) -> Judged:
        values = [measure(objective, some.between(*span), span[1] - span[0], usual) for span in spans]
        return _decide(objective, phase, count, values)

    judged = worst(traffic)
    if judged.answer is Answer.FAIL and objective.aggregate in _TIMES:
        begun = worst(Traffic(_from_start(traffic.samples)))
        if begun.answer is not Answer.FAIL:  # an operation waits for nothing but the generator: see judge.generator
            why = f"it was {judged.value:.6g}, and {begun.value:.6g} from when the generator really began"
            return _unknown(objective, phase.label, count, why)
    return judged


def _compare(case: Case, objective: Objective, phase: Phase, chosen: Callable[[Samples], Samples]) -> Judged:
    """Judge a relation to the baseline: the value is the difference that was seen, as a share of 1."""
    before = [Stretch(chosen(case.during(one)), one.start_s, one.end_s) for one in case.baselines]
    after = Stretch(chosen(case.during(phase)), phase.start_s, phase.end_s)
    what = f"{_about(objective)}: {objective.expression}"
    found = compare(objective, before, after)
    if isinstance(found, str):
        return _unknown(objective, phase.label, len(after.samples), found)
    because = f"{what}: {found.because} ({len(after.samples):,} operations)"
    return Judged(objective, phase.label, found.value, found.answer, len(after.samples), because, found.low, found.high)


def _from_start(samples: Samples) -> Samples:
    """Operations as if they had been meant to start when they did."""
    late_ns = samples.start_ns - samples.arrival_ns
    first_ns = samples.first_ns
    if first_ns is not None:
        first_ns = np.where(first_ns >= 0, first_ns - late_ns, first_ns)
    return replace(samples, end_ns=samples.end_ns - late_ns, first_ns=first_ns)


def _usual(case: Case, chosen: Callable[[Samples], Samples]) -> float:
    """Operations offered per second of the baseline, of those that are chosen."""
    length_s = sum(phase.end_s - phase.start_s for phase in case.baselines)
    return sum(len(chosen(case.during(phase))) for phase in case.baselines) / length_s if length_s > 0 else 0.0


def _decide(objective: Objective, phase: Phase, count: int, values: list[float | None]) -> Judged:
    told = [value for value in values if value is not None]
    if not told:
        why = f"of too many its {objective.measure} is not known" if objective.measure else "nothing was answered ok"
        return _unknown(objective, phase.label, count, f"{why} in {phase.label}")
    worst = max(told, key=lambda value: _badness(objective, value))
    where = phase.label if objective.window_s is None else f"the worst {objective.window_s:g} s of {phase.label}"
    said = f"{_about(objective)}: {objective.expression} was {worst:.6g} in {where} ({count:,} operations)"
    if not holds(objective, worst):
        return Judged(objective, phase.label, worst, Answer.FAIL, count, said)
    if len(told) < len(values):
        missing = f"{said}, but {len(values) - len(told)} of {len(values)} windows had nothing to measure"
        return Judged(objective, phase.label, worst, Answer.UNKNOWN, count, missing)
    return Judged(objective, phase.label, worst, Answer.PASS, count, said)


def check_objectives(case: Case, objectives: tuple[Objective, ...]) -> Part:
    """Judge objectives; an experiment without any passes, and says so."""
    judged = [one for objective in objectives for one in judge_objective(case, objective)]
    data: dict[str, Json] = {"objectives": [one.json() for one in judged]}
    if not judged:
        return Part("objectives", Answer.PASS, "no objectives were set", (), data)
    answer = Answer.worst(one.answer for one in judged)
    missed = [one for one in judged if one.answer is not Answer.PASS]
    missed.sort(key=lambda one: -one.answer.severity)
    if missed:
        rest = f" (and {len(missed) - 1} more not met)" if len(missed) > 1 else ""
        return Part("objectives", answer, missed[0].because + rest, tuple(one.because for one in missed), data)
    return Part("objectives", answer, f"all {len(judged)} objectives were met", (), data)
