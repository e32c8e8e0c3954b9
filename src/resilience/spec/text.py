"""Bytes → plain data, by rules under which a file means what it shows.

YAML is read with the scalars of YAML 1.2's core schema: only `true` and `false` are booleans, so `on`, `off`, `no`
stay texts, and nothing becomes a date or a number of base 60. Refused are: duplicate keys, keys that are not texts,
tags, numbers that are not finite, several documents, and files that are too large, too deep or too full of aliases.
JSON is held to the same rules.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from resilience.errors import SpecError
from resilience.model import Json, Problem

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
MAX_ALIASES = 100
MAX_VALUES = 100_000
"""Values after aliases are filled in: a hundred aliases could otherwise stand for 2**50 values."""

MAX_DIGITS = 18
"""Whole numbers of more digits are refused: they would not survive a signed 64-bit integer."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NULL = re.compile(r"|~|null|Null|NULL")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_WHOLE = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Source:
    """A file's data, and where in the file each value stands.

    Attributes:
        data: JSON only.
        marks: path (`extensions[0].load.rate`) → line and column of its key or list item, from 1. Empty for JSON files.
    """

    data: Json
    marks: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def place(self, path: str) -> tuple[int, int]:
        """Line and column of a path, or of the nearest thing around it; (0, 0) if nothing is known."""
        while path not in self.marks:
            if not path:
                return (0, 0)
            path = _around(path)
        return self.marks[path]


