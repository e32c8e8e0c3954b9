"""Circuit breakers, judged from outside: from what clients saw, and from the dependency's own count of its calls.

Of each breaker's operations, in order of arrival, an answer is *quick* if it is ok and came within `quick` of its
intended start. A quick one is a *quick fallback* if it says that it is degraded, and *full* if it does not. A state
*lasts* from a moment if at least `MOST` of the answers of the `HOLD_S` from then on (or of the time in which `ENOUGH`
arrive) are of it.

For each time of the fault, between its request and the beginning of its undoing:

* It *met* the first operation that was not answered in full.
* The breaker *opened* at the arrival of the first quick fallback from which on quick fallbacks last. Answers of another
  kind that follow within a tenth of that time move it behind them, so it is never put too early by stragglers. Time to
  open = opened - met, at most `opens_within`.
* While it is open, from then to the beginning of the undoing, at least the share `fallbacks` are quick fallbacks: the
  rest may try whether the dependency is back. Who looked for it in the dependency's count must find at most
  `calls_per_second` between the first and the last reading in that time, once every operation that arrived before it
  opened has ended: their calls were begun before, and some dependencies count a call at its end.
* It *closed* at the arrival of the first full answer, after the undoing began, from which on full answers last. Time to
  close = closed - seen gone, at most `closes_within`. From then on it stays so: at least `MOST` of all answers are
  full.

The resolution is a tenth of the time in which a state must last, or the time between two arrivals if that is longer.
What was not watched for long enough to tell is unknown.
"""

from dataclasses import dataclass

import numpy as np

from resilience.columns import Bool, Float64, Samples
from resilience.judge.amplification import readings_of
from resilience.judge.case import Case
from resilience.judge.disturbances import Disturbance
from resilience.judge.findings import NOTHING, Finding, Judged, within, worst
from resilience.judge.quantiles import NS, OK, to_ns
from resilience.model import Answer, Breaker, Json

HOLD_S = 1.0
ENOUGH = 10
MOST = 0.9
LEAST_S = 1.0
"""Readings must be at least so far apart to tell a rate of calls."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """Answers of a breaker's operations in a stretch of time, in order of arrival."""

    at_s: Float64
    quick: Bool
    full: Bool
    end_s: float

    def lasts(self, state: Bool, first: int = 0) -> int | None:
        """The index from which on a state lasts, see the module; None if it never does, or not for long enough."""
        at_s = self.at_s
        if len(at_s) - first < ENOUGH:
            return None
        sums = np.concatenate(([0], np.cumsum(state)))
        starts = np.flatnonzero(state[first:]) + first
        ends = np.maximum(np.searchsorted(at_s, at_s[starts] + HOLD_S), starts + ENOUGH)
        whole = (at_s[starts] + HOLD_S <= self.end_s) & (ends <= len(at_s))
        starts, ends = starts[whole], ends[whole]
        good = (sums[ends] - sums[starts]) >= MOST * (ends - starts)
        if not good.any():
            return None
        start, end = int(starts[good][0]), int(ends[good][0])
        early = start + max(1, round((end - start) * (1 - MOST)))
        others = np.flatnonzero(~state[start:early])
        if len(others):
            start += int(others[-1]) + 1
            start += int(np.argmax(state[start:]))
        return start

    def step_s(self) -> float:
        """Time between two arrivals, on average."""
        return float(self.at_s[-1] - self.at_s[0]) / (len(self.at_s) - 1) if len(self.at_s) > 1 else HOLD_S


def judge_breakers(case: Case) -> Judged:
    """Every breaker that the file declares, at each time of its fault."""
    judged = [each for breaker in case.record.experiment.degradation.breakers for each in _breaker(case, breaker)]
    if not judged:
        return NOTHING
    return Judged(
        tuple(finding for each in judged for finding in each.findings),
        tuple(row for each in judged for row in each.rows),
    )


def _breaker(case: Case, breaker: Breaker) -> list[Judged]:
    met = [
        one
        for one in case.disturbances
        if any(breaker.fault in {member.name, member.of, member.group} for member in one.members)
        or breaker.fault == one.name
    ]
    if not met:
        why = f"breaker {breaker.name} cannot be told: {breaker.fault} did not take place"
        return [Judged((Finding(Answer.UNKNOWN, why),))]
    return [_once(case, breaker, one) for one in met]


def _once(case: Case, breaker: Breaker, one: Disturbance) -> Judged:
    """One time of the fault."""
    row: dict[str, Json] = {"breaker": breaker.name, "fault": one.name}
    row |= dict.fromkeys(("met_s", "opened_s", "time_to_open_s", "fallbacks", "calls_per_second"))
    row |= dict.fromkeys(("closed_s", "time_to_close_s", "resolution_s"))
    undone = [member.reverting_s for member in one.members if member.reverting_s is not None]
    if one.clear_s is None or len(undone) < len(one.members):
        findings = [_unknown(breaker, one, "it was never seen gone")]
    else:
        begun_s = min(undone)
        findings = _opening(case, breaker, one, begun_s, row)
        findings += _closing(case, breaker, one, begun_s, row)
    gravest = worst(findings)
    row |= {"answer": gravest.answer.value, "because": gravest.because} if gravest else {}
    return Judged(tuple(findings), (row,))


def _unknown(breaker: Breaker, one: Disturbance, why: str) -> Finding:
    return Finding(Answer.UNKNOWN, f"breaker {breaker.name} under {one.name} cannot be told: {why}")


