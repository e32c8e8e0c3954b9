"""Objectives in k6's threshold grammar, with a phase and a window.

    objective  = metric comparison number { over | at }
    metric     = "p(" number ")" | "avg" | "min" | "max" | "med" | "rate" | "count" | "rps" | "degraded"
    comparison = "<" | "<=" | ">" | ">=" | "==" | "===" | "!="
    over       = "over" duration                              at most once
    at         = "@" phase [ "(" fault name ")" ]             at most once
    phase      = "warm-up" | "baseline" | "fault" | "recovery" | "after"

`model.Objective` says what each metric means. An objective that holds always, or never, whatever is measured, is
refused: it would be a verdict about nothing.
"""

import re
from difflib import get_close_matches

from resilience.errors import SpecError
from resilience.model import Comparison, Objective, PhaseName, Problem, is_name
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
_CLAUSE = re.compile(r"\s*(?:@\s*(?P<phase>[\w-]+)\s*(?:\((?P<fault>[^()]*)\))?|over\s+(?P<window>\S+))", re.ASCII)
_NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,15})?", re.ASCII)
_WITH_NAME = (PhaseName.FAULT, PhaseName.RECOVERY)


def parse_objective(text: str, operation: str = "all") -> Objective:
    """Read one objective; without `@ phase` it is about the baseline.

    Raises:
        SpecError: with everything that is wrong with the expression.
    """
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise SpecError(Problem("", f"{text!r} is not an objective", _shape_hint(text)))
    problems: list[Problem] = []
    metric, quantile = _metric(shape["metric"], shape["quantile"], problems)
    comparison = Comparison(shape["comparison"].replace("===", "=="))
    limit = _limit(metric, comparison, shape["limit"], problems)
    phase, fault, window_s = _clauses(shape["rest"], problems)
    if problems:
        raise SpecError([Problem("", f"{text!r}: {problem.message}", problem.hint) for problem in problems])
    return Objective(text, metric, comparison, limit, quantile, operation, phase, fault, window_s)


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


def _clauses(rest: str, problems: list[Problem]) -> tuple[PhaseName, str, float | None]:
    phase: PhaseName | None = None
    fault, window = "", None
    while rest.strip():
        clause = _CLAUSE.match(rest)
        if clause is None:
            problems.append(Problem("", f"{rest.strip()!r} is not understood", "expected @ PHASE or over DURATION"))
            break
        rest = rest[clause.end() :]
        if clause["window"] is not None and window is None:
            window = _window(clause["window"], problems)
        elif clause["phase"] is not None and phase is None:
            phase, fault = _phase(clause["phase"], clause["fault"], problems)
        else:
            problems.append(Problem("", f"{clause[0].strip()!r} is the second of its kind", "keep one"))
            break
    return phase or PhaseName.BASELINE, fault, window


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
