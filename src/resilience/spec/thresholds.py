"""Objectives in k6's threshold grammar, with a phase and a window; and conditions under which a run is aborted.

    objective  = metric comparison number { over | at }  |  metric relation number "%" at
    abort      = metric comparison number { for | at }   |  objective with over
    metric     = see `spec.metrics`
    comparison = "<" | "<=" | ">" | ">=" | "==" | "===" | "!="
    relation   = "no worse than" | "within"               than in the baseline, of the baseline
    over       = "over" duration                          at most once
    for        = "for" duration                           once
    at         = "@" phase [ "(" fault name ")" ]         at most once
    phase      = "warm-up" | "baseline" | "fault" | "recovery" | "after"

An objective that holds always, or never, whatever is measured, is refused: it would be a verdict about nothing. With
`for`, an expression says what must not be, and holds in any phase; with `over`, what must be. So `rate>0.5 for 10s @
fault` and `rate<=0.5 over 10s @ fault` abort at the same moment. A relation is a claim about a difference, with a
margin in percent: see `judge.equivalence`.
"""

import re
from difflib import get_close_matches

from resilience.errors import SpecError
from resilience.model import AbortWhen, Comparison, Objective, PhaseName, Problem, is_name
from resilience.spec.durations import parse_duration
from resilience.spec.metrics import COMPARABLE, NUMBER, read_limit, read_measure, read_metric

EXAMPLE = (
    "write for example p(95)<500 @ baseline, rate<0.01 @ fault(NAME), rps>225 @ after over 10s or "
    "p(95) no worse than 10% @ after"
)

NO_WORSE, WITHIN = "no worse than", "within"

_SHAPE = re.compile(
    r"\s*(?:(?P<measure>[a-zA-Z_]+)\s*:)?\s*(?P<metric>[a-zA-Z_]+)\s*(?:\((?P<inside>[^()]*)\))?"
    r"(?:\s*(?P<comparison><=|>=|===|==|!=|<|>)|\s+(?P<relation>no\s+worse\s+than|within)\s)"
    r"\s*(?P<limit>[^\s@]+)(?P<rest>(?:\s.*|@.*)?)",
    re.ASCII,
)
_CLAUSE = re.compile(
    r"\s*(?:@\s*(?P<phase>[\w-]+)\s*(?:\((?P<fault>[^()]*)\))?|(?P<word>over|for)\s+(?P<window>\S+))", re.ASCII
)
_WITH_NAME = (PhaseName.FAULT, PhaseName.RECOVERY)

LIVE = ("rate", "rps", "degraded", "p")
"""What is known while the run goes on, exactly or (`p`) within 2 %."""
_OF_ALL = ("degraded", "p")
"""Of these, what is known of all operations together only."""

CONTRARY = {
    Comparison.LT: Comparison.GE,
    Comparison.LE: Comparison.GT,
    Comparison.GT: Comparison.LE,
    Comparison.GE: Comparison.LT,
    Comparison.EQ: Comparison.NE,
    Comparison.NE: Comparison.EQ,
}


def parse_objective(text: str, operation: str = "all") -> Objective:
    """Read one objective; without `@ phase` it is about the baseline.

    Raises:
        SpecError: with everything that is wrong with the expression.
    """
    objective, word, _ = _read(text, operation)
    if word == "for":
        raise SpecError(Problem("", f"{text!r}: 'for' says when to abort, not what must hold", "write over DURATION"))
    return objective


def parse_abort(text: str, operation: str = "all") -> AbortWhen:
    """Read one condition under which a run is aborted.

    Raises:
        SpecError: with everything that is wrong with the expression.
    """
    objective, word, somewhere = _read(text, operation)
    problems = []
    if objective.relation:
        hint = "write what must not be, as in rate>0.5 for 10s"
        raise SpecError(Problem("", f"{text!r} is judged over a whole phase, not live", hint))
    if objective.measure:
        problems.append(Problem("", f"{objective.measure} is not known while the run goes on", "use p, rate or rps"))
    if objective.window_s is None:
        problems.append(Problem("", f"{text!r} has no window, and is judged live", f"write {text} for 5s or over 5s"))
    if objective.aggregate not in LIVE:
        hint = f"use one of {', '.join(LIVE)}"
        problems.append(Problem("", f"{objective.aggregate} is not known exactly while the run goes on", hint))
    elif objective.aggregate in _OF_ALL and operation != "all":
        message = f"{objective.aggregate} is known live of all operations together only, found {operation!r}"
        problems.append(Problem("", message, "leave out operation, or use rate or rps"))
    if word == "over" and not somewhere:
        hint = f"write {text} @ fault; or, with for instead of over, what must not be anywhere"
        problems.append(Problem("", f"{text!r} does not say when it must hold", hint))
    if problems:
        raise SpecError(problems)
    return AbortWhen(
        expression=text,
        aggregate=objective.aggregate,
        comparison=objective.comparison if word == "for" else CONTRARY[objective.comparison],
        limit=objective.limit,
        window_s=objective.window_s or 0.0,
        quantile=objective.quantile,
        operation=operation,
        phase=objective.phase if somewhere else None,
        fault=objective.fault,
    )