def _seen(case: Case, breaker: Breaker, start_s: float, end_s: float) -> _Seen:
    samples: Samples = case.traffic.between(start_s, end_s)
    own = samples.where(np.isin(samples.operation, [case.traffic.index(name) for name in breaker.operations]))
    ok = own.outcome == OK
    quick = ok & (own.end_ns - own.arrival_ns <= to_ns(breaker.quick_s))
    return _Seen(own.arrival_ns / NS, quick & own.degraded, quick & ~own.degraded, end_s)


def _opening(case: Case, breaker: Breaker, one: Disturbance, begun_s: float, row: dict[str, Json]) -> list[Finding]:
    seen = _seen(case, breaker, one.requested_s, begun_s)
    said = f"breaker {breaker.name} under {one.name}"
    bad = np.flatnonzero(~seen.full)
    if not len(bad):
        return [_unknown(breaker, one, f"all {len(seen.at_s):,} answers were in full, so nothing tried it")]
    met_s = float(seen.at_s[bad[0]])
    row |= {"met_s": met_s, "resolution_s": max(HOLD_S * (1 - MOST), seen.step_s())}
    opened = seen.lasts(seen.quick, int(bad[0]))
    if opened is None:
        watched_s = begun_s - met_s
        if watched_s < breaker.opens_within_s + HOLD_S:
            return [_unknown(breaker, one, f"it was not open within the {watched_s:.1f} s that it was watched")]
        slow, count = int(np.count_nonzero(~seen.quick[bad[0] :])), len(seen.at_s) - int(bad[0])
        if count < ENOUGH:
            return [_unknown(breaker, one, f"only {count:,} operations arrived after the fault met one")]
        why = f"did not open: {slow:,} of {count:,} answers in {watched_s:.1f} s were no quick fallbacks"
        return [Finding(Answer.FAIL, f"{said} {why}")]
    opened_s = float(seen.at_s[opened])
    took_s = opened_s - met_s
    share = float(np.mean(seen.quick[opened:]))
    row |= {"opened_s": opened_s, "time_to_open_s": took_s, "fallbacks": share}
    count = len(seen.at_s) - opened
    told = f"{said}: {share:.2%} of {count:,} answers while it was open were quick fallbacks"
    findings = [
        within(
            took_s, breaker.opens_within_s, f"{said} opened after {took_s:.2f} s (limit {breaker.opens_within_s:g} s)"
        ),
        within(-share, -breaker.fallbacks, f"{told} (at least {breaker.fallbacks:.0%} were asked for)"),
    ]
    return [*findings, *_calls(case, breaker, one, (opened_s, begun_s), row)]


def _calls(
    case: Case, breaker: Breaker, one: Disturbance, span: tuple[float, float], row: dict[str, Json]
) -> list[Finding]:
    """Who still called the dependency while the breaker was open."""
    if not breaker.calls:
        return []
    readings = readings_of(case, breaker.calls)
    if readings is None or readings.problems:
        why = readings.problems[0] if readings is not None else "no reading is on record"
        return [_unknown(breaker, one, f"calls of {breaker.calls}: {why}")]
    before = case.traffic.between(span[0] - case.traffic.longest_s, span[0])
    begin_ns = max(to_ns(span[0]), int(before.end_ns.max()) if len(before) else 0)
    inside = np.flatnonzero((readings.at_ns >= begin_ns) & (readings.at_ns <= to_ns(span[1])))
    if not len(inside) or readings.at_ns[inside[-1]] - readings.at_ns[inside[0]] < to_ns(LEAST_S):
        return [_unknown(breaker, one, f"{breaker.calls} was hardly read while it was open")]
    first, last = int(inside[0]), int(inside[-1])
    counts = readings.count[first : last + 1]
    if np.any(np.diff(counts) < 0) or np.any(readings.epoch[first : last + 1] != readings.epoch[first]):
        return [_unknown(breaker, one, f"{breaker.calls} began to count anew")]
    rate = float(counts[-1] - counts[0]) * NS / float(readings.at_ns[last] - readings.at_ns[first])
    row["calls_per_second"] = rate
    limit = breaker.calls_per_second
    said = (
        f"breaker {breaker.name} under {one.name}: {breaker.calls} was called {rate:.3g} times per second while it was"
    )
    return [within(rate, limit, f"{said} open (limit {limit:g})")]


def _closing(case: Case, breaker: Breaker, one: Disturbance, begun_s: float, row: dict[str, Json]) -> list[Finding]:
    clear_s = one.end_s
    seen = _seen(case, breaker, begun_s, one.until_s)
    said = f"breaker {breaker.name} after {one.name}"
    closed = seen.lasts(seen.full)
    if closed is None:
        watched_s = one.until_s - clear_s
        if len(seen.at_s) < ENOUGH:
            return [_unknown(breaker, one, f"only {len(seen.at_s):,} operations arrived after it")]
        if watched_s < breaker.closes_within_s + HOLD_S:
            return [_unknown(breaker, one, f"it was not closed within the {watched_s:.1f} s that it was watched")]
        return [Finding(Answer.FAIL, f"{said} did not close in the {watched_s:.1f} s that it was watched")]
    closed_s = float(seen.at_s[closed])
    took_s, limit_s = max(0.0, closed_s - clear_s), breaker.closes_within_s
    row |= {"closed_s": closed_s, "time_to_close_s": took_s}
    share = float(np.mean(seen.full[closed:]))
    return [
        within(took_s, limit_s, f"{said} closed after {took_s:.2f} s (limit {limit_s:g} s)"),
        within(-share, -MOST, f"{said}: once it had closed, only {share:.2%} of the answers were in full"),
    ]
