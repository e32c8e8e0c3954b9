"""One cycle: when clients lost full service after a disturbance, when they had it back for good, and what remained.

* Lost (`degraded_s`): the beginning of the first run of bins outside the band (2 of 3), refined to single operations.
* Back (`recovered_s`): the beginning of the first stretch inside the band that holds for `hold_s` with at most one bin
  outside, back-dated to its beginning and refined.
* Out of the band again for about a second, or for three bins in which most operations were not served at all: a
  relapse, and recovery begins anew. What is shorter, or only slow, is a stumble.
* What is lost again when nobody watches any more is unknown. So is a recovery that took longer than `hold_s` after
  the fault was gone, if what failed in the last `hold_s` before it is a smaller share than could be found in what was
  observed afterwards, or if what was observed afterwards may well have the same share (likelier than `LUCK`): the
  stretch that held may have been luck. It is the luckiest of many, so `LUCK` is small.
"""

import math
from dataclasses import replace

import numpy as np

from resilience.judge.case import Case
from resilience.judge.changes import first_held, first_outside, locate, sustained, tail_inside
from resilience.judge.cycles import Cycle
from resilience.judge.disturbances import Disturbance
from resilience.judge.milestones import Watch, add_milestones, detected
from resilience.judge.quantiles import OK
from resilience.judge.residue import LEAST, UNLIKELY, find_residue, per_block
from resilience.judge.signal import LEAVE_POINTS, RARE, Band, Bins, find_bins, served
from resilience.judge.statistics import binomial_quantile, binomial_tail
from resilience.model import Answer

LUCK = 1e-6
"""How unlikely what was observed after a late recovery must be, if nothing had changed, to be more than luck."""


def find_cycle(case: Case, band: Band, window: Disturbance, unlikely: float = UNLIKELY) -> Cycle:
    """What one disturbance did to clients; `unlikely` is how seldom a residue may be told of a target that is well.

    A failure that is none if time is counted from when operations were really sent is the generator's, and unknown.
    """
    found = _cycle(case, band, window, unlikely)
    if (
        found.answer is not Answer.FAIL
        or _cycle(case, replace(band, excused=True), window, unlikely).answer is found.answer
    ):
        return found
    because = f"{found.because}; but not if time is counted from when operations were sent: the generator was late"
    return replace(found, answer=Answer.UNKNOWN, because=because)


def _cycle(case: Case, band: Band, window: Disturbance, unlikely: float) -> Cycle:
    faults = tuple(member.name for member in window.members)
    cycle = Cycle(window.name, window.what, Answer.UNKNOWN, "", faults=faults, like=window.like)
    if window.confirmed_s is None or window.clear_s is None:
        return replace(
            cycle, because=f"{window.name} was never seen both active and gone, so its recovery has no clock"
        )
    bins = find_bins(case, band, window.requested_s, window.until_s)
    at_s, by = detected(case, window)
    after_s = None if at_s is None else max(0.0, at_s - window.confirmed_s)
    cycle = replace(cycle, detected_s=at_s, detected_by=by, time_to_detect_s=after_s)
    asked = int(np.flatnonzero(bins.asked)[-1]) + 1 if bins.asked.any() else 0
    if asked == len(bins.asked):
        return _watched(Watch(case, band, window, bins), cycle, unlikely)
    # Who was not asked to the end cannot have failed to answer: what was observed ends with the last that was.
    seen = Watch(case, band, replace(window, until_s=bins.at(asked)), bins.until(asked))
    found = _watched(seen, cycle, unlikely)
    if found.answer is not Answer.UNKNOWN:
        return found
    return replace(found, because=f"{found.because}; after {bins.at(asked):.1f} s too few operations were offered")


def _watched(watch: Watch, cycle: Cycle, unlikely: float) -> Cycle:
    """What one disturbance, seen both active and gone, did to clients while they were watched."""
    first = first_outside(watch.bins, 0, needed=2, among=3)
    begin = _onset(watch.bins, first, watch.window.end_s)
    if begin is not None:
        return _felt(watch, cycle, begin, unlikely)
    without = _not_felt(watch, cycle, unlikely)
    alone = first_outside(watch.bins, 0, needed=1, among=1) if first is None else first
    if alone is None or without.answer is not Answer.PASS:
        return without
    # A stumble, or a bin by itself, is chance, unless more failed than chance allows: then it was an impact.
    last = min(alone + 3, len(watch.bins.offered))
    if _failing(watch, watch.window.end_s, watch.window.until_s) and _failing(
        watch, watch.bins.at(alone), watch.bins.at(last)
    ):
        stumble = _felt(watch, cycle, alone, unlikely)
        too_long = (stumble.outage_s or 0.0) >= watch.case.record.experiment.recovery.limit_s
        return stumble if stumble.answer is Answer.PASS or too_long else without
    return without


