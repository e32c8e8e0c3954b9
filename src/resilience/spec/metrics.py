"""The metrics of objectives: which there are, what stands in their parentheses, and which limits mean anything.

    metric  = [ measure ":" ] aggregate
    measure = "ttft" | "queue" | "processing" | "total" | "tokens"
    aggregate
           = "p(" number ")" | "avg" | "min" | "max" | "med" | "rate" | "count" | "rps" | "degraded" | "shed"
           | "availability" | "apdex(" milliseconds ")" | "burn(" percent ")" | "budget(" percent ")"

`model.Objective`, `judge.timing` and `judge.budget` say what each means. A measure takes the aggregates of response
time, and says what is measured instead: time to first token, a job's time in the queue or being worked on, all of it
(response time by another name), tokens per second.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches

from resilience.model import Comparison, Problem

TIMES = ("p", "avg", "min", "max", "med")
"""Metrics in milliseconds of response time."""
MEASURES = ("ttft", "queue", "processing", "total", "tokens")
"""What those can be about, if not response time."""
SHARES = ("rate", "degraded", "shed", "availability", "apdex")
"""Metrics that are shares: from 0 to 1."""
PROMISES = ("burn", "budget")
"""Metrics that are about a promised availability."""
AGGREGATES = (*TIMES, "count", "rps", *SHARES, *PROMISES)

COMPARABLE = ("p", "med", "avg", "rate", "availability", "degraded")
"""Metrics that can be compared with the baseline's: see `judge.equivalence`."""

NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,15})?", re.ASCII)
_TIME = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as written.

    Attributes:
        word: one of AGGREGATES.
        quantile: of `p`, in percent; else None.
        argument: of `apdex`, T in milliseconds; of `burn` and `budget`, the promise in percent; else None.
    """

    word: str
    quantile: float | None = None
    argument: float | None = None

    @property
    def most(self) -> float | None:
        """The largest value that it can have; None if there is none."""
        if self.word in SHARES:
            return 1.0
        if self.word == "burn" and self.argument is not None:
            return 100 / (100 - self.argument)
        return None


def read_metric(word: str, inside: str | None, problems: list[Problem]) -> Metric:
    """The metric with what stands in its parentheses; what is wrong is noted."""
    if word not in AGGREGATES:
        near = get_close_matches(word, AGGREGATES, 1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(AGGREGATES)}"
        problems.append(Problem("", f"{word!r} is not a metric", hint))
        return Metric(word)
    shown = "nothing" if inside is None else repr(inside)
    text = (inside or "").strip()
    match word:
        case "p":
            if NUMBER.fullmatch(text) and 0 < float(text) <= 100:  # noqa: PLR2004 - %
                return Metric(word, quantile=float(text))
            message, hint = f"p needs a percentage above 0 and up to 100, found {shown}", "write p(95)"
        case "apdex":
            found = _TIME.fullmatch(text)
            if found and float(found[1]) > 0:
                return Metric(word, argument=float(found[1]) * (1000 if found[2] == "s" else 1))
            message, hint = f"apdex needs a time in milliseconds that satisfies, found {shown}", "write apdex(100)"
        case "burn" | "budget":
            bare = text.removesuffix("%").strip()
            if NUMBER.fullmatch(bare) and 0 < float(bare) < 100:  # noqa: PLR2004 - %
                return Metric(word, argument=float(bare))
            message = f"{word} needs a promised availability above 0 % and below 100 %, found {shown}"
            hint = f"write {word}(99.9%)"
        case _:
            if inside is None:
                return Metric(word)
            message, hint = f"{word} takes nothing in parentheses", f"write {word}"
    problems.append(Problem("", message, hint))
    return Metric(word)


def read_measure(measure: str | None, metric: Metric, problems: list[Problem]) -> str:
    """What is measured instead of response time; empty if it is response time. What is wrong is noted."""
    if measure is None:
        return ""
    if measure not in MEASURES:
        near = get_close_matches(measure, MEASURES, 1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(MEASURES)}"
        problems.append(Problem("", f"{measure!r} is not measured", hint))
    elif metric.word not in TIMES:
        hint = f"use one of {', '.join(TIMES)}"
        problems.append(Problem("", f"{metric.word} says nothing of {measure}", hint))
    return "" if measure == "total" else measure


def read_limit(metric: Metric, comparison: Comparison, text: str, problems: list[Problem]) -> float:
    """The limit of a threshold; what is wrong is noted, and so is a threshold that nothing could change."""
    if not NUMBER.fullmatch(text):
        problems.append(Problem("", f"the limit {text!r} is not a plain number", _limit_hint(metric.word, text)))
        return 0.0
    limit = float(text)
    if metric.word in SHARES and limit > 1:
        hint = f"for {text} % write {limit / 100:g}"
        problems.append(Problem("", f"{metric.word} is a share from 0 to 1, found the limit {text}", hint))
    elif always := _foregone(metric, comparison, limit):
        top = f"; it is never above {metric.most:g}" if metric.most is not None and limit >= metric.most > 1 else ""
        hint = "choose a limit that can be met and can be missed"
        problems.append(Problem("", f"this {always} holds, whatever is measured{top}", hint))
    return limit


def _limit_hint(metric: str, text: str) -> str:
    if text.endswith("%") and NUMBER.fullmatch(text[:-1]):
        return f"write {float(text[:-1]) / 100:g}"
    if text.startswith("-"):
        return "no metric is negative"
    if metric in TIMES and (found := re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)", text)):
        return f"response times are in milliseconds: write {float(found[1]) * (1 if found[2] == 'ms' else 1000):g}"
    return "write milliseconds, as in 500" if metric in TIMES else "write a number"


def _foregone(metric: Metric, comparison: Comparison, limit: float) -> str:
    """`always` or `never` where no measurement can change the answer; every metric is ≥ 0, some have a most."""
    if limit == 0 and comparison is Comparison.GE:
        return "always"
    if limit == 0 and comparison is Comparison.LT:
        return "never"
    if metric.most is None or limit < metric.most:
        return ""
    if comparison in {Comparison.LE, Comparison.GT}:
        return "always" if comparison is Comparison.LE else "never"
    if limit > metric.most:
        return "always" if comparison in {Comparison.LT, Comparison.NE} else "never"
    return ""
