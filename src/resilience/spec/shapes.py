"""What values in an experiment file look like: the JSON Schema of a kind of value, how it is read and how written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from resilience.errors import SpecError
from resilience.model import AbortWhen, Json, Objective
from resilience.spec.durations import PATTERN, format_duration, parse_duration
from resilience.spec.findings import Findings
from resilience.spec.k6 import read_thresholds
from resilience.spec.live import not_live
from resilience.spec.sizes import SIZE_PATTERN, format_size, parse_size
from resilience.spec.text import join
from resilience.spec.thresholds import parse_abort, parse_objective

UNREAD: Any = object()
"""What reading returns for a value that is wrong; what is wrong stands in the findings."""

NAME_PATTERN = "^[a-z0-9][a-z0-9-]{0,62}$"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a value looks like, and how it is read and written.

    Attributes:
        schema: its JSON Schema.
        read: (value, path, findings) → the model's value, or UNREAD; may raise SpecError.
        write: the model's value → as it stands in a file; for defaults.
        whole: nothing inside it can be read if something inside it is wrong.
    """

    schema: Mapping[str, Json]
    read: Callable[[Any, str, Findings], Any] = lambda value, _path, _findings: value
    write: Callable[[Any], Json] = lambda value: value
    whole: bool = True

    def take(self, value: Any, path: str, findings: Findings) -> Any:  # noqa: ANN401 - shapes differ
        """Read a value; UNREAD if it is wrong."""
        if self.whole and not findings.clean(path):
            return UNREAD
        try:
            return self.read(value, path, findings)
        except SpecError as error:
            findings.add_all(path, error.problems)
            return UNREAD


def number(least: float = 0, most: float | None = None, *, above: bool = False) -> Shape:
    """A number from `least` (or above it) to `most`."""
    bounds: dict[str, Json] = {"exclusiveMinimum" if above else "minimum": least}
    if most is not None:
        bounds["maximum"] = most
    return Shape({"type": "number", **bounds}, lambda value, _path, _findings: float(value))


def count(least: int, most: int) -> Shape:
    """A whole number in a range, both ends included."""
    return Shape({"type": "integer", "minimum": least, "maximum": most}, lambda value, _path, _findings: int(value))


def choice(*words: str, kind: Callable[[str], Any] = str) -> Shape:
    """One of several words."""
    return Shape(
        {"type": "string", "enum": list(words)},
        lambda value, _path, _findings: kind(value),
        lambda value: str(value.value if isinstance(value, Enum) else value),
    )


def listing(item: Shape, least: int = 0) -> Shape:
    """A list; items that are wrong are left out when it is read."""

    def read(value: Any, path: str, findings: Findings) -> Any:  # noqa: ANN401 - as Shape.read
        if not isinstance(value, Sequence) or isinstance(value, str):
            return UNREAD
        items = [item.take(each, join(path, index), findings) for index, each in enumerate(value)]
        return tuple(each for each in items if each is not UNREAD)

    schema: dict[str, Json] = {"type": "array", "items": item.schema, **({"minItems": least} if least else {})}
    return Shape(schema, read, lambda value: [item.write(each) for each in value], whole=False)


def texts(what: str) -> Shape:
    """A mapping from text to text."""
    return Shape(
        {"type": "object", "additionalProperties": {"type": "string"}, "description": what},
        lambda value, _path, _findings: dict(value),
        dict,
    )


def _objective(value: Any, _path: str, _findings: Findings) -> Objective:  # noqa: ANN401 - as Shape.read
    if isinstance(value, str):
        return parse_objective(value)
    read = replace(
        parse_objective(value["expression"], value.get("operation", "all")),
        tenant=value.get("tenant", ""),
        region=value.get("region", ""),
        abort=value.get("abort", False),
        delay_abort_s=parse_duration(value.get("delay_abort", "0s")),
    )
    if read.abort and (problems := tuple(not_live(read))):
        raise SpecError(problems)
    return read


TEXT = Shape({"type": "string", "minLength": 1})
FLAG = Shape({"type": "boolean"})
NAME = Shape({"$ref": "#/$defs/name"})
DURATION = Shape(
    {"$ref": "#/$defs/duration"},
    lambda value, _path, _findings: parse_duration(value),
    format_duration,
)
LENGTH = Shape({"$ref": "#/$defs/length"}, DURATION.read, DURATION.write)
"""A duration that is not 0."""


def _abort(value: Any, _path: str, _findings: Findings) -> AbortWhen:  # noqa: ANN401 - as Shape.read
    if isinstance(value, str):
        return parse_abort(value)
    return parse_abort(value["expression"], value.get("operation", "all"))


def _one_or_more(item: Shape, what: str) -> Shape:
    """A list of texts or mappings, or one text by itself."""
    several = listing(item)

    def read(value: Any, path: str, findings: Findings) -> Any:  # noqa: ANN401 - as Shape.read
        if not isinstance(value, str):
            return several.read(value, path, findings)
        only = item.take(value, path, findings)
        return () if only is UNREAD else (only,)

    schema: dict[str, Json] = {
        **several.schema,
        "type": ["array", "string"],
        "title": what,
        "examples": ["rate>0.5 for 10s"],
    }
    return Shape(schema, read, several.write, whole=False)


