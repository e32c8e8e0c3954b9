"""A search, judged from its record: every step again from the samples, what was found by them, and what that means.

What the live search decided is not believed: each step is judged from the whole record, and the same machine says what
was found by those answers. Where they lead elsewhere than the search went, it is unknown.

* `break-point`: pass if it was found, or lies beyond the limit, and the level that must hold does; fail if that level,
  or the start, breaks; unknown if it could not be decided, or the generator was the limit.
* `hysteresis`: pass if it holds again at a tenth less than it held before; fail if it does not; unknown if not known.
* `faults`: every lease was seen active, and seen gone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from resilience.judge.case import Case
from resilience.judge.phases import FaultWindow
from resilience.judge.search.machine import Kind, Outcome, Purpose, Seen, Tried, outcome, patience
from resilience.judge.search.scale import Scale
from resilience.judge.search.step import Judged, judge_step
from resilience.judge.search.told import HEALTHY, Told, ends_of, steps_of
from resilience.judge.writes import check_writes
from resilience.model import Answer, Experiment, Json, Load, Part, Search

UNITS = {"rate": "/s", "users": " users"}


@dataclass(frozen=True, slots=True)
class Found:
    """A search under one condition.

    Attributes:
        steps: as they were made, each with how it is judged from the record.
        result: what was found by them.
        ended: why it was ended; empty if because it was over.
        differ: steps that showed something else while the search went on.
    """

    condition: str
    steps: tuple[tuple[Told, Judged], ...]
    result: Outcome
    ended: str
    differ: int

    @property
    def cost_s(self) -> float:
        """How long it took, from the first step's beginning to the last one's end."""
        return self.steps[-1][1].end_s - self.steps[0][1].start_s if self.steps else 0.0

    @property
    def broke(self) -> str:
        """The objective that broke, with its value, at the mildest level that did."""
        whys = [
            one.why for told, one in self.steps if told.wanted.level == self.result.breaks and one.seen is Seen.BREAKS
        ]
        return whys[0] if whys else ""


def scale_of(search: Search, *, whole: bool = False) -> Scale:
    """The levels of a search; `whole` where the setting that is varied takes whole numbers only."""
    return Scale(
        start=search.start, limit=search.limit, precision=search.precision, whole=whole or search.over == "users"
    )


def found(case: Case, search: Search) -> tuple[Found, ...]:
    """What was found under each condition."""
    ends = ends_of(case.record.events)
    told = steps_of(case.record.events)
    conditions = dict.fromkeys([HEALTHY, *search.faults, *told, *ends])
    return tuple(_found(case, search, name, told.get(name, []), ends) for name in conditions)


def check_break_point(case: Case) -> Part:
    """The break-points, and whether they are where they must be."""
    search = _search(case)
    results = found(case, search)
    answers = [_answer(search, one) for one in results]
    answer = Answer.worst(answers)
    lines = [_sentence(case.record.experiment, search, one) for one in results]
    told = [line for line, each in zip(lines, answers, strict=True) if each is answer or answer is Answer.PASS]
    data: dict[str, Json] = {"search": _document(case, search, results)}
    return Part("break-point", answer, "; ".join(told), tuple(lines), data)


def check_hysteresis(case: Case) -> Part:
    """Whether it comes back at the load that it bore before."""
    search = _search(case)
    name, unit = "hysteresis", unit_of(search)
    lines, answers = [], []
    for one in found(case, search):
        result = one.result
        if result.metastable:
            where = "not even at the mildest" if result.back_at is None else f"only at {result.back_at:g}{unit}"
            at = search.start if result.kind is Kind.STUCK else _first_down(one)
            lines.append(f"{one.condition}: metastable: after it broke it did not come back at {at:g}{unit}, {where}")
            answers.append(Answer.FAIL)
        elif result.came_back:
            lines.append(f"{one.condition}: after it broke it held again at {result.back_at:g}{unit}")
            answers.append(Answer.PASS)
        elif result.kind in {Kind.BEYOND, Kind.BELOW}:
            lines.append(f"{one.condition}: it was not broken at a load above one that held")
            answers.append(Answer.PASS)
        else:
            lines.append(f"{one.condition}: it is not known whether it comes back")
            answers.append(Answer.UNKNOWN)
    answer = Answer.worst(answers)
    return Part(
        name, answer, "; ".join(line for line, each in zip(lines, answers, strict=True) if each is answer), tuple(lines)
    )


def check_leases(case: Case) -> Part:
    """Every fault that was held in the search was seen there, and seen gone."""
    troubles = [text for window in case.faults for text in _troubles(window)]
    data: dict[str, Json] = {"faults": [_window(window) for window in case.faults]}
    if troubles:
        return Part("faults", Answer.UNKNOWN, troubles[0], tuple(troubles), data)
    return Part("faults", Answer.PASS, f"{len(case.faults)} leases, each seen active and seen gone", (), data)


def _first_down(one: Found) -> float:
    """The level at which it had to come back."""
    return next(told.wanted.level for told, _ in one.steps if told.wanted.purpose is Purpose.DOWN)


def check_writes_in(case: Case) -> Part:
    """The writes, as in any run. A fault whose setting is varied was held under other names, each for one step.

    So it is not asked whether it was in place under its own. A fault that was in place for a whole search was.
    """
    search = _search(case)
    if search.over != "fault":
        return check_writes(case)
    return check_writes(
        replace(case, record=replace(case.record, experiment=replace(case.record.experiment, steps=())))
    )


def unit_of(search: Search) -> str:
    """What stands behind a level."""
    return UNITS.get(search.over, f" {search.setting}")


def downs_of(search: Search, load: Load) -> int:
    """How many steps must break on the way down, before that is hysteresis; 0 if it is not gone down."""
    longest_s = max((operation.timeout_s for operation in load.operations), default=0.0)
    return patience(search.settle_s + search.step_s, longest_s) if search.step_down else 0


def _search(case: Case) -> Search:
    search = case.record.experiment.search
    if search is None:
        raise ValueError("the experiment of this record says nothing of a search")
    return search


def _found(case: Case, search: Search, name: str, steps: Sequence[Told], ends: Mapping[str, str]) -> Found:
    load = case.record.experiment.load
    judged = []
    for told in steps:
        rate = None if load.closed else told.wanted.level if search.over == "rate" else load.rate
        due = None if rate is None else rate * (told.end_s - told.start_s)
        samples = case.traffic.between(told.start_s, told.end_s)
        judged.append(
            judge_step(samples, told.start_s, told.end_s, search.objectives, due=due, ahead_s=search.confirm_s)
        )
    tried = [
        Tried(told.wanted.level, told.wanted.purpose, one.seen, told.wanted.long)
        for told, one in zip(steps, judged, strict=True)
    ]
    whole = search.over == "fault" and all(one.level.is_integer() for one in tried)
    result = outcome(scale_of(search, whole=whole), tried, downs=downs_of(search, load))
    ended = ends.get(name, "the search was cut short")
    differ = sum(told.seen is not one.seen for told, one in zip(steps, judged, strict=True))
    return Found(name, tuple(zip(steps, judged, strict=True)), result, ended, differ)


def _answer(search: Search, one: Found) -> Answer:
    result = one.result
    if result.kind in {Kind.BELOW, Kind.STUCK}:
        return Answer.FAIL
    scale = scale_of(search)
    if search.must_hold is not None:
        if result.breaks is not None and not scale.harder(result.breaks, search.must_hold):
            twice = sum(
                told.wanted.level == result.breaks
                and seen.seen is Seen.BREAKS
                and told.wanted.purpose is not Purpose.DOWN
                for told, seen in one.steps
            )
            return Answer.FAIL if twice > 1 else Answer.UNKNOWN
        certain = result.holds is not None and not scale.harder(search.must_hold, result.holds) and result.confirmed
        if result.kind in {Kind.FOUND, Kind.BEYOND} and not certain:
            return Answer.UNKNOWN
    return Answer.PASS if result.kind in {Kind.FOUND, Kind.BEYOND} else Answer.UNKNOWN


def _sentence(experiment: Experiment, search: Search, one: Found) -> str:
    """One condition in one sentence with its numbers."""
    result, unit = one.result, unit_of(search)
    holds = "nothing" if result.holds is None else f"{result.holds:g}{unit}"
    cost = f"{len(one.steps)} steps, {one.cost_s:.0f} s"
    match result.kind:
        case Kind.FOUND:
            text = f"{experiment.target} holds at {holds} and breaks at {result.breaks:g}{unit} ({one.broke})"
        case Kind.BEYOND:
            text = (
                f"{experiment.target} holds at {holds}, the hardest that was to be tried: it breaks beyond, if at all"
            )
        case Kind.BELOW:
            text = (
                f"{experiment.target} breaks at {result.breaks:g}{unit} already, the mildest to be tried ({one.broke})"
            )
        case Kind.STUCK:
            text = f"{experiment.target} broke at {result.breaks:g}{unit} ({one.broke}) and did not come back"
        case Kind.SPOILED:
            why = one.steps[-1][1].why
            text = f"not known: at {one.steps[-1][0].wanted.level:g}{unit} the generator was the limit ({why})"
        case _:
            why = one.ended or "no step was certain"
            breaks = "is not known to break" if result.breaks is None else f"breaks at {result.breaks:g}{unit}"
            text = f"not decided ({why}): {experiment.target} holds at {holds} and {breaks}"
    if search.must_hold is not None:
        text += f"; {search.must_hold:g}{unit} must hold"
    return f"{one.condition}: {text}; {cost}"


def _document(case: Case, search: Search, results: Sequence[Found]) -> Json:
    """What stands in `verdict.json` under `search`."""
    return {
        "over": search.over if search.over != "fault" else f"{search.fault}.{search.setting}",
        "unit": unit_of(search).strip(),
        "start": search.start,
        "limit": search.limit,
        "precision": search.precision,
        "must_hold": search.must_hold,
        "objectives": [one.expression for one in search.objectives],
        "conditions": [_condition(one) for one in results],
        "duration_s": case.end_s,
    }


def _condition(one: Found) -> Json:
    result = one.result
    middle = None if result.holds is None or result.breaks is None else (result.holds + result.breaks) / 2
    steps: list[Json] = [
        {
            "level": told.wanted.level,
            "purpose": told.wanted.purpose.value,
            "long": told.wanted.long,
            "seen_live": told.seen.value,
            **judged.json(),
        }
        for told, judged in one.steps
    ]
    return {
        "condition": one.condition,
        "kind": result.kind.value,
        "holds": result.holds,
        "breaks": result.breaks,
        "break_point": middle if result.kind is Kind.FOUND else None,
        "objective": one.broke,
        "confirmed": result.confirmed,
        "came_back": result.came_back,
        "back_at": result.back_at,
        "metastable": result.metastable,
        "ended": one.ended,
        "judged_otherwise": one.differ,
        "cost_s": one.cost_s,
        "steps": steps,
    }


def _troubles(window: FaultWindow) -> list[str]:
    found = [f"{window.name} had a problem ({trouble})" for trouble in window.troubles]
    if window.confirmed_s is None:
        found.append(f"{window.name} was never seen active")
    if window.clear_s is None:
        found.append(f"{window.name} was never seen gone: the target may still be disturbed")
    return found


def _window(window: FaultWindow) -> Json:
    return {
        "kind": window.kind,
        "name": window.name,
        "on": window.on,
        "requested_s": window.requested_s,
        "confirmed_s": window.confirmed_s,
        "reverted_s": window.reverting_s,
        "clear_s": window.clear_s,
    }
