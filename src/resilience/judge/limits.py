"""Whether a rate limit lets in what it should, and no more: an account of every operation, window by window.

In each window of a phase as much should have been let in as was asked, up to the limit (and what `burst` allows after
windows in which less was asked). Over the phase, what was let in must be within `within` (2 % unless said) of the sum
of that. What was let in is whatever was answered by anything but a refusal; a refusal is an answer with the declared
status that says when to come back (RFC 6585, 4; RFC 9110, 10.2.3). One that does not say so fails. An operation of
which no answer came, or that was shed in another way, may have been let in or not: unknown if that decides.

Windows begin where the phase does, not where the target's do. A limit that is asked for more than it allows all the
time lets the same in whatever window one looks at; where the load only now and then asks too much, the two differ by
one window's worth each time. So windows are laid at eight offsets, and what should have been let in is known between
the least and the most of those. And in no two windows' time may more than three windows' worth be let in, which is what
windows at fixed times allow.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from resilience.columns import Samples
from resilience.judge.case import Case
from resilience.judge.quantiles import DROPPED, NS, of_segment
from resilience.model import Answer, Json, Part, Phase
from resilience.model.serving import RateLimit

Int64 = npt.NDArray[np.int64]

OFFSETS = 8
"""Windows are laid at so many offsets: it is not known when the target's begin."""

FEWEST = 100
"""With fewer operations asked for beyond the limit or below it, 2 % is less than two operations."""


@dataclass(frozen=True, slots=True)
class Account:
    """What was asked of a limit in a phase, and what became of it.

    Attributes:
        whose: the tenant, or `all`.
        asked: operations sent.
        admitted: answered by anything but a refusal.
        refused: answered with the declared status, and when to come back.
        curt: answered with it without that.
        unanswered: no answer came, or it was shed: let in or not.
        least, most: what should have been let in, by where windows begin.
        peak: the most that was let in during two windows' time, at any instant, of what came back with an answer.
    """

    whose: str
    asked: int
    admitted: int
    refused: int
    curt: int
    unanswered: int
    least: float
    most: float
    peak: int


