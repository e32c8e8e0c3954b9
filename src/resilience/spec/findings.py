"""Everything that is found wrong with one file, and how it is said: the value, what was expected, what to do."""

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, cast

from jsonschema.exceptions import ValidationError

from resilience.model import Problem
from resilience.spec.durations import duration_hint
from resilience.spec.text import Source, join

_TYPES = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "object": "a mapping",
    "array": "a list",
    "boolean": "true or false",
    "null": "nothing",
}

_BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
}

_SIZES = {
    "minItems": "has {found} items, expected at least {limit}",
    "maxItems": "has {found} items, expected at most {limit}",
    "minLength": "has {found} characters, expected at least {limit}",
    "maxLength": "has {found} characters, expected at most {limit}",
    "minProperties": "has {found} keys, expected at least {limit}",
    "maxProperties": "has {found} keys, expected at most {limit}",
}


class Findings:
    """The problems of one file and where in the file they are."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._found: dict[str, list[Problem]] = {}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What was found, in the order of the file as far as lines are known."""
        return tuple(sorted((each for found in self._found.values() for each in found), key=lambda each: each.line))

    def add(self, path: str, message: str, hint: str = "") -> None:
        """Note a problem, unless this path has one already: the first is the cause, others tend to follow from it."""
        self.add_all(path, [Problem("", message, hint)])

    def add_all(self, path: str, problems: Iterable[Problem]) -> None:
        """Note several problems of one path, found together."""
        if path not in self._found:
            place = self._source.place(path)
            self._found[path] = [Problem(path, each.message, each.hint, *place) for each in problems]

    def has(self, path: str) -> bool:
        """Whether something was found wrong with a path itself."""
        return path in self._found

    def clean(self, path: str) -> bool:
        """Whether nothing was found wrong with a path, nor with anything inside it."""
        inside = (f"{path}.", f"{path}[")
        return not any(found == path or found.startswith(inside) for found in self._found)

    def add_errors(self, errors: Iterable[ValidationError]) -> None:
        """Note what JSON Schema found."""
        for error in errors:
            self._add_error(error)

    def _add_error(self, error: ValidationError) -> None:
        path, wanted = "", cast("Any", error.validator_value)
        for key in error.absolute_path:
            path = join(path, key)
        if error.validator == "additionalProperties":
            known = list(error.schema.get("properties", ())) if isinstance(error.schema, Mapping) else []
            for key in cast("Mapping[str, Any]", error.instance):
                if key not in known:
                    self.add(join(path, key), f"the key {key!r} is not known here", did_you_mean(key, known))
        elif error.validator == "required":
            for key in wanted:
                if key not in cast("Mapping[str, Any]", error.instance):
                    self.add(join(path, key), "is missing", f"add {key}: …")
        else:
            self.add(path, *_say(error))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the nearest of the known words, or all of them."""
    words = list(known)
    near = get_close_matches(word, words, 1, 0.6) or get_close_matches(word.replace("-", "_").lower(), words, 1, 0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return (
        f"expected {'one of ' if len(words) > 1 else ''}{', '.join(words)}" if words else "there is none to choose from"
    )


def show(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """A value as it stands in a file, shortened."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}…"  # noqa: PLR2004 - about half a line


def _say(error: ValidationError) -> tuple[str, str]:
    """Message and hint for one violated keyword."""
    value, limit, keyword = cast("Any", error.instance), cast("Any", error.validator_value), str(error.validator)
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    examples = schema.get("examples", ())
    if keyword in {"type", "pattern"} and examples:
        noun = str(schema.get("title", "right"))
        hint = duration_hint(value) if noun.startswith("duration") else f"for example {examples[0]}"
        return f"{show(value)} is not {'an' if noun[0] in 'aeiou' else 'a'} {noun}", hint
    if keyword == "type":
        wanted = [limit] if isinstance(limit, str) else list(limit)
        return f"{show(value)} is not {' or '.join(_TYPES[name] for name in wanted)}", _type_hint(value, wanted)
    if keyword == "enum":
        return f"{show(value)} is not one of {', '.join(map(str, limit))}", did_you_mean(str(value), map(str, limit))
    if keyword == "const":
        return f"{show(value)} is not {show(limit)}", f"write {show(limit)}"
    if keyword in _BOUNDS:
        bound = _BOUNDS[keyword].format(limit)
        return f"{show(value)} is out of range, expected {bound}", f"write a number that is {bound}"
    if keyword in _SIZES:
        return _SIZES[keyword].format(found=len(value), limit=limit), str(schema.get("description", ""))
    return f"{show(value)}: {error.message}", str(schema.get("description", ""))


def _type_hint(value: Any, wanted: list[str]) -> str:  # noqa: ANN401 - any JSON value
    if "array" in wanted and isinstance(value, str) and "object" in wanted:
        return "write a list of words: one text would be run by a shell"
    if "string" in wanted and isinstance(value, bool | int | float):
        return f'put it in quotes: "{show(value)}"'
    if {"number", "integer"} & set(wanted) and isinstance(value, str):
        return "write a plain number, without unit and quotes"
    if "array" in wanted and not isinstance(value, dict | list):
        return f"write [{show(value)}]"
    return ""
