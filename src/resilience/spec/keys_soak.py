"""Keys of what must not grow, and how growth per hour is written: `20MB/h`, `5/h`, `10%/h`, `1ms/min`."""

import re
from collections.abc import Mapping
from typing import Any

from resilience.errors import SpecError
from resilience.model import Json, PhaseName, Problem
from resilience.model.soak import Flat, Growth, Soak, Times
from resilience.spec.findings import Findings
from resilience.spec.key import Key, block
from resilience.spec.metrics import TIMES, read_metric
from resilience.spec.shapes import DURATION, NAME, Shape, choice, listing

_UNITS = {"": 1.0, "%": 0.01, "ms": 1e-3, "s": 1.0, "B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9}
_PATTERN = r"^\d{1,9}(\.\d{1,9})?(%|ms|s|B|kB|MB|GB)?/(h|min)$"
_GROWTH = re.compile(r"(\d+(?:\.\d+)?)(%|ms|s|B|kB|MB|GB)?/(h|min)", re.ASCII)
_FIGURE = re.compile(r"\s*([a-z]+)\s*(?:\(([^()]*)\))?\s*", re.ASCII)
_KNOWN = ("p", "med", "avg")


def _growth(value: Any, _path: str, _findings: Findings) -> Growth:  # noqa: ANN401 - as Shape.read
    found = _GROWTH.fullmatch(str(value))
    if found is None:
        raise SpecError(Problem("", f"{value!r} is no growth", "write 20MB/h, 5/h, 10%/h or 1MB/min"))
    number, unit, of = found.groups()
    per_hour = float(number) * _UNITS[unit or ""] * (60 if of == "min" else 1)
    return Growth(per_hour=per_hour, relative=unit == "%")


def _times(value: Any, _path: str, _findings: Findings) -> Times:  # noqa: ANN401 - as Shape.read
    found = _FIGURE.fullmatch(str(value))
    problems: list[Problem] = []
    word, inside = found.groups() if found else (str(value), None)
    metric = read_metric(word, inside, problems)
    if not problems and metric.word not in _KNOWN:
        hint = f"write p(95), med or avg; {metric.word} {'says' if metric.word in TIMES else 'would say'} too little"
        problems.append(Problem("", f"{value!r} is not looked at for growth", hint))
    if problems:
        raise SpecError(problems)
    return Times(aggregate=metric.word, quantile=metric.quantile)


def _said(value: Growth | None) -> Json:
    return None if value is None else f"{value.per_hour:g}/h"


GROWTH = Shape({"type": "string", "pattern": _PATTERN, "title": "growth", "examples": ["20MB/h"]}, _growth, _said)
FIGURE = Shape({"type": "string", "title": "figure of response times", "examples": ["p(95)"]}, _times)
RESOURCE = Shape(
    {
        "type": "string",
        "pattern": r"^[a-z][a-z0-9_]*(\.[a-z0-9_-]+)+$",
        "title": "name of a resource",
        "examples": ["process.memory"],
    }
)

SOAK_KEYS: Mapping[type, tuple[Key, ...]] = {
    Soak: (
        Key("flat", "flat", listing(block(Flat), 1), "Quantities that must not grow for good."),
        Key("phase", "phase", choice(*PhaseName, kind=PhaseName), "Where; each phase of that name by itself."),
        Key("warm_up", "warm_up_s", DURATION, "Left out at its beginning, besides the third that always is."),
    ),
    Flat: (
        Key("resource", "resource", RESOURCE, "A resource that was read: process.memory; or metric."),
        Key("of", "of", NAME, "The part that it is of; all that have it if left out."),
        Key("metric", "metric", FIGURE, "A figure of response times, instead of a resource: p(95), med, avg."),
        Key("operation", "operation", NAME, "The operation that the metric is of."),
        Key("growth", "growth", GROWTH, "What is tolerated: 20MB/h, 5/h, 10%/h."),
    ),
}