OBJECTIVE = Shape({"$ref": "#/$defs/objective"}, _objective)
ABORT = Shape({"$ref": "#/$defs/abort"}, _abort, lambda value: str(value.expression))
ABORTS = _one_or_more(ABORT, "abort condition")
THRESHOLDS = Shape(
    {
        "type": "object",
        "title": "thresholds",
        "examples": ["{http_req_duration: [p(95)<500]}"],
        "additionalProperties": {
            "type": "array",
            "items": {"$ref": "#/$defs/threshold"},
            "title": "list of thresholds",
            "examples": ["[p(95)<500]"],
        },
    },
    read_thresholds,
    whole=False,
)
SIZE = Shape(
    {"type": "string", "pattern": SIZE_PATTERN, "title": "size", "examples": ["200MB"]},
    lambda value, _path, _findings: parse_size(value),
    format_size,
)
STATUS = count(100, 599)
PATH = Shape({"type": "string", "pattern": "^/", "title": "path", "examples": ["/items/${key}"]})

SHARED: Mapping[str, Mapping[str, Json]] = {
    "duration": {
        "title": "duration",
        "description": "Hours, minutes, seconds and milliseconds with their units: 1h30m, 5m, 30s, 250ms.",
        "type": "string",
        "pattern": PATTERN,
        "examples": ["30s", "5m", "1h30m", "250ms"],
    },
    "length": {
        "title": "duration above 0",
        "description": "Hours, minutes, seconds and milliseconds with their units: 1h30m, 5m, 30s, 250ms; not 0.",
        "type": "string",
        "pattern": PATTERN.replace("(?=.)", "(?=.*[1-9])"),
        "examples": ["30s", "5m", "1h30m", "250ms"],
    },
    "name": {
        "title": "name",
        "description": "Lower case letters, digits and hyphens, at most 63, not beginning with a hyphen.",
        "type": "string",
        "pattern": NAME_PATTERN,
        "examples": ["redis-down"],
    },
    "abort": {
        "title": "abort condition",
        "description": (
            "When the run is reverted and stopped. Either what must not be, `rate>0.5 for 10s`, in any phase unless "
            "`@ PHASE` says in which; or an objective that must hold, `rate<0.5 @ fault over 10s`. Metrics: rate, rps, "
            "degraded, p(N); the last two only for all operations together."
        ),
        "type": ["string", "object"],
        "properties": {
            "expression": {
                "title": "Expression",
                "description": "The condition: rate>0.5 for 10s.",
                "type": "string",
            },
            "operation": {
                "$ref": "#/$defs/name",
                "title": "Operation",
                "description": "The operation that it is about; all of them if left out.",
                "default": "all",
            },
        },
        "required": ["expression"],
        "additionalProperties": False,
        "examples": ["rate>0.5 for 10s"],
    },
    "threshold": {
        "title": "threshold",
        "description": "A threshold as k6 writes it; in every phase but the warm-up unless `@ PHASE` follows.",
        "type": ["string", "object"],
        "properties": {
            "threshold": {"title": "Threshold", "description": "The expression: p(95)<500.", "type": "string"},
            "abortOnFail": {
                "title": "Abort on fail",
                "description": "Whether the run is reverted and stopped as soon as it does not hold.",
                "type": "boolean",
                "default": False,
            },
            "delayAbortEval": {
                "$ref": "#/$defs/duration",
                "title": "Delay abort eval",
                "description": "Not before so much of the phase is over.",
                "default": "0s",
            },
        },
        "required": ["threshold"],
        "additionalProperties": False,
        "examples": ["p(95)<500"],
    },
    "objective": {
        "title": "objective",
        "description": (
            "A threshold as in k6, with the phase in which it must hold: p(95)<500 @ fault(redis-down). Metrics: p(N), "
            "avg, min, max, med (milliseconds), rate (share of operations that were not ok), availability (share that "
            "was ok), count, rps (ok per second), degraded (share of ok answers), shed (share that was shed), "
            "apdex(T), burn(99.9%), budget(99.9%). Phases: warm-up, baseline, fault, recovery, after. `over 10s`: in "
            "every window of that length. Or a relation to the baseline: p(95) no worse than 10% @ after."
        ),
        "type": ["string", "object"],
        "properties": {
            "expression": {
                "title": "Expression",
                "description": "The threshold: p(95)<500 @ fault(redis-down).",
                "type": "string",
            },
            "operation": {
                "$ref": "#/$defs/name",
                "title": "Operation",
                "description": "The operation that it is about; all of them if left out.",
                "default": "all",
            },
            "tenant": {
                "$ref": "#/$defs/name",
                "title": "Tenant",
                "description": "The tenant that it is about; each is every one on its own.",
            },
            "region": {
                "$ref": "#/$defs/name",
                "title": "Region",
                "description": "The region that it is about; each is every one on its own.",
            },
            "abort": {
                "title": "Abort",
                "description": "Whether the run is reverted and stopped as soon as it does not hold (k6: abortOnFail).",
                "type": "boolean",
                "default": False,
            },
            "delay_abort": {
                "$ref": "#/$defs/duration",
                "title": "Delay abort",
                "description": "Not before so much of the phase is over (k6: delayAbortEval).",
                "default": "0s",
            },
        },
        "required": ["expression"],
        "additionalProperties": False,
        "examples": ["p(95)<500 @ fault(redis-down)"],
    },
}
"""Definitions that several keys refer to."""