def join(path: str, key: str | int) -> str:
    """The path of a value inside another: `load` + `rate` is `load.rate`, `operations` + 0 is `operations[0]`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if not _PLAIN_KEY.fullmatch(key):
        return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{path}.{key}" if path else key


def _around(path: str) -> str:
    """The path of what holds the value: cut at the last `.` or `[`, or at the `["` of a key that is not plain."""
    if path.endswith('"]'):
        return path[: path.rindex('["')]
    return path[: max(path.rfind("."), path.rfind("["), 0)]


def read_text(content: bytes, name: str) -> Source:
    """Read a YAML or JSON file; the ending of its name says which.

    Raises:
        SpecError: with every problem found, each with line and column where they are known.
    """
    ending = name.lower().rpartition(".")[2]
    if ending not in {"yaml", "yml", "json"}:
        raise SpecError(Problem(name, "is neither YAML nor JSON by its name", "name it .yaml, .yml or .json"))
    if len(content) > MAX_BYTES:
        raise SpecError(Problem(name, f"has {len(content)} bytes, at most {MAX_BYTES} are read", "split the file"))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SpecError(Problem(name, f"{error.reason} at byte {error.start}", "save it as UTF-8", line)) from error
    if not text.strip():
        raise SpecError(Problem(name, "is empty", "see `resilience new`"))
    reader = _Reader(name)
    data = reader.read_json(text) if ending == "json" else reader.read_yaml(text)
    if reader.problems:
        raise SpecError(reader.problems)
    return Source(data, reader.marks)


class _TooMuch(Exception):  # noqa: N818 - it ends the reading, the problem is already noted
    """Reading on would be pointless or dangerous."""


class _Reader:
    """Builds plain data and notes problems and places on the way."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[Problem] = []
        self.marks: dict[str, tuple[int, int]] = {}
        self.values = 0

    def read_yaml(self, text: str) -> Json:
        try:
            self._measure(text)
            node = yaml.compose(text, Loader=_Loader)
            return self._node(node, "", 1) if node is not None else None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._note("", " ".join(filter(None, (error.problem, error.context))), "mend the YAML", mark)
        except yaml.YAMLError as error:
            self._note("", str(getattr(error, "reason", error)), "remove what is no text")
        except _TooMuch:
            pass
        return None

    def read_json(self, text: str) -> Json:
        try:
            return self._pairs(json.loads(text, object_pairs_hook=_Pairs, parse_constant=_refuse), "", 1)
        except json.JSONDecodeError as error:
            self.problems.append(Problem(self.name, error.msg, "mend the JSON", error.lineno, error.colno))
        except RecursionError:
            self._note("", f"values are nested more than {MAX_DEPTH} levels deep", "flatten the file")
        except ValueError as error:  # NaN, Infinity, or thousands of digits
            self._note("", str(error), "write a finite number")
        except _TooMuch:
            pass
        return None

    def _note(self, path: str, message: str, hint: str, mark: Any = None) -> None:  # noqa: ANN401 - yaml's own mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
        self.problems.append(Problem(path or self.name, message, hint, line, column))

    def _stop(self, path: str, message: str, hint: str, mark: Any = None) -> NoReturn:  # noqa: ANN401 - as above
        self._note(path, message, hint, mark)
        raise _TooMuch

    def _measure(self, text: str) -> None:
        """Look at the stream of events before anything is composed, which recurses and follows aliases."""
        depth = aliases = documents = 0
        for event in yaml.parse(text, Loader=_Loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            aliases += isinstance(event, yaml.AliasEvent)
            documents += isinstance(event, yaml.DocumentStartEvent)
            if (tag := getattr(event, "tag", None)) is not None:
                self._note("", f"the tag {tag} is not allowed", "remove the tag", event.start_mark)
            if depth > MAX_DEPTH:
                self._stop("", f"values are nested more than {MAX_DEPTH} levels deep", "flatten it", event.start_mark)
            if aliases > MAX_ALIASES:
                self._stop("", f"there are more than {MAX_ALIASES} aliases", "write values out", event.start_mark)
            if documents > 1:
                self._stop("", "a second document begins", "keep one document in a file", event.start_mark)

    def _count(self, path: str, level: int, mark: Any = None) -> None:  # noqa: ANN401 - as above
        self.values += 1
        if self.values > MAX_VALUES:
            self._stop(path, f"there are more than {MAX_VALUES} values once aliases are filled in", "", mark)
        if level > MAX_DEPTH:
            self._stop(path, f"values are nested more than {MAX_DEPTH} levels deep", "flatten it", mark)

    def _node(self, node: yaml.Node, path: str, depth: int) -> Json:
        self._count(path, depth - isinstance(node, yaml.ScalarNode), node.start_mark)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if isinstance(node, yaml.SequenceNode):
            items: list[Json] = []
            for index, child in enumerate(node.value):
                here = join(path, index)
                self._mark(here, child)
                items.append(self._node(child, here, depth + 1))
            return items
        return self._mapping(node, path, depth)

    def _mapping(self, node: yaml.Node, path: str, depth: int) -> dict[str, Json]:
        own: dict[str, Json] = {}
        merged: dict[str, Json] = {}
        for key_node, child in node.value:
            if _is_merge(key_node):
                merged = {**self._merge(child, path, depth), **merged}
                continue
            key = self._scalar(key_node, path) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                shown = key_node.value if isinstance(key_node, yaml.ScalarNode) else "a list or mapping"
                self._note(path, f"the key {shown} is not a text", "put it in quotes", key_node.start_mark)
                continue
            here = join(path, key)
            if key in own:
                first = self.marks.get(here, (0, 0))[0]
                message = f"the key {key!r} is there twice, first in line {first}"
                self._note(here, message, "keep one of them", key_node.start_mark)
                continue
            self._mark(here, key_node)
            own[key] = self._node(child, here, depth + 1)
        return {**merged, **own}

    def _merge(self, node: yaml.Node, path: str, depth: int) -> dict[str, Json]:
        """What `<<` brings in: one mapping or a list of them, the earlier ones winning."""
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Json] = {}
        for part in parts:
            value = self._node(part, path, depth + 1)
            if not isinstance(value, dict):
                self._note(path, "<< takes a mapping or a list of mappings", "name the anchor of one", part.start_mark)
                continue
            merged = {**value, **merged}
        return merged

    def _scalar(self, node: yaml.ScalarNode, path: str) -> Json:
        text = str(node.value)
        if "\0" in text:
            self._note(path, "the text holds a NUL character", "remove it", node.start_mark)
        if node.style:  # quoted or a block
            return text
        if _NULL.fullmatch(text):
            return None
        if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
            return text.lower() == "true"
        return self._number(text, path, node.start_mark)

    def _number(self, text: str, path: str, mark: Any) -> Json:  # noqa: ANN401 - yaml's own mark
        """The number that a plain text stands for, or the text itself."""
        if _WHOLE.fullmatch(text) or _BASED.fullmatch(text):
            if len(text) > MAX_DIGITS:
                self._note(path, f"{text[:20]}… has more than {MAX_DIGITS} digits", "write a smaller number", mark)
                return None
            return int(text, 0) if _BASED.fullmatch(text) else int(text)
        if _NOT_FINITE.fullmatch(text) or (_FLOAT.fullmatch(text) and not math.isfinite(float(text))):
            self._note(path, f"{text} is not a finite number", "write a finite number", mark)
            return None
        return float(text) if _FLOAT.fullmatch(text) else text

    def _mark(self, path: str, node: yaml.Node) -> None:
        self.marks[path] = (node.start_mark.line + 1, node.start_mark.column + 1)

    def _pairs(self, value: Any, path: str, depth: int) -> Json:  # noqa: ANN401 - what json.loads returns
        self._count(path, depth - (not isinstance(value, list)))
        if isinstance(value, _Pairs):
            data: dict[str, Json] = {}
            for key, child in value:
                here = join(path, key)
                if key in data:
                    self._note(here, f"the key {key!r} is there twice", "keep one of them")
                data[key] = self._pairs(child, here, depth + 1)
            return data
        if isinstance(value, list):
            return [self._pairs(child, join(path, index), depth + 1) for index, child in enumerate(value)]
        if isinstance(value, float) and not math.isfinite(value):
            self._note(path, "the number is too large", "write a finite number")
        if type(value) is int and abs(value) >= 10**MAX_DIGITS:
            self._note(path, f"the number has more than {MAX_DIGITS} digits", "write a smaller number")
        if isinstance(value, str) and re.search("[\0\ud800-\udfff]", value):
            self._note(path, "the text holds a NUL or half a surrogate pair", "write characters")
        scalar: Json = value
        return scalar


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as its pairs, so that duplicate keys can be seen."""


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a finite number")


def _is_merge(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and not node.style and node.value == "<<"