def _read(text: str, operation: str) -> tuple[Objective, str, bool]:
    """The expression as an objective; `over`, `for` or nothing; whether it names a phase."""
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise SpecError(Problem("", f"{text!r} is not an objective", _shape_hint(text)))
    problems: list[Problem] = []
    metric = read_metric(shape["metric"], shape["inside"], problems)
    measure = read_measure(shape["measure"], metric, problems)
    relation = " ".join((shape["relation"] or "").split())
    comparison = Comparison((shape["comparison"] or "<=").replace("===", "=="))
    written = shape["limit"]
    limit = _margin(written, problems) if relation else read_limit(metric, comparison, written, problems)
    phase, fault, window_s, word = read_clauses(shape["rest"], problems)
    if relation and measure:
        hint = f"write a threshold, as in {measure}:p(95)<500"
        problems.append(Problem("", f"{measure} is not compared with the baseline", hint))
    if relation:
        _check_relation(metric.word, relation, phase, word, problems)
    if problems:
        raise SpecError([Problem("", f"{text!r}: {problem.message}", problem.hint) for problem in problems])
    read = Objective(
        expression=text,
        aggregate=metric.word,
        comparison=comparison,
        limit=limit,
        quantile=metric.quantile,
        operation=operation,
        phase=phase or PhaseName.BASELINE,
        fault=fault,
        window_s=window_s,
        argument=metric.argument,
        relation=relation,
        measure=measure,
    )
    return read, word, phase is not None


def _shape_hint(text: str) -> str:
    if found := re.match(r"\s*p(\d+(?:\.\d+)?)\s*[<>=!]", text):
        return f"a quantile is written p({found[1]})"
    return EXAMPLE


def _margin(text: str, problems: list[Problem]) -> float:
    """The margin of a relation as a share of 1."""
    bare = text.removesuffix("%")
    if not text.endswith("%") or not NUMBER.fullmatch(bare):
        hint = "write 5%" if not NUMBER.fullmatch(text) else f"write {text}%"
        problems.append(Problem("", f"the margin {text!r} is not a percentage", hint))
    elif not 0 < float(bare) < 100:  # noqa: PLR2004 - %
        message = f"a margin is above 0 % and below 100 %, found {text}"
        problems.append(Problem("", message, "write the largest difference that does no harm"))
    else:
        return float(bare) / 100
    return 0.0


def _check_relation(metric: str, relation: str, phase: PhaseName | None, word: str, problems: list[Problem]) -> None:
    if metric not in COMPARABLE:
        hint = f"use one of {', '.join(COMPARABLE)}"
        problems.append(Problem("", f"{metric} is not compared with the baseline", hint))
    if phase in {None, PhaseName.BASELINE, PhaseName.WARM_UP}:
        found = "no phase" if phase is None else str(phase)
        problems.append(Problem("", f"{relation!r} is about a later phase than the baseline, found {found}", "@ after"))
    if word:
        problems.append(Problem("", f"{relation!r} is about a whole phase, found {word!r}", f"leave out {word} …"))


def read_clauses(rest: str, problems: list[Problem]) -> tuple[PhaseName | None, str, float | None, str]:
    """Phase, fault, window, and the word before the window, of what follows a comparison; what is wrong is noted."""
    phase: PhaseName | None = None
    fault, window, word = "", None, ""
    while rest.strip():
        clause = _CLAUSE.match(rest)
        if clause is None:
            problems.append(Problem("", f"{rest.strip()!r} is not understood", "expected @ PHASE or over DURATION"))
            break
        rest = rest[clause.end() :]
        if clause["window"] is not None and window is None:
            window, word = _window(clause["window"], problems), clause["word"]
        elif clause["phase"] is not None and phase is None:
            phase, fault = _phase(clause["phase"], clause["fault"], problems)
        else:
            problems.append(Problem("", f"{clause[0].strip()!r} is the second of its kind", "keep one"))
            break
    return phase, fault, window, word


def _window(text: str, problems: list[Problem]) -> float:
    try:
        window_s = parse_duration(text)
    except SpecError as error:
        problems += error.problems
        return 1.0
    if window_s <= 0:
        problems.append(Problem("", f"the window {text} is empty", "write for example over 10s"))
    return window_s


def _phase(word: str, name: str | None, problems: list[Problem]) -> tuple[PhaseName, str]:
    try:
        phase = PhaseName(word)
    except ValueError:
        near = get_close_matches(word, list(PhaseName), 1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(PhaseName)}"
        problems.append(Problem("", f"{word!r} is not a phase", hint))
        return PhaseName.BASELINE, ""
    if name is None:
        return phase, ""
    if phase not in _WITH_NAME:
        problems.append(Problem("", f"{phase} takes no name, found {name!r}", f"write @ {phase}"))
    elif not is_name(name):
        problems.append(Problem("", f"{name!r} is not the name of a fault", "lower case, digits and hyphens"))
    return phase, name