def account(samples: Samples, limit: RateLimit, start_s: float, end_s: float, whose: str = "all") -> Account:
    """Add up what was sent from `start_s` until before `end_s`, by when it was sent."""
    sent = samples.where(samples.outcome != DROPPED)
    at_ns = sent.start_ns
    refusal = sent.status == limit.refused_with
    refused = refusal & sent.shed
    silent = (sent.status == 0) | (sent.shed & ~refusal)
    admitted = ~refusal & ~silent
    window_ns = max(1, round(limit.window_s * NS))
    begin_ns, end_ns = round(start_s * NS), round(end_s * NS)
    due = [
        _due(at_ns, begin_ns - window_ns * part // OFFSETS, end_ns, window_ns, limit.most * limit.window_s, limit.burst)
        for part in range(OFFSETS)
    ]
    return Account(
        whose=whose,
        asked=len(sent),
        admitted=int(np.count_nonzero(admitted)),
        refused=int(np.count_nonzero(refused)),
        curt=int(np.count_nonzero(refusal & ~sent.shed)),
        unanswered=int(np.count_nonzero(silent)),
        least=min(due),
        most=max(due),
        peak=_peak(np.sort(at_ns[admitted]), 2 * window_ns),
    )


def _due(at_ns: Int64, begin_ns: int, end_ns: int, window_ns: int, room: float, burst: float) -> float:
    """What should be let in if windows begin at `begin_ns`; the last one may be cut short by the end of the phase."""
    windows = -(-(end_ns - begin_ns) // window_ns)
    asked = np.bincount((at_ns - begin_ns) // window_ns, minlength=windows).astype(np.float64)
    if burst <= 0:
        return float(np.minimum(asked, room).sum())
    total, saved = 0.0, burst
    for each in asked.tolist():
        let_in = min(each, room + saved)
        saved = min(burst, saved + room - let_in)
        total += let_in
    return total


def _peak(at_ns: Int64, span_ns: int) -> int:
    """The most instants in any span of that length; `at_ns` ascends."""
    if len(at_ns) == 0:
        return 0
    first = np.searchsorted(at_ns, at_ns - span_ns, "right")
    return int((np.arange(len(at_ns)) - first).max()) + 1


def check_limits(case: Case) -> Part:
    """Judge every declared limit in every phase that it is about; asked only if there is one."""
    judged = [found for limit in case.record.experiment.rate_limits for found in _judged(case, limit)]
    data: dict[str, Json] = {"rate_limits": [row for _, row in judged]}
    answer = Answer.worst(one for one, _ in judged)
    told = tuple(str(row["because"]) for _, row in sorted(judged, key=lambda each: -each[0].severity))
    if answer is Answer.PASS:
        return Part(
            "limits", answer, f"{told[0]}" + (f" (and {len(told) - 1} more kept)" if told[1:] else ""), told, data
        )
    return Part("limits", answer, told[0], told, data)


def _judged(case: Case, limit: RateLimit) -> Iterator[tuple[Answer, dict[str, Json]]]:
    phases = case.named(limit.phase)
    if not phases:
        because = f"{limit.name}: there was no phase {limit.phase.value}"
        yield Answer.UNKNOWN, {"name": limit.name, "answer": Answer.UNKNOWN.value, "because": because}
    for phase in phases:
        samples = _about(case, limit, phase)
        tenants = case.record.experiment.load.tenants if limit.per == "tenant" else ()
        whose = [(one.name, of_segment(samples, "tenant", one.name)) for one in tenants] or [("all", samples)]
        for name, some in whose:
            found = account(some, limit, phase.start_s, phase.end_s, name)
            answer, why = decide(found, limit)
            yield answer, _row(limit, phase, found, answer, why)


def _about(case: Case, limit: RateLimit, phase: Phase) -> Samples:
    """What was sent in a phase of the operations that are counted."""
    samples = case.traffic.samples
    start_ns, end_ns = round(phase.start_s * NS), round(phase.end_s * NS)
    chosen = (samples.start_ns >= start_ns) & (samples.start_ns < end_ns)
    if limit.operations:
        chosen &= np.isin(samples.operation, [case.traffic.index(name) for name in limit.operations])
    return samples.where(chosen)


def decide(found: Account, limit: RateLimit) -> tuple[Answer, str]:
    """The answer for an account, and why."""
    slack = limit.within
    low, high = found.admitted, found.admitted + found.unanswered
    said = (
        f"{found.admitted:,} of {found.asked:,} were let in and {found.refused:,} refused, "
        f"{_between(found.least, found.most)} should have been"
    )
    if found.curt:
        return Answer.FAIL, f"{said}; {found.curt:,} were refused without Retry-After"
    if found.most < FEWEST:
        return Answer.UNKNOWN, f"{said}; too few to tell {slack:.0%}"
    if low > found.most * (1 + slack):
        return Answer.FAIL, f"{said}: too many"
    if high < found.least * (1 - slack):
        return Answer.FAIL, f"{said}: too few"
    if low < found.least * (1 - slack) or high > found.most * (1 + slack):
        return (
            Answer.UNKNOWN,
            f"{said}; {found.unanswered:,} were not answered, and nobody knows whether they were let in",
        )
    if found.peak > 3 * limit.most * limit.window_s * (1 + slack) + limit.burst + 1:
        return Answer.FAIL, f"{said}; but {found.peak:,} of them within {2 * limit.window_s:g} s"
    if not found.refused and found.asked <= found.least:
        return Answer.PASS, f"{said}; it was never asked for more than it allows, and refused nothing"
    return Answer.PASS, said


def _between(least: float, most: float) -> str:
    return f"{least:,.0f}" if round(least) == round(most) else f"{least:,.0f} to {most:,.0f}"


def _row(limit: RateLimit, phase: Phase, found: Account, answer: Answer, why: str) -> dict[str, Json]:
    return {
        "name": limit.name,
        "phase": phase.label,
        "whose": found.whose,
        "answer": answer.value,
        "most_per_s": limit.most,
        "asked": found.asked,
        "admitted": found.admitted,
        "refused": found.refused,
        "curt": found.curt,
        "unanswered": found.unanswered,
        "due_least": found.least,
        "due_most": found.most,
        "peak": found.peak,
        "because": f"{limit.name} of {found.whose} in {phase.label}: {why}",
    }
