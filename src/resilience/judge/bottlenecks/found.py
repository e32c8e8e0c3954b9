"""The block `bottlenecks` of `verdict.json`: what was the limit, as far as observation can tell. It decides nothing.

It never looks at which faults were injected: those that were in place are told beside it, so that whoever reads it can
compare.
"""

from collections.abc import Iterator, Mapping, Sequence

from resilience.judge.bottlenecks import service, stores
from resilience.judge.bottlenecks.places import ADVICE, TITLES, Place
from resilience.judge.bottlenecks.ranking import Candidate, apart, rank
from resilience.judge.bottlenecks.signs import Sign, View, weighed
from resilience.judge.bottlenecks.windows import Window, find_course, find_windows
from resilience.judge.case import Case
from resilience.model import Json
from resilience.model.resources import NOTHING, Resources
from resilience.text import percent, rate, seconds

FOUND, NOT_FOUND, NOT_SATURATED, GENERATOR, UNKNOWN = "found", "not-found", "not-saturated", "generator", "unknown"
"""What the block can say. `unknown`: it cannot be told whether there was anything to find."""


RULES = (*service.RULES, *stores.RULES)
"""Everything that is looked for."""


def bottlenecks(case: Case) -> dict[str, Json]:
    """The block. Never raises for what was read."""
    resources, windows = case.record.resources, find_windows(case)
    if isinstance(windows, str):
        return said(UNKNOWN, f"whether anything was saturated cannot be told: {windows}")
    if not windows:
        return said(NOT_SATURATED, "full service throughout: nothing was saturated")
    course = find_course(case)
    phase = case.baselines[-1]
    ranked = []
    for window in windows:
        view = View(resources, (phase.start_s, phase.end_s), window, course)
        ranked.append(
            (window, () if window.generator else rank(weighed([sign for rule in RULES for sign in rule(view)]), window))
        )
    told = _first(ranked)
    answer, because = _because(ranked, told, resources)
    return said(
        answer,
        because,
        place=told[1][0].place.value if answer == FOUND and told is not None else None,
        windows=[_window(window, candidates) for window, candidates in ranked],
        unread=list(_unread(windows, resources)),
    )


_Ranked = tuple[Window, tuple[Candidate, ...]]


def said(answer: str, because: str, **more: Json) -> dict[str, Json]:
    """The block with one of the answers, empty but for what is given."""
    return {"answer": answer, "because": because, "place": None, "windows": [], "unread": [], **more}


def _first(ranked: Sequence[_Ranked]) -> _Ranked | None:
    """The longest window in which something was found."""
    some = [one for one in ranked if one[1]]
    return max(some, key=lambda one: one[0].end_s - one[0].start_s, default=None)


def _because(ranked: Sequence[_Ranked], told: _Ranked | None, resources: Resources) -> tuple[str, str]:
    if told is not None:
        window, candidates = told
        first = candidates[0]
        words = f"{TITLES[first.place]}: {first.signs[0].words}"
        if not apart(candidates):
            words += f"; {TITLES[candidates[1].place]} cannot be told apart from it: {candidates[1].signs[0].words}"
        others = len(ranked) - 1
        more = f" (the longest of {len(ranked)} stretches)" if others else ""
        return FOUND, f"from {window.start_s:.1f} to {window.end_s:.1f} s{more}, {words}"
    window = max((one[0] for one in ranked), key=lambda one: one.end_s - one.start_s)
    if window.generator:
        return GENERATOR, f"the generator itself was the limit, not the target: {window.generator}"
    stretch = f"service suffered from {window.start_s:.1f} to {window.end_s:.1f} s"
    if resources is NOTHING or not resources.series:
        return NOT_FOUND, f"{stretch}, and no resource was read: nothing can be said of why"
    return NOT_FOUND, f"{stretch}; of {len(resources.series)} series that were read, none shows why"


def _window(window: Window, candidates: Sequence[Candidate]) -> dict[str, Json]:
    return {
        "start_s": window.start_s,
        "end_s": window.end_s,
        "resolution_s": window.resolution_s,
        "faults": list(window.faults),
        "offered_per_s": window.offered,
        "answered_per_s": window.answered,
        "lacking": window.lacking,
        "p95_ms": window.p95_ms,
        "usual_p95_ms": window.usual_p95_ms,
        "generator": window.generator or None,
        "apart": apart(candidates),
        "ranked": [_candidate(one, window) for one in candidates],
    }


def _candidate(candidate: Candidate, window: Window) -> dict[str, Json]:
    return {
        "place": candidate.place.value,
        "title": TITLES[candidate.place],
        "of": candidate.of,
        "score": round(candidate.score, 3),
        "recommendation": ADVICE[candidate.place],
        "evidence": [_sign(sign, window) for sign in candidate.signs],
    }


def _sign(sign: Sign, window: Window) -> dict[str, Json]:
    seen = sign.evidence
    at_s = seen.begun_s
    return {
        "words": sign.words,
        "series": seen.series.name,
        "of": seen.series.of,
        "unit": seen.series.unit.value,
        "before": seen.before,
        "during": seen.during,
        "most": seen.most,
        "limit": seen.limit,
        "share": seen.share,
        "at_s": at_s,
        "lead_s": None if at_s is None else window.start_s - at_s,
        "within_s": seen.period_s + window.resolution_s,
        "correlation": seen.follows,
        "lag_s": seen.lag_s,
    }


def _unread(windows: Sequence[Window], resources: Resources) -> Iterator[Json]:
    """What could not be read while service suffered: a bottleneck may be there."""
    for gap in resources.gaps:
        if any(gap.start_s < window.end_s and gap.end_s > window.start_s for window in windows):
            gone: Mapping[str, Json] = {
                "collector": gap.collector,
                "of": gap.of,
                "start_s": gap.start_s,
                "end_s": gap.end_s,
                "why": gap.why,
            }
            yield dict(gone)


def sentence(window: Window) -> str:
    """What was seen of the service in a window."""
    p95 = "" if window.p95_ms is None else f", p95 {seconds(window.p95_ms / 1000)}"
    return (
        f"{rate(window.answered)} of {rate(window.offered)} operations a second were answered, "
        f"{percent(window.lacking)} lacked full service{p95}"
    )


__all__ = ["Place", "bottlenecks", "sentence"]
