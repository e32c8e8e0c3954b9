"""What must hold of a resource, as written: `max<80% @ fault(redis-down)`.

    limit      = aggregate comparison number ["%"] ["@" phase ["(" fault name ")"]]
    aggregate  = "avg" | "min" | "max" | "med" | "p(" number ")"

With %, the number is a share of the resource's own limit: of `max_connections`, of the memory, of the whole. Phases are
those of objectives.
"""

import re
from difflib import get_close_matches
from typing import Any

from resilience.errors import SpecError
from resilience.model import Comparison, PhaseName, Problem, ResourceLimit
from resilience.spec.findings import Findings
from resilience.spec.metrics import NUMBER
from resilience.spec.shapes import UNREAD
from resilience.spec.thresholds import read_clauses

AGGREGATES = ("avg", "min", "max", "med", "p")
EXAMPLE = "write for example max<80% @ fault, avg>90% @ baseline, p(95)<2 @ after"

_SHAPE = re.compile(
    r"\s*(?P<word>[a-zA-Z_]+)\s*(?:\((?P<inside>[^()]*)\))?\s*(?P<comparison><=|>=|===|==|!=|<|>)"
    r"\s*(?P<limit>[^\s@%]+)\s*(?P<share>%?)(?P<rest>(?:\s.*|@.*)?)",
    re.ASCII,
)


def parse_limit(text: str, resource: str, of: str = "") -> ResourceLimit:
    """Read one; without `@ phase` it is about the baseline.

    Raises:
        SpecError: with everything that is wrong with it.
    """
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise SpecError(Problem("", f"{text!r} is no limit of a resource", EXAMPLE))
    problems: list[Problem] = []
    quantile = _aggregate(shape["word"], shape["inside"], problems)
    comparison = Comparison(shape["comparison"].replace("===", "=="))
    phase, fault, window_s, _ = read_clauses(shape["rest"], problems)
    if window_s is not None:
        problems.append(Problem("", "a limit of a resource is about a whole phase", "leave out over …"))
    limit, share = 0.0, bool(shape["share"])
    if not NUMBER.fullmatch(shape["limit"]):
        problems.append(Problem("", f"the limit {shape['limit']!r} is not a plain number", EXAMPLE))
    else:
        limit = float(shape["limit"]) / (100 if share else 1)
        if limit == 0 and comparison in {Comparison.GE, Comparison.LT}:
            always = "always" if comparison is Comparison.GE else "never"
            problems.append(Problem("", f"this {always} holds: no reading is negative", "choose another limit"))
    if problems:
        raise SpecError([Problem("", f"{text!r}: {problem.message}", problem.hint) for problem in problems])
    return ResourceLimit(
        resource=resource,
        of=of,
        expression=text,
        aggregate=shape["word"],
        comparison=comparison,
        limit=limit,
        share=share,
        quantile=quantile,
        phase=phase or PhaseName.BASELINE,
        fault=fault,
    )


def _aggregate(word: str, inside: str | None, problems: list[Problem]) -> float | None:
    """The quantile of `p`; what is wrong is noted."""
    if word not in AGGREGATES:
        near = get_close_matches(word, AGGREGATES, 1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(AGGREGATES)}"
        problems.append(Problem("", f"{word!r} is nothing that is told of a resource", hint))
    elif word == "p":
        text = (inside or "").strip()
        if NUMBER.fullmatch(text) and 0 < float(text) <= 100:  # noqa: PLR2004 - %
            return float(text)
        problems.append(Problem("", f"p needs a percentage above 0 and up to 100, found {text!r}", "write p(95)"))
    elif inside is not None:
        problems.append(Problem("", f"{word} takes nothing in parentheses", f"write {word}"))
    return None


def read_limit(value: Any, _path: str, _findings: Findings) -> Any:  # noqa: ANN401 - as Shape.read
    """A limit from the file."""
    if not isinstance(value, dict) or not all(isinstance(value.get(key), str) for key in ("expression", "resource")):
        return UNREAD
    return parse_limit(value["expression"], value["resource"], value.get("of", ""))