def _failing(watch: Watch, begin_s: float, end_s: float, points: float = 0.0) -> bool:
    """Whether fewer operations were served than chance allows, however slow; by so many points, if given."""
    samples = watch.case.traffic.between(begin_s, end_s)
    right, count = int(np.count_nonzero(served(samples))), len(samples)
    return right < binomial_quantile(RARE, count, watch.band.served) - points * count


def _not_felt(watch: Watch, cycle: Cycle, unlikely: float) -> Cycle:
    """A cycle without visible impact."""
    window, band = watch.window, watch.band
    seen_s, hold_s = _seen_s(watch), watch.case.record.experiment.recovery.hold_s
    if seen_s < hold_s:
        because = f"{window.name} was observed for only {seen_s:.1f} s after it was clear, less than {hold_s:g} s"
        return replace(cycle, because=because)
    because = f"{window.name} had no visible impact (nothing shorter than {2 * band.bin_s:g} s would be seen)"
    done = replace(cycle, answer=Answer.PASS, impact="none", because=because, resolution_s=2 * band.bin_s)
    return _concluded(watch, done, window.end_s, unlikely)


def _seen_s(watch: Watch) -> float:
    return max(0.0, watch.window.until_s - (watch.window.clear_s or 0.0))


def _onset(bins: Bins, first: int | None, over_s: float) -> int | None:
    """Where the band was left: at once if the fault was in place, only if sustained when it was gone already."""
    if first is None or bins.at(first) < over_s:
        return first
    needed, among = sustained(bins)
    return first_outside(bins, first, needed=needed, among=among)


def _for_good(watch: Watch, begin: int) -> tuple[int | None, int]:
    """The bin from which the band held and was not left again, and how often it was; None if it never was."""
    hold_s = watch.case.record.experiment.recovery.hold_s
    length = max(1, math.ceil(hold_s / watch.bins.width_s - 1e-9))
    index, relapses = first_held(watch.bins, begin, hold_s), 0
    while index is not None:
        again = _lost_again(watch, index + length)
        if again is None:
            break
        relapses += 1
        index = first_held(watch.bins, again, hold_s)
    return index, relapses


def _lost_again(watch: Watch, start: int) -> int | None:
    """The first bin from `start` that begins a relapse."""
    bins = watch.bins
    needed, among = sustained(bins)
    lasting = first_outside(bins, start, needed=needed, among=among)
    brief = first_outside(bins, start, needed=2, among=3)
    while brief is not None and (lasting is None or brief < lasting):
        if not bins.outside[brief:].all() and _mostly_failing(watch, brief):
            return brief
        brief = first_outside(bins, brief + 1, needed=2, among=3)
    return lasting


def _mostly_failing(watch: Watch, begin: int) -> bool:
    """Whether most operations of three bins were not served at all: a stumble of the machine does not do that."""
    samples = watch.case.traffic.between(watch.bins.at(begin), watch.bins.at(begin + 3))
    return len(samples) > 2 * int(np.count_nonzero(served(samples)))


def _felt(watch: Watch, cycle: Cycle, begin: int, unlikely: float) -> Cycle:
    """A cycle with visible impact."""
    case, band, window, bins = watch.case, watch.band, watch.window, watch.bins
    recovery = case.record.experiment.recovery
    onset = locate(case, band, bins, begin, worse=True)
    degraded_s = max(onset.at_s, window.requested_s)
    index, relapses = _for_good(watch, begin)
    cycle = replace(
        cycle,
        impact=_impact(case, window, degraded_s),
        degraded_s=degraded_s,
        time_to_degrade_s=max(0.0, degraded_s - (window.confirmed_s or 0.0)),
        resolution_s=onset.resolution_s,
        relapses=relapses,
    )
    if index is None:
        return add_milestones(watch, _not_recovered(watch, cycle), begin)
    back = locate(case, band, bins, index, worse=False)
    recovered_s = max(back.at_s, degraded_s)
    outage_s = recovered_s - degraded_s
    after_s = max(0.0, recovered_s - (window.clear_s or 0.0))
    resolution_s = onset.resolution_s + back.resolution_s
    again_said = f" after {relapses} relapses" if relapses else ""
    because = (
        f"{window.name}: full service was lost at {degraded_s:.2f} s and back at {recovered_s:.2f} s{again_said}: "
        f"{outage_s:.2f} s (± {resolution_s:.2f} s, limit {recovery.limit_s:g} s), "
        f"{after_s:.2f} s after the fault was clear"
    )
    done = replace(
        cycle,
        answer=Answer.PASS if outage_s < recovery.limit_s or recovery.gate == "mean" else Answer.FAIL,
        because=because,
        recovered_s=recovered_s,
        outage_s=outage_s,
        clear_to_recovered_s=after_s,
        resolution_s=resolution_s,
    )
    # From the first bin that held: what is uncertain about the instant is no reason to look away.
    return _concluded(watch, add_milestones(watch, done, begin), max(recovered_s, bins.at(index + 1)), unlikely)


