"""Recovery: when clients lost full service after each fault, and when they had it back for good.

One *cycle* is one disturbance (a fault, or several that were in place together), observed from its request until the
next one's request or the end of the last phase. `judge.outages` finds when service was lost and when it was back,
`judge.milestones` what lies between, `judge.per_operation` the same of each kind of operation.

* `outage_s` = t_rec - t_on, what clients lived through, and `clear_to_recovered_s` = t_rec - t_clear.

The mean time to recover (`mttr_s`) is the mean of `outage_s` over the cycles with visible impact. It includes the time
for which the fault was held, so it never flatters; `clear_to_recovered_s` does not and is given beside it. A cycle that
did not recover while it was observed counts as longer than the limit. A fault without visible impact is a result of its
own and no part of the mean.

What is asked of several cycles is the experiment's `recovery.gate`:

* `each`: every cycle is within the limit; if there are enough for an upper bound of the mean, that is, too.
* `bound`: the same, and there must be enough for one: three of each fault that was felt.
* `mean`: the mean is within the limit, whatever single cycles took; every one must have recovered.

A bound beyond the limit is unknown: nothing bad was seen, and too little to exclude it.
"""

from collections.abc import Mapping, Sequence

from resilience.judge.case import Case
from resilience.judge.cycles import MIN_FOR_INTERVAL, Cycle, Interval, find_interval, find_trends
from resilience.judge.outages import find_cycle
from resilience.judge.per_operation import OperationRecovery, find_operations, worst_critical
from resilience.judge.quantiles import NS
from resilience.judge.signal import Band, find_band
from resilience.judge.statistics import proven_share
from resilience.model import Answer, Json, Part

_NAME = "recovery"


def check_recovery(case: Case) -> Part:
    """Judge every cycle and their mean."""
    recovery = case.record.experiment.recovery
    if not case.record.experiment.faults and not case.faults:
        return Part(_NAME, Answer.PASS, "there was no fault to recover from", (), _data(case, (), Interval()))
    band = find_band(case)
    if isinstance(band, str):
        return Part(_NAME, Answer.UNKNOWN, band, (), _data(case, (), Interval()))
    cycles = tuple(find_cycle(case, band, one) for one in case.disturbances)
    operations = find_operations(case, band)
    interval = find_interval(cycles, band.bin_s)
    answer, because = _decide(case, cycles, interval)
    broken = worst_critical(tuple(operations.values()))
    if broken is not None and answer is not Answer.FAIL:
        answer, because = Answer.FAIL, f"{broken.name} by itself did not recover: {broken.because}"
    evidence: list[Json] = [cycle.because for cycle in cycles]
    evidence.append(interval.meaning)
    evidence += [trend.said(recovery.limit_s) for trend in find_trends(cycles)]
    if _proven(cycles, recovery.limit_s) is not None:
        share = proven_share(len(cycles))
        evidence.append(f"{_cycles(len(cycles))} within the limit prove, with 95 % confidence, only P ≥ {share:.0%}")
    evidence += [f"{one.name}: {one.answer.value}: {one.because}" for one in operations.values()]
    evidence += [note for cycle in cycles for note in cycle.notes]
    evidence.append(
        f"full service is ok, not degraded and within {band.limit_ns / NS * 1000:.0f} ms of the intended start; "
        f"the baseline has at least {band.q0:.2%} of it; bins of {band.bin_s:g} s, {band.rate:.0f} a second; "
        f"bins alone would tell an instant to {band.coarse_s:.2f} s"
    )
    return Part(_NAME, answer, because, tuple(evidence), _data(case, cycles, interval, band, operations))


def _data(
    case: Case,
    cycles: Sequence[Cycle],
    interval: Interval,
    band: Band | None = None,
    operations: Mapping[str, OperationRecovery] | None = None,
) -> dict[str, Json]:
    recovery = case.record.experiment.recovery
    return {
        "recovery": {
            "mttr_s": interval.mean_s,
            "mttr_low_s": interval.low_s,
            "mttr_high_s": interval.high_s,
            "mttr_at_least_s": interval.at_least_s,
            "interval": interval.meaning,
            "limit_s": recovery.limit_s,
            "gate": recovery.gate,
            "proven_share": _proven(cycles, recovery.limit_s),
            "coarse_resolution_s": None if band is None else band.coarse_s,
            "trends": [trend.json() for trend in find_trends(cycles)],
            "cycles": [cycle.json() for cycle in cycles],
            "operations": {name: one.json() for name, one in (operations or {}).items()},
        }
    }


def _proven(cycles: Sequence[Cycle], limit_s: float) -> float | None:
    """The share of all cycles that is proven to be within the limit; None unless all that were seen are."""
    within = all(cycle.answer is Answer.PASS and (cycle.outage_s or 0.0) < limit_s for cycle in cycles)
    return proven_share(len(cycles)) if cycles and within else None


def _cycles(count: int) -> str:
    return "1 cycle" if count == 1 else f"{count} cycles"


def _decide(case: Case, cycles: Sequence[Cycle], interval: Interval) -> tuple[Answer, str]:
    recovery = case.record.experiment.recovery
    limit_s = recovery.limit_s
    seen = {name for cycle in cycles for name in cycle.faults}
    missing = [fault.name for fault in case.record.experiment.faults if fault.name not in seen]
    answer = Answer.worst(cycle.answer for cycle in cycles)
    if answer is not Answer.PASS:
        worst = next((cycle for cycle in cycles if cycle.answer is answer), None)
        return answer, "no fault was requested" if worst is None else worst.because
    if missing:
        return Answer.UNKNOWN, f"no recovery was seen from faults that were never requested: {', '.join(missing)}"
    felt = [cycle for cycle in cycles if cycle.outage_s is not None]
    if not felt:
        return Answer.PASS, f"none of the {len(cycles)} faults had an impact that clients could see"
    mean_s, longest_s = interval.mean_s or 0.0, max(cycle.outage_s or 0.0 for cycle in felt)
    after = sum(cycle.clear_to_recovered_s or 0.0 for cycle in felt) / len(felt)
    said = (
        f"full service was back {mean_s:.2f} s after it was lost on average and {longest_s:.2f} s at most, "
        f"{after:.2f} s after the fault was clear ({_cycles(len(felt))}, limit {limit_s:g} s)"
    )
    if mean_s >= limit_s:
        return Answer.FAIL, said
    if interval.bound_s >= limit_s:
        return Answer.UNKNOWN, f"{said}, but the upper bound of the mean is {interval.bound_s:.3g} s"
    if recovery.gate == "bound" and interval.few:
        few = ", ".join(interval.few)
        return Answer.UNKNOWN, f"{said}, but a bound of the mean needs {MIN_FOR_INTERVAL} cycles of each fault: {few}"
    longer = [trend.like for trend in find_trends(cycles) if trend.longer]
    if longer:
        said += f"; it took longer each time after {', '.join(longer)}"
    return Answer.PASS, said


def check_baseline(case: Case) -> Part:
    """Before the method: whether the baseline is good enough to judge recovery by, if there will be any."""
    if not case.record.experiment.faults:
        return Part(_NAME, Answer.PASS, "there will be no fault to recover from")
    band = find_band(case)
    if isinstance(band, str):
        return Part(_NAME, Answer.UNKNOWN, band)
    because = (
        f"normal is: at least {band.q0:.2%} full service at {band.rate:.0f} operations per second, "
        f"within {band.limit_ns / NS * 1000:.0f} ms"
    )
    return Part(_NAME, Answer.PASS, because)
