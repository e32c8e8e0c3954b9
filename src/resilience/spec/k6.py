"""Thresholds as k6 writes them, translated into objectives. Pure.

    thresholds:
      http_req_duration: ["p(95)<500"]
      "http_req_duration{name:read-item}": ["p(99)<800"]
      http_req_failed: [{threshold: "rate<0.01", abortOnFail: true, delayAbortEval: "10s"}]

k6 judges a threshold over the whole test. A run here has phases, and what happens in the fault must not hide in what
happened before it: a threshold without `@ phase` must hold in every phase but the warm-up, in each on its own, and
`delayAbortEval` counts from the phase's beginning.

Source of the notation: Grafana k6, "Thresholds" and "Metrics reference".
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from resilience.errors import SpecError
from resilience.model import Comparison, Objective, PhaseName, Problem
from resilience.spec.durations import parse_duration
from resilience.spec.findings import Findings, did_you_mean
from resilience.spec.live import not_live
from resilience.spec.text import join
from resilience.spec.thresholds import parse_objective

METRICS: Mapping[str, Mapping[str, str]] = {
    "http_req_duration": {word: word for word in ("p", "avg", "min", "max", "med")},
    "http_req_failed": {"rate": "rate"},
    "http_reqs": {"rate": "rps"},
    "checks": {"rate": "availability"},
}
"""k6's metric → its aggregations → our metrics. A check is what `expect` says of an answer."""

INSTEAD: Mapping[str, str] = {
    "http_req_waiting": "for streamed answers write an objective: ttft:p(95)<500 @ PHASE",
    "http_req_blocked": "response times count from the intended start, with connecting: use http_req_duration",
    "http_req_connecting": "response times count from the intended start, with connecting: use http_req_duration",
    "http_req_tls_handshaking": "response times count from the intended start, with TLS: use http_req_duration",
    "http_req_sending": "use http_req_duration",
    "http_req_receiving": "use http_req_duration",
    "dropped_iterations": "an arrival that is dropped counts as not ok: use http_req_failed",
    "iterations": "use http_reqs",
    "iteration_duration": "use http_req_duration",
}
"""What k6 measures and we do not, and what comes nearest."""

TAGS: Mapping[str, str] = {"name": "operation", "tenant": "tenant", "region": "region"}
"""k6's tags that we have: what `name` groups is an operation."""

_METRIC = re.compile(r"\s*(?P<metric>\w+)\s*(?:\{(?P<tags>[^{}]*)\})?\s*", re.ASCII)
_EXPRESSION = re.compile(r"\s*(?P<word>[a-z_]+)(?P<rest>.*)", re.ASCII | re.DOTALL)
_AT_LEAST = (Comparison.GT, Comparison.GE)


@dataclass(frozen=True, slots=True)
class Threshold:
    """One threshold as read.

    Attributes:
        path: where it stands in the file.
        objective: without a phase of its own it has that of the baseline, and
        everywhere: it is meant for every phase.
    """

    path: str
    objective: Objective
    everywhere: bool


def read_thresholds(value: Any, path: str, findings: Findings) -> tuple[Threshold, ...]:  # noqa: ANN401 - any JSON
    """Read the block `thresholds`; what is wrong is noted and left out."""
    found = []
    for name, listed in value.items() if isinstance(value, Mapping) else ():
        where = join(path, str(name))
        try:
            metric, about = _metric(str(name))
        except SpecError as error:
            findings.add_all(where, error.problems)
            continue
        for index, each in enumerate(listed if isinstance(listed, Sequence) and not isinstance(listed, str) else ()):
            place = join(where, index)
            if not findings.clean(place):
                continue
            try:
                found.append(_threshold(metric, about, each, place))
            except SpecError as error:
                findings.add_all(place, error.problems)
    return tuple(found)


def expand(thresholds: Sequence[Threshold], phases: Sequence[PhaseName]) -> Iterator[tuple[str, Objective]]:
    """The objectives that thresholds stand for, with their paths.

    Args:
        thresholds: as read.
        phases: the kinds of phase that the run will have.
    """
    for one in thresholds:
        if not one.everywhere:
            yield one.path, one.objective
            continue
        for phase in PhaseName:
            if phase in phases and phase is not PhaseName.WARM_UP:
                text = f"{one.objective.expression} @ {phase.value}"
                yield one.path, replace(one.objective, expression=text, phase=phase)


def _metric(text: str) -> tuple[str, dict[str, str]]:
    """k6's metric, and what its tags say an objective is about."""
    shape = _METRIC.fullmatch(text)
    if shape is None:
        hint = "write for example http_req_duration or http_req_duration{name:read-item}"
        raise SpecError(Problem("", f"{text!r} is not a metric of k6", hint))
    if shape["metric"] not in METRICS:
        hint = INSTEAD.get(shape["metric"]) or did_you_mean(shape["metric"], list(METRICS))
        raise SpecError(Problem("", f"{shape['metric']!r} is not measured here", hint))
    about, problems = {}, []
    for tag in (shape["tags"] or "").split(",") if shape["tags"] else ():
        name, _, value = (part.strip() for part in tag.partition(":"))
        if name not in TAGS or not value:
            hint = f"known are {', '.join(f'{known}:…' for known in TAGS)}"
            problems.append(Problem("", f"the tag {tag.strip()!r} is not known here", hint))
        else:
            about[TAGS[name]] = value
    if problems:
        raise SpecError(problems)
    return shape["metric"], about


def _threshold(metric: str, about: Mapping[str, str], value: Any, path: str) -> Threshold:  # noqa: ANN401 - any JSON
    given = {"threshold": value} if isinstance(value, str) else value
    shape = _EXPRESSION.fullmatch(given["threshold"])
    words = METRICS[metric]
    if shape is None or shape["word"] not in words:
        known = ", ".join("p(N)" if word == "p" else word for word in words)
        message = f"{given['threshold']!r} is no threshold on {metric}"
        raise SpecError(Problem("", message, f"its aggregations here are {known}"))
    ours = words[shape["word"]]
    objective = parse_objective(f"{ours}{shape['rest'].rstrip()}", about.get("operation", "all"))
    if objective.aggregate == "rps" and objective.comparison not in _AT_LEAST:
        message = f"{given['threshold']!r}: requests are counted here if they were ok, which is no bound from above"
        raise SpecError(Problem("", message, "write >, or limit the load's own rate"))
    objective = replace(
        objective,
        tenant=about.get("tenant", ""),
        region=about.get("region", ""),
        abort=bool(given.get("abortOnFail", False)),
        delay_abort_s=parse_duration(given.get("delayAbortEval", "0s")),
    )
    if objective.abort and (problems := tuple(not_live(objective))):
        raise SpecError(problems)
    return Threshold(path, objective, everywhere="@" not in objective.expression)
