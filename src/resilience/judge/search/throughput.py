"""A capacity run with one number of copies, judged from its record: throughput over users, and the law behind it.

* `throughput`: pass if at some number of users the objectives held; fail if they did at none, though it was certain;
  unknown otherwise, also where the generator was the limit.
* `little`: pass if N = X·R holds at every level within a tenth; unknown where it does not: the measurement is suspect.
* `scalability`: pass if the law describes what was measured; unknown otherwise, and then it says nothing of a peak.
"""

from collections.abc import Sequence

from resilience.errors import ResilienceError
from resilience.judge.case import Case
from resilience.judge.search.capacity import LITTLE, Level, best, judge_level
from resilience.judge.search.machine import Seen
from resilience.judge.search.told import LEVEL
from resilience.judge.search.usl import FITS, Law, fit
from resilience.model import Answer, Capacity, EventKind, Json, Part


def levels_of(case: Case) -> tuple[Level, ...]:
    """Every level that was measured, in order of users."""
    capacity = _capacity(case)
    found = []
    for event in case.record.events:
        if event.kind is EventKind.MARK and event.name == LEVEL:
            users, start_s, end_s = (event.detail[key] for key in ("users", "start_s", "end_s"))
            if not isinstance(users, int) or not isinstance(start_s, float) or not isinstance(end_s, float):
                raise TypeError(f"{event.detail!r} is no level")
            samples = case.traffic.between(start_s - case.traffic.longest_s, end_s)
            found.append(judge_level(samples, users, start_s, end_s, capacity.objectives))
    return tuple(sorted(found, key=lambda one: one.users))


def check_throughput(case: Case) -> Part:
    """The capacity, and at how many users."""
    capacity, levels = _capacity(case), levels_of(case)
    top = best(levels)
    copies = case.record.experiment.stack.service.copies if case.record.experiment.stack.service else 1
    listed: list[Json] = [one.json() for one in levels]
    told: Json = (
        None
        if top is None
        else {"users": top.users, "rps": top.judged.rps, "error": top.error, "p95_ms": top.judged.p95_ms}
    )
    document: dict[str, Json] = {
        "copies": copies,
        "objectives": [one.expression for one in capacity.objectives],
        "levels": listed,
        "best": told,
        "law": None,
    }
    law = _law(case, levels)
    if isinstance(law, Law):
        document["law"] = law.json()
    lines = tuple(_line(one) for one in levels)
    data: dict[str, Json] = {"capacity": document}
    missing = len(capacity.users) - len(levels)
    spoiled = [one for one in levels if one.judged.seen is Seen.SPOILED]
    if missing:
        return Part(
            "throughput", Answer.UNKNOWN, f"{missing} of {len(capacity.users)} levels were not measured", lines, data
        )
    if spoiled:
        why = f"at {spoiled[0].users} users the generator was the limit: {spoiled[0].judged.why}"
        return Part("throughput", Answer.UNKNOWN, why, lines, data)
    if top is None:
        certain = all(one.judged.seen is Seen.BREAKS for one in levels)
        answer = Answer.FAIL if certain else Answer.UNKNOWN
        return Part(
            "throughput", answer, f"at no number of users the objectives held: {levels[0].judged.why}", lines, data
        )
    more = "" if top.users < levels[-1].users else ", the most that were tried: it may bear more"
    p95 = 0.0 if top.judged.p95_ms is None else top.judged.p95_ms
    who = "1 copy bears" if copies == 1 else f"{copies} copies bear"
    because = f"{who} {top.judged.rps:.1f}/s at {top.users} users, p95 {p95:.0f} ms{more}"
    return Part("throughput", Answer.PASS, because, lines, data)


def check_little(case: Case) -> Part:
    """Whether as many operations were in flight as there were users."""
    levels = levels_of(case)
    wrong = [one for one in levels if one.little > LITTLE]
    lines = tuple(f"{one.users} users: X·R = {one.in_flight:.2f}" for one in levels)
    if not levels:
        return Part("little", Answer.UNKNOWN, "no level was measured")
    if wrong:
        worst = max(wrong, key=lambda one: one.little)
        why = (
            f"N = X·R does not hold: at {worst.users} users throughput times response time is {worst.in_flight:.2f}; "
            "the measurement is suspect"
        )
        return Part("little", Answer.UNKNOWN, why, lines)
    most = max(one.little for one in levels)
    return Part("little", Answer.PASS, f"N = X·R at every level, at most {most:.1%} apart", lines)


def check_scalability(case: Case) -> Part:
    """The Universal Scalability Law, if it describes what was measured."""
    law = _law(case, levels_of(case))
    if isinstance(law, str):
        return Part("scalability", Answer.UNKNOWN, law)
    if not law.fits:
        why = (
            f"the law misses a level by {law.misses:.0%}, at most {FITS:.0%} can be believed: it says nothing of a peak"
        )
        return Part("scalability", Answer.UNKNOWN, why)
    told = (
        f"contention {law.sigma.value:.3g} ({law.sigma.low:.3g} to {law.sigma.high:.3g}), "
        f"coherency {law.kappa.value:.3g} ({law.kappa.low:.3g} to {law.kappa.high:.3g})"
    )
    if law.peak is None:
        return Part(
            "scalability",
            Answer.PASS,
            f"{told}; a peak lies beyond the {law.measured:g} users that were measured, if there is one",
        )
    return Part("scalability", Answer.PASS, f"{told}; the peak is at {law.peak:.0f} users, {law.at(law.peak):.0f}/s")


def _law(case: Case, levels: Sequence[Level]) -> Law | str:
    """The law of the levels that the generator was no limit of; a text says why there is none."""
    fit_for = [one for one in levels if one.judged.seen is not Seen.SPOILED and one.judged.offered]
    try:
        return fit([one.users for one in fit_for], [one.slices for one in fit_for], case.record.plan.seed)
    except (ValueError, ResilienceError) as error:
        return str(error)


def _line(one: Level) -> str:
    judged = one.judged
    p95 = "–" if judged.p95_ms is None else f"{judged.p95_ms:.0f} ms"
    why = f": {judged.why}" if judged.why else ""
    return f"{one.users} users: {judged.rps:.1f}/s, p95 {p95}, {judged.seen}{why}"


def _capacity(case: Case) -> Capacity:
    capacity = case.record.experiment.capacity
    if capacity is None:
        raise ValueError("the experiment of this record says nothing of a capacity run")
    return capacity
