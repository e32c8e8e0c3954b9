"""The verdict: every checker asked, the worst answer taken, one sentence that says why, and the document of it all."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from resilience.columns import Record
from resilience.judge import degradation, recovery, resources, writes
from resilience.judge.cache import check_cache
from resilience.judge.case import Case, prepare
from resilience.judge.closed import standing
from resilience.judge.control import check_control
from resilience.judge.coverage import coverage
from resilience.judge.faults import check_faults
from resilience.judge.figures import phase_figures
from resilience.judge.generator import load_figures
from resilience.judge.insights import insights
from resilience.judge.isolation import check_isolation, is_asked
from resilience.judge.objectives import check_objectives
from resilience.judge.promises import PROMISES, promised
from resilience.judge.regression import part as regression
from resilience.judge.resources import with_limits
from resilience.judge.search.parts import PARTS
from resilience.judge.search.told import purpose_of
from resilience.judge.service import service_level
from resilience.judge.soak import soak_advice
from resilience.judge.validity import check_validity
from resilience.judge.workers import excused
from resilience.model import Answer, Json, Part, PhaseName, Verdict

JOINED = 3
"""At most so many parts speak in `because`."""

CHECKERS: Mapping[str, Callable[[Case], Part]] = {
    "writes": writes.check_writes,
    "cache": check_cache,
    "isolation": check_isolation,
    "degradation": standing(degradation.check_degradation),
    "objectives": standing(lambda case: with_limits(case, check_objectives(case, case.record.experiment.objectives))),
    "recovery": standing(recovery.check_recovery),
    **PROMISES,
    "control": check_control,
    "faults": check_faults,
    "validity": check_validity,
}
"""The gravest first: that is the order in which a verdict gives its reasons."""

BASELINE_CHECKERS: Mapping[str, Callable[[Case], Part]] = {
    "validity": check_validity,
    "objectives": lambda case: check_objectives(
        case,
        tuple(one for one in case.record.experiment.objectives if one.phase is PhaseName.BASELINE),
    ),
    "degradation": degradation.check_baseline,
    "recovery": recovery.check_baseline,
    "writes": writes.check_baseline,
}

_EMPTY: Mapping[str, Json] = {
    "faults": [],
    "recovery": {"mttr_s": None, "mttr_low_s": None, "mttr_high_s": None, "limit_s": None, "cycles": []},
    "writes": None,
    "objectives": [],
    "degradation": None,
    "shedding": [],
    "amplification": [],
    "breakers": [],
    "attribution": [],
    "health": [],
    "service": None,
    "load": None,
    "bottlenecks": None,
    "anomalies": [],
    "soak": [],
    "rate_limits": [],
    "balance": [],
    "scaling": None,
    "coverage": None,
    "resources": None,
}


def guarded(name: str, checker: Callable[[Case], Part], case: Case) -> Part:
    """A checker's part; unknown, never pass, if the checker itself broke."""
    try:
        part = checker(case)
    except Exception as error:  # noqa: BLE001 - whatever broke, the answer is unknown and the error is shown
        return Part(name, Answer.UNKNOWN, f"the checker of {name} broke: {type(error).__name__}: {error}")
    return part


def judge(record: Record) -> Verdict:
    """Judge the record of a finished run. Never raises for what is in the record: it says unknown."""
    try:
        case = prepare(record)
    except Exception as error:  # noqa: BLE001 - as in `guarded`
        part = Part("validity", Answer.UNKNOWN, f"the record cannot be judged: {type(error).__name__}: {error}")
        return _verdict(record, (part,), {})
    checkers = PARTS.get(purpose_of(record.events), CHECKERS)
    asked = [(name, checker) for name, checker in checkers.items() if _asked(name, case)]
    parts = tuple(excused(case, guarded(name, checker, case)) for name, checker in asked)
    try:
        figures = {
            "duration_s": case.end_s,
            "phases": [phase_figures(case, phase) for phase in case.phases],
            "service": service_level(case),
            "load": load_figures(case),
            "soak": soak_advice(case),
            **insights(case),
            "coverage": coverage(case, parts),
            "resources": resources.document(case),
        }
        if regression.is_asked(case):
            compared = partial(regression.check_regression, parts=parts, figures=figures)
            parts = (*parts, guarded(regression.NAME, compared, case))
    except Exception as error:  # noqa: BLE001 - as in `guarded`
        why = f"the figures of the phases cannot be told: {type(error).__name__}: {error}"
        return _verdict(record, (*parts, Part("phases", Answer.UNKNOWN, why)), {"duration_s": case.end_s})
    return _verdict(record, parts, figures)


def _asked(name: str, case: Case) -> bool:
    """Whether the experiment asks for that part; all but a few are always judged."""
    ledger = case.record.experiment.ledger
    few = {
        "cache": ledger is not None and ledger.cache is not None,
        "isolation": is_asked(case.record.experiment.load),
        "control": case.record.experiment.load.control is not None,
        **{name: name in promised(case.record.experiment) for name in PROMISES},
    }
    return few.get(name, True)


def judge_baseline(record: Record) -> tuple[Part, ...]:
    """Judge the baseline of a run in progress: whether the method may begin at all."""
    try:
        case = prepare(record, finished=False)
    except Exception as error:  # noqa: BLE001 - as in `guarded`
        why = f"the record cannot be judged: {type(error).__name__}: {error}"
        return tuple(Part(name, Answer.UNKNOWN, why) for name in BASELINE_CHECKERS)
    return tuple(guarded(name, checker, case) for name, checker in BASELINE_CHECKERS.items())


def because(parts: Sequence[Part]) -> str:
    """One sentence: the worst parts' own (at most three), or for a pass the key figures of all."""
    answer = Answer.worst(part.answer for part in parts)
    if answer is Answer.PASS:
        told = [part.because for part in parts if part.name not in {"validity", "degradation"}]
        return "; ".join(told)
    if answer is Answer.UNKNOWN:  # what was wrong with the run itself explains whatever else is not known
        parts = sorted(parts, key=lambda part: part.name != "validity")
    worst = [f"{part.name}: {part.because}" for part in parts if part.answer is answer]
    more = f"; and {len(worst) - JOINED} more" if len(worst) > JOINED else ""
    return "; ".join(worst[:JOINED]) + more


def _verdict(record: Record, parts: tuple[Part, ...], figures: Mapping[str, object]) -> Verdict:
    answer, why = Answer.worst(part.answer for part in parts), because(parts)
    covered = figures.get("coverage")
    if answer is Answer.PASS and isinstance(covered, Mapping):  # a pass says what it is a pass of
        why = f"{why}; {covered['because']}"
    experiment = record.experiment
    document: dict[str, object] = {
        "answer": answer.value,
        "because": why,
        "experiment": experiment.name,
        "title": experiment.title,
        "target": experiment.target,
        "stack": record.stack,
        "seed": record.plan.seed,
        "run": record.plan.run,
        "digest": experiment.digest,
        "duration_s": None,
        "phases": [],
        **_EMPTY,
        **figures,
    }
    for part in parts:
        document |= part.data
    document["parts"] = [
        {"name": part.name, "answer": part.answer.value, "because": part.because, "evidence": list(part.evidence)}
        for part in parts
    ]
    return Verdict(answer, why, parts, {name: plain(value) for name, value in document.items()})


def plain(value: object) -> Json:
    """A value as JSON: lists for tuples, null for what is no number (NaN, infinity)."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {str(key): plain(one) for key, one in value.items()}
        case list() | tuple():
            return [plain(one) for one in value]
        case _:
            raise TypeError(f"{value!r} of {type(value).__name__} is no JSON")
