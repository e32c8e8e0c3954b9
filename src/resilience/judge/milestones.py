"""What lies between losing full service and having it back: detection, first success, throughput, mitigation, loss.

All of it is read from what clients saw of one disturbance, and from nothing else:

* `detected_s`: the target first said of itself that something was wrong: a degraded answer, a refusal with 429 or 503,
  or its own readiness that is not well, if that is among the operations.
* `first_success_s`: the first answer that was ok, of all that were due after the first that was not.
* `full_throughput_s`: as many operations as usual were ok again, however late, degraded or not, and it held.
* `mitigated_s`: as many as usual were ok and in time again, degraded or not, and it held. With full service back at
  once, that is recovery itself.
* `lost_service_s`: the resilience loss of Bruneau et al. 2003 with Q the share of full service, in seconds of full
  service: R = Σ (1 - Q(t) / usual) Δ, from the request of the fault until `limit_s` after it, whatever comes then.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from resilience.columns import Bool, Samples
from resilience.judge.case import Case
from resilience.judge.changes import first_held, first_outside, locate
from resilience.judge.cycles import Cycle
from resilience.judge.disturbances import Disturbance
from resilience.judge.quantiles import NS, OK, to_ns
from resilience.judge.signal import RARE, Band, Bins, Level, at_level, bins_at
from resilience.judge.statistics import binomial_quantile, wilson_lower

OVERLOADED = (429, 503)
"""Answers by which a target says of itself that something is wrong."""


@dataclass(frozen=True, slots=True)
class Watch:
    """One disturbance, and the operations that are looked at while it is watched: all, or those of one kind."""

    case: Case
    band: Band
    window: Disturbance
    bins: Bins


def detected(case: Case, window: Disturbance) -> tuple[float | None, str]:
    """When the target first said of itself that something was wrong, after the fault was confirmed, and how.

    What it says now and then in the baseline, too, counts only if it says it more often than chance allows.
    """
    samples = case.traffic.between(window.requested_s, window.until_s)
    after = samples.end_ns >= to_ns(window.confirmed_s or 0.0)
    # What is said under the next fault is about that one.
    after &= samples.end_ns < to_ns(window.until_s)
    usual = [dict(_signals(case, case.during(phase))) for phase in case.baselines]
    first: tuple[float | None, str] = (None, "")
    for what, said in _signals(case, samples):
        now = said & after
        before = sum(int(np.count_nonzero(one[what])) for one in usual)
        count, of = int(np.count_nonzero(now)), len(samples)
        if not count or (before and of - count >= _allowed(of, before, sum(len(one[what]) for one in usual))):
            continue
        at_s = float(samples.end_ns[now].min()) / NS
        if first[0] is None or at_s < first[0]:
            first = (at_s, what)
    return first


def _allowed(of: int, before: int, count: int) -> int:
    """How many of so many are silent at least, if as many as before speak."""
    return binomial_quantile(RARE, of, wilson_lower(count - before, count))


def _signals(case: Case, samples: Samples) -> Iterator[tuple[str, Bool]]:
    """What a target can say of itself → which operations said it."""
    yield "a degraded answer", (samples.outcome == OK) & samples.degraded
    yield "429 or 503", (samples.status == OVERLOADED[0]) | (samples.status == OVERLOADED[1])
    service, operations = case.record.experiment.stack.service, case.record.experiment.load.operations
    ready = [one.name for one in operations if service is not None and one.path == service.ready]
    if ready:
        asked = np.isin(samples.operation, [case.traffic.index(name) for name in ready])
        yield "its readiness", asked & (samples.outcome != OK) & (samples.status > 0)


def add_milestones(watch: Watch, cycle: Cycle, begin: int) -> Cycle:
    """A cycle whose full service was lost in bin `begin`, with all that lies between that and having it back."""
    throughput_s, throughput_resolution_s = _back(watch, cycle, begin, Level.ANSWERED)
    mitigated_s, mitigated_resolution_s = _back(watch, cycle, begin, Level.USEFUL)
    if throughput_s is not None and mitigated_s is not None:
        throughput_s = min(throughput_s, mitigated_s)  # what was in time was answered
    first_s = _first_success(watch, cycle)
    lost_s, lost = _lost(watch)
    since = cycle.degraded_s or 0.0

    def after(instant_s: float | None) -> float | None:
        return None if instant_s is None else max(0.0, instant_s - since)

    return replace(
        cycle,
        first_success_s=first_s,
        full_throughput_s=throughput_s,
        mitigated_s=mitigated_s,
        time_to_first_success_s=after(first_s),
        time_to_full_throughput_s=after(throughput_s),
        time_to_mitigate_s=after(mitigated_s),
        milestones_resolution_s=max(throughput_resolution_s, mitigated_resolution_s),
        lost_service_s=lost_s,
        lost_operations=lost,
        robustness=_robustness(watch, cycle, begin),
    )


def _back(watch: Watch, cycle: Cycle, begin: int, level: Level) -> tuple[float | None, float]:
    """When a lower level of service was back, and how exact that is; if it was never lost, when full service was."""
    case, window = watch.case, watch.window
    band = at_level(case, watch.band, level)
    bins = bins_at(case, band, watch.bins)
    degraded_s, recovered_s = cycle.degraded_s or 0.0, cycle.recovered_s
    usual_s = cycle.resolution_s or 0.0
    if bins is watch.bins:
        return recovered_s, usual_s  # nothing lies between this level and full service
    out = first_outside(bins, begin, needed=1, among=1)
    if out is None or (recovered_s is not None and bins.at(out) >= recovered_s):
        return degraded_s, usual_s
    index = first_held(bins, out, case.record.experiment.recovery.hold_s)
    if index is None:
        return recovered_s, usual_s
    back = locate(case, band, bins, index, worse=False)
    at_s = max(back.at_s, degraded_s, window.requested_s)
    if recovered_s is not None and recovered_s <= at_s:
        return recovered_s, usual_s
    return at_s, back.resolution_s


def _first_success(watch: Watch, cycle: Cycle) -> float | None:
    """When the first ok answer came after the first operation that was not ok; if all were, when service was lost."""
    samples = watch.case.traffic.between(cycle.degraded_s or 0.0, watch.window.until_s)
    if cycle.recovered_s is not None:
        lost = watch.case.traffic.between(cycle.degraded_s or 0.0, cycle.recovered_s)
        if bool((lost.outcome == OK).all()):
            return cycle.degraded_s
    bad = np.flatnonzero(samples.outcome != OK)
    if not len(bad):
        return cycle.degraded_s
    right = samples.outcome == OK
    right[: bad[0]] = False
    return float(samples.end_ns[right].min()) / NS if right.any() else None


def _lost(watch: Watch) -> tuple[float, int]:
    """Seconds of full service that were lost, and operations, beyond what the baseline lacks of both."""
    bins, usual = watch.bins, watch.band.usual
    end_s = watch.window.requested_s + watch.case.record.experiment.recovery.limit_s
    within = bins.start_s + np.arange(len(bins.offered)) * bins.width_s < end_s
    offered, well = bins.offered[within], bins.good[within]
    share = np.where(offered > 0, well / np.maximum(offered, 1), 0.0)
    lost_s = float(np.sum(1 - share / usual) * bins.width_s)
    return max(0.0, lost_s), max(0, round(float(usual * offered.sum() - well.sum())))


def _robustness(watch: Watch, cycle: Cycle, begin: int) -> float:
    """The share of the usual service in the worst bin, of those in which something was offered."""
    bins = watch.bins
    last = len(bins.offered)
    if cycle.recovered_s is not None:
        last = max(begin + 1, min(last, int((cycle.recovered_s - bins.start_s) / bins.width_s) + 1))
    offered, well = bins.offered[begin:last], bins.good[begin:last]
    asked = offered > 0
    return float(min(1.0, (well[asked] / offered[asked]).min() / watch.band.usual)) if asked.any() else 0.0