def _not_recovered(watch: Watch, cycle: Cycle) -> Cycle:
    window, hold_s = watch.window, watch.case.record.experiment.recovery.hold_s
    seen_s, inside_s = _seen_s(watch), tail_inside(watch.bins)
    cycle = replace(cycle, lost_so_long_s=max(0.0, window.until_s - (cycle.degraded_s or 0.0)))
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


def _concluded(watch: Watch, cycle: Cycle, since_s: float, unlikely: float) -> Cycle:
    """A cycle that seemed over, after a look at what remained since then, and at how the watch ended."""
    case, band, window = watch.case, watch.band, watch.window
    since_s = max(since_s, window.clear_s or 0.0)
    usual = np.concatenate([~served(case.during(phase)) for phase in case.baselines])
    after = ~served(case.traffic.between(since_s, window.until_s))
    left = find_residue(usual, after, per_block(band.rate), unlikely)
    if left.found:
        because = (
            f"{window.name}: {left.failed} of {left.count:,} operations were not well when it should have been over, "
            f"in {left.bad} of {left.blocks} pieces of time, where the baseline has {left.usual_bad} of "
            f"{left.usual_blocks} such pieces"
        )
        return replace(cycle, answer=Answer.FAIL, because=because)
    sees = "no share of failing operations" if left.sees is None else f"failures of {left.sees:.1%} or more"
    note = f"{window.name}: {sees} that remain for ever would be found afterwards ({left.count:,} operations, 95 %)"
    cycle = replace(cycle, notes=(note,))
    before = _share_before(watch, cycle)
    if cycle.answer is Answer.PASS and before >= float(np.mean(usual)) + LEAST:
        lucky = ""
        if before < (left.sees or 1.0):
            lucky = f"would not have been found in the {left.count:,} operations observed afterwards ({sees} would)"
        elif binomial_tail(left.count - left.failed, left.count, 1.0 - before) > LUCK:
            lucky = f"may not be over: {left.failed} of {left.count:,} operations observed afterwards failed too"
        if lucky:
            because = (
                f"{window.name}: what failed just before it seemed over ({before:.1%}) {lucky}: observe for longer"
            )
            return replace(cycle, answer=Answer.UNKNOWN, because=because)
    last = len(watch.bins.outside) - 2
    ending = last >= 0 and bool(watch.bins.outside[last:].all())
    if cycle.answer is Answer.PASS and ending and _failing(watch, watch.bins.at(last), window.until_s, LEAVE_POINTS):
        because = (
            f"{window.name}: full service was lost again at the end of what was observed, too late to tell how long"
        )
        return replace(cycle, answer=Answer.UNKNOWN, because=because)
    return cycle


def _share_before(watch: Watch, cycle: Cycle) -> float:
    """The share of operations that were not served in the last `hold_s` of what was lost; 0 if it was back before.

    A few errors that remain keep things from holding, until by chance they do: that takes longer than `hold_s`.
    """
    hold_s = watch.case.record.experiment.recovery.hold_s
    if cycle.recovered_s is None or (cycle.clear_to_recovered_s or 0.0) < hold_s:
        return 0.0
    samples = watch.case.traffic.between(cycle.recovered_s - hold_s, cycle.recovered_s)
    return float(np.mean(~served(samples))) if len(samples) else 0.0


def _impact(case: Case, window: Disturbance, degraded_s: float) -> str:
    """Whether clients were still served, if less well, while the fault was in place."""
    samples = case.traffic.between(degraded_s, max(window.end_s, degraded_s + 1.0))
    answered = int(np.count_nonzero(samples.outcome == OK))
    return "degraded" if answered * 2 >= len(samples) else "outage"
