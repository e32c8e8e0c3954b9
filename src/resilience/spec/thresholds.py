"""Objectives in k6's threshold grammar, with a phase and a window; and conditions under which a run is aborted.

    objective  = metric comparison number { over | at }
    abort      = metric comparison number { for | at }  |  objective with over
    metric     = "p(" number ")" | "avg" | "min" | "max" | "med" | "rate" | "count" | "rps" | "degraded"
    comparison = "<" | "<=" | ">" | ">=" | "==" | "===" | "!="
    over       = "over" duration                              at most once
    for        = "for" duration                               once
    at         = "@" phase [ "(" fault name ")" ]             at most once
    phase      = "warm-up" | "baseline" | "fault" | "recovery" | "after"

`model.Objective` says what each metric means. An objective that holds always, or never, whatever is measured, is
refused: it would be a verdict about nothing. With `for`, an expression says what must not be, and holds in any phase;
with `over`, what must be. So `rate>0.5 for 10s @ fault` and `rate<=0.5 over 10s @ fault` abort at the same moment.
"""

import re
from difflib import get_close_matches

from resilience.errors import SpecError
from resilience.model import AbortWhen, Comparison, Objective, PhaseName, Problem, is_name
from resilience.spec.durations import parse_duration

AGGREGATES = ("p", "avg", "min", "max", "med", "rate", "count", "rps", "degraded")
SHARES = ("rate", "degraded")
"""Aggregates that are shares: from 0 to 1."""

EXAMPLE = "write for example p(95)<500 @ baseline, rate<0.01 @ fault(NAME) or rps>225 @ after over 10s"

_SHAPE = re.compile(
    r"\s*(?P<metric>[a-zA-Z_]+)\s*(?:\((?P<quantile>[^()]*)\))?"
    r"\s*(?P<comparison><=|>=|===|==|!=|<|>)"
    r"\s*(?P<limit>[^\s@]+)(?P<rest>(?:\s.*|@.*)?)",
    re.ASCII,
)
_CLAUSE = re.compile(
    r"\s*(?:@\s*(?P<phase>[\w-]+)\s*(?:\((?P<fault>[^()]*)\))?|(?P<word>over|for)\s+(?P<window>\S+))", re.ASCII
)
_NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,15})?", re.ASCII)
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
    metric, quantile = _metric(shape["metric"], shape["quantile"], problems)
    comparison = Comparison(shape["comparison"].replace("===", "=="))
    limit = _limit(metric, comparison, shape["limit"], problems)
    phase, fault, window_s, word = _clauses(shape["rest"], problems)
    if problems:
        raise SpecError([Problem("", f"{text!r}: {problem.message}", problem.hint) for problem in problems])
    where = phase or PhaseName.BASELINE
    read = Objective(text, metric, comparison, limit, quantile, operation, where, fault, window_s)
    return read, word, phase is not None


def _shape_hint(text: str) -> str:
    if found := re.match(r"\s*p(\d+(?:\.\d+)?)\s*[<>=!]", text):
        return f"a quantile is written p({found[1]})"
    return EXAMPLE


def _metric(word: str, quantile: str | None, problems: list[Problem]) -> tuple[str, float | None]:
    if word not in AGGREGATES:
        near = get_close_matches(word, AGGREGATES, 1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(AGGREGATES)}"
        problems.append(Problem("", f"{word!r} is not a metric", hint))
        return word, None
    if word != "p":
        if quantile is not None:
            problems.append(Problem("", f"{word} takes nothing in parentheses", f"write {word}"))
        return word, None
    if quantile is None or not _NUMBER.fullmatch(quantile.strip()) or not 0 < float(quantile) <= 100:  # noqa: PLR2004 - %
        shown = "nothing" if quantile is None else repr(quantile)
        problems.append(Problem("", f"p needs a percentage above 0 and up to 100, found {shown}", "write p(95)"))
        return word, None
    return word, float(quantile)


def _limit(metric: str, comparison: Comparison, text: str, problems: list[Problem]) -> float:
    if not _NUMBER.fullmatch(text):
        problems.append(Problem("", f"the limit {text!r} is not a plain number", _limit_hint(metric, text)))
        return 0.0
    limit = float(text)
    if metric in SHARES and limit > 1:
        hint = f"for {text} % write {limit / 100:g}"
        problems.append(Problem("", f"{metric} is a share from 0 to 1, found the limit {text}", hint))
    elif always := _foregone(metric, comparison, limit):
        hint = "choose a limit that can be met and can be missed"
        problems.append(Problem("", f"this {always} holds, whatever is measured", hint))
    return limit


def _limit_hint(metric: str, text: str) -> str:
    if text.endswith("%") and _NUMBER.fullmatch(text[:-1]):
        return f"write {float(text[:-1]) / 100:g}"
    if text.startswith("-"):
        return "no metric is negative"
    if found := re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)", text):
        return f"response times are in milliseconds: write {float(found[1]) * (1 if found[2] == 'ms' else 1000):g}"
    return "write milliseconds, as in 500" if metric in ("p", "avg", "min", "max", "med") else "write a number"


def _foregone(metric: str, comparison: Comparison, limit: float) -> str:
    """`always` or `never` where no measurement can change the answer; every metric is ≥ 0, shares are ≤ 1."""
    if limit == 0 and comparison is Comparison.GE:
        return "always"
    if limit == 0 and comparison is Comparison.LT:
        return "never"
    if metric in SHARES and limit == 1 and comparison in (Comparison.LE, Comparison.GT):
        return "always" if comparison is Comparison.LE else "never"
    return ""


def _clauses(rest: str, problems: list[Problem]) -> tuple[PhaseName | None, str, float | None, str]:
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
