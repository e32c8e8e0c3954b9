"""Where things are in an answer: texts at dotted paths of its JSON. Pure."""

import json
from collections.abc import Mapping

from resilience.model import Json


class Document:
    """A body that is parsed as JSON when it is first looked at; one that is not JSON holds nothing."""

    __slots__ = ("_body", "_parsed", "_value")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._parsed = False
        self._value: Json = None

    def text_at(self, path: str) -> str | None:
        """As `text_at`."""
        if not self._parsed:
            self._parsed = True
            try:
                self._value = json.loads(self._body) if self._body else None
            except (ValueError, RecursionError):
                self._value = None
        return text_at(self._value, path)


def text_at(document: Json, path: str) -> str | None:
    """The text of the value at a dotted path; numbers in a path are indices of lists.

    Strings are themselves; booleans, numbers and null are as JSON writes them (`true`, `3`, `null`).

    Returns:
        None if there is nothing there, or a list or an object.
    """
    value = document
    for name in path.split("."):
        if isinstance(value, Mapping) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isascii() and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping | list | tuple):
        return None
    return json.dumps(value)
