"""Recovery: when clients lost full service after each fault, and when they had it back for good.

One *cycle* is one disturbance (a fault, or several that were in place together), observed from its request until the
next one's request or the end of the last phase.

* `degraded_s` (t_on): the beginning of the first run of bins outside the band (2 of 3), refined to single operations.
* `recovered_s` (t_rec): the beginning of the first stretch inside the band that holds for `hold_s` with at most one bin
  outside, back-dated to its beginning and refined. Out of the band again for about a second: a relapse; recovery then
  begins anew.
* `outage_s` = t_rec - t_on, what clients lived through, and `clear_to_recovered_s` = t_rec - t_clear.

The mean time to recover (`mttr_s`) is the mean of `outage_s` over the cycles with visible impact. It includes the time
for which the fault was held, so it never flatters; `clear_to_recovered_s` does not and is given beside it. A cycle that
did not recover while it was observed counts as longer than the limit. A fault without visible impact is a result of its
own and no part of the mean.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from resilience.judge.case import Case
from resilience.judge.changes import first_held, first_outside, locate, sustained, tail_inside
from resilience.judge.cycles import Cycle, Interval, find_interval
from resilience.judge.disturbances import Disturbance
from resilience.judge.quantiles import NS, OK, to_ns
from resilience.judge.signal import RARE, Band, Bins, find_band, find_bins, served
from resilience.judge.statistics import binomial_quantile, proven_share
from resilience.model import Answer, Json, Part

OVERLOADED = (429, 503)
"""Answers by which a target says of itself that something is wrong."""

_NAME = "recovery"


def check_recovery(case: Case) -> Part:
    """Judge every cycle and their mean."""
    limit_s = case.record.experiment.recovery.limit_s
    if not case.record.experiment.faults and not case.faults:
        return Part(_NAME, Answer.PASS, "there was no fault to recover from", (), _data((), Interval(), limit_s))
    band = find_band(case)
    if isinstance(band, str):
        return Part(_NAME, Answer.UNKNOWN, band, (), _data((), Interval(), limit_s))
    cycles = tuple(find_cycle(case, band, one) for one in case.disturbances)
    interval = find_interval(cycles, band.bin_s)
    answer, because = _decide(case, cycles, interval)
    evidence: list[Json] = [cycle.because for cycle in cycles]
    evidence.append(interval.meaning)
    if cycles and all(cycle.answer is Answer.PASS for cycle in cycles):
        share = proven_share(len(cycles))
        evidence.append(f"{_cycles(len(cycles))} within the limit prove, with 95 % confidence, only P ≥ {share:.0%}")
    evidence.append(
        f"full service is ok, not degraded and within {band.limit_ns / NS * 1000:.0f} ms of the intended start; "
        f"the baseline has at least {band.q0:.2%} of it; bins of {band.bin_s:g} s, {band.rate:.0f} operations a second"
    )
    return Part(_NAME, answer, because, tuple(evidence), _data(cycles, interval, limit_s))


def _data(cycles: Sequence[Cycle], interval: Interval, limit_s: float) -> dict[str, Json]:
    return {
        "recovery": {
            "mttr_s": interval.mean_s,
            "mttr_low_s": interval.low_s,
            "mttr_high_s": interval.high_s,
            "interval": interval.meaning,
            "limit_s": limit_s,
            "cycles": [cycle.json() for cycle in cycles],
        }
    }


def _cycles(count: int) -> str:
    return "1 cycle" if count == 1 else f"{count} cycles"


def _decide(case: Case, cycles: Sequence[Cycle], interval: Interval) -> tuple[Answer, str]:
    limit_s = case.record.experiment.recovery.limit_s
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
    if interval.bound_s >= limit_s:
        return Answer.UNKNOWN, f"{said}, but the upper bound of the mean is {interval.bound_s:.3g} s"
    return Answer.PASS, said


def find_cycle(case: Case, band: Band, window: Disturbance) -> Cycle:
    """What one disturbance did to clients."""
    faults = tuple(member.name for member in window.members)
    cycle = Cycle(window.name, window.what, Answer.UNKNOWN, "", faults=faults, like=window.like)
    if window.confirmed_s is None or window.clear_s is None:
        return replace(
            cycle, because=f"{window.name} was never seen both active and gone, so its recovery has no clock"
        )
    bins = find_bins(case, band, window.requested_s, window.until_s)
    cycle = replace(cycle, detected_s=_detected(case, window))
    asked = int(np.flatnonzero(bins.asked)[-1]) + 1 if bins.asked.any() else 0
    if asked == len(bins.asked):
        return _watched(case, band, window, bins, cycle)
    # Who was not asked to the end cannot have failed to answer: what was observed ends with the last that was.
    found = _watched(case, band, replace(window, until_s=bins.at(asked)), bins.until(asked), cycle)
    if found.answer is not Answer.UNKNOWN:
        return found
    return replace(found, because=f"{found.because}; after {bins.at(asked):.1f} s too few operations were offered")


def _watched(case: Case, band: Band, window: Disturbance, bins: Bins, cycle: Cycle) -> Cycle:
    """What one disturbance, seen both active and gone, did to clients while they were watched."""
    first = first_outside(bins, 0, needed=2, among=3)
    begin = _onset(bins, first, window.end_s)
    if begin is None:
        without = _not_felt(case, band, window, cycle)
        # A stumble, or a bin by itself, is chance, unless more failed than chance allows: then it was an impact.
        alone = first_outside(bins, 0, needed=1, among=1) if first is None else first
        if without.answer is not Answer.FAIL or alone is None:
            return without
        stumble = _felt(case, window, (band, bins), cycle, alone)
        return stumble if stumble.answer is Answer.PASS else without
    return _felt(case, window, (band, bins), cycle, begin)


def _not_felt(case: Case, band: Band, window: Disturbance, cycle: Cycle) -> Cycle:
    """A cycle without visible impact."""
    clear_s = window.clear_s or 0.0
    seen_s, hold_s = max(0.0, window.until_s - clear_s), case.record.experiment.recovery.hold_s
    if seen_s < hold_s:
        because = f"{window.name} was observed for only {seen_s:.1f} s after it was clear, less than {hold_s:g} s"
        return replace(cycle, because=because)
    because = f"{window.name} had no visible impact (nothing shorter than {2 * band.bin_s:g} s would be seen)"
    done = replace(cycle, answer=Answer.PASS, impact="none", because=because, resolution_s=2 * band.bin_s)
    return _residue(case, band, window, done, window.end_s)


def _onset(bins: Bins, first: int | None, over_s: float) -> int | None:
    """Where the band was left: at once if the fault was in place, only if sustained when it was gone already."""
    if first is None or bins.at(first) < over_s:
        return first
    needed, among = sustained(bins)
    return first_outside(bins, first, needed=needed, among=among)


def _felt(case: Case, window: Disturbance, signal: tuple[Band, Bins], cycle: Cycle, begin: int) -> Cycle:
    """A cycle with visible impact."""
    band, bins = signal
    recovery = case.record.experiment.recovery
    requested_s, clear_s = window.requested_s, window.clear_s or 0.0
    onset = locate(case, band, bins, begin, worse=True)
    degraded_s = max(onset.at_s, requested_s)
    cycle = replace(
        cycle,
        impact=_impact(case, window, degraded_s),
        degraded_s=degraded_s,
        time_to_degrade_s=max(0.0, degraded_s - (window.confirmed_s or 0.0)),
        lost_service_s=_lost_service(bins, band),
        resolution_s=onset.resolution_s,
    )
    needed, among = sustained(bins)
    length = max(1, math.ceil(recovery.hold_s / bins.width_s - 1e-9))
    index = first_held(bins, begin, recovery.hold_s)
    relapses = 0
    while index is not None:
        again = first_outside(bins, index + length, needed=needed, among=among)
        if again is None:
            break
        relapses += 1
        index = first_held(bins, again, recovery.hold_s)
    cycle = replace(cycle, relapses=relapses)
    if index is None:
        return _not_recovered(cycle, window, bins, recovery.hold_s)
    back = locate(case, band, bins, index, worse=False)
    recovered_s = max(back.at_s, degraded_s)
    outage_s = recovered_s - degraded_s
    after_s = max(0.0, recovered_s - clear_s)
    resolution_s = onset.resolution_s + back.resolution_s
    again_said = f" after {relapses} relapses" if relapses else ""
    within = outage_s < recovery.limit_s
    because = (
        f"{window.name}: full service was lost at {degraded_s:.2f} s and back at {recovered_s:.2f} s{again_said}: "
        f"{outage_s:.2f} s (± {resolution_s:.2f} s, limit {recovery.limit_s:g} s), "
        f"{after_s:.2f} s after the fault was clear"
    )
    done = replace(
        cycle,
        answer=Answer.PASS if within else Answer.FAIL,
        because=because,
        recovered_s=recovered_s,
        outage_s=outage_s,
        clear_to_recovered_s=after_s,
        resolution_s=resolution_s,
    )
    return _residue(case, band, window, done, bins.at(index + length))


def _not_recovered(cycle: Cycle, window: Disturbance, bins: Bins, hold_s: float) -> Cycle:
    seen_s = max(0.0, window.until_s - (window.clear_s or 0.0))
    inside_s = tail_inside(bins)
    if seen_s < hold_s:
        because = f"{window.name} was observed for only {seen_s:.1f} s after it was clear, less than {hold_s:g} s"
        return replace(cycle, because=because)
    if inside_s >= min(1.0, hold_s / 2):
        because = (
            f"{window.name}: full service had been back for the last {inside_s:.1f} s that were observed, "
            f"which is too short to tell whether it held ({hold_s:g} s)"
        )
        return replace(cycle, because=because)
    because = (
        f"{window.name}: not recovered within the {seen_s:.1f} s observed after the fault was clear"
        f"{f', after {cycle.relapses} relapses' if cycle.relapses else ''}"
    )
    return replace(cycle, answer=Answer.FAIL, because=because)


def _residue(case: Case, band: Band, window: Disturbance, cycle: Cycle, since_s: float) -> Cycle:
    """Fail a recovery after which a few operations keep failing: too few for any bin, too many for all together."""
    samples = case.traffic.between(max(since_s, window.clear_s or 0.0), window.until_s)
    count, right = len(samples), int(np.count_nonzero(served(samples)))
    if right >= binomial_quantile(RARE, count, band.served):
        return cycle
    because = (
        f"{window.name}: {count - right} of {count:,} operations were not well when it should have been over, "
        f"where the baseline allows {count - binomial_quantile(RARE, count, band.served)}"
    )
    return replace(cycle, answer=Answer.FAIL, because=because)


def _detected(case: Case, window: Disturbance) -> float | None:
    """When the target first said of itself that something was wrong, after the fault was confirmed."""
    samples = case.traffic.between(window.requested_s, window.until_s)
    signalled = ((samples.outcome == OK) & samples.degraded) | np.isin(samples.status, OVERLOADED)
    ends = samples.end_ns[signalled & (samples.end_ns >= to_ns(window.confirmed_s or 0.0))]
    ends = ends[ends < to_ns(window.until_s)]  # what is said under the next fault is about that one
    return float(ends.min()) / NS if len(ends) else None


def _impact(case: Case, window: Disturbance, degraded_s: float) -> str:
    """Whether clients were still served, if less well, while the fault was in place."""
    samples = case.traffic.between(degraded_s, max(window.end_s, degraded_s + 1.0))
    answered = int(np.count_nonzero(samples.outcome == OK))
    return "degraded" if answered * 2 >= len(samples) else "outage"


def _lost_service(bins: Bins, band: Band) -> float:
    """Seconds of full service that were lost: the sum over bins of the missing share of what was offered."""
    missing = np.where(bins.offered > 0, 1 - bins.good / np.maximum(bins.offered, 1), 1.0)
    return float(np.sum(np.maximum(0.0, missing - (1 - band.q0))) * bins.width_s)


def check_baseline(case: Case) -> Part:
    """Before the method: whether the baseline is good enough to judge recovery by."""
    band = find_band(case)
    if isinstance(band, str):
        return Part(_NAME, Answer.UNKNOWN, band)
    because = (
        f"normal is: at least {band.q0:.2%} full service at {band.rate:.0f} operations per second, "
        f"within {band.limit_ns / NS * 1000:.0f} ms"
    )
    return Part(_NAME, Answer.PASS, because)
