"""JSON as toxiproxy reads and writes it.

Read: names of fields match whatever their case, unknown ones are ignored, `null` leaves a field as it is, a whole
number written `1.0` is none, what follows the first value is ignored. Written: no blanks, `<`, `>` and `&` escaped.
What is said of text that is not JSON is our own: toxiproxy passes on the words of Go's parser.
"""

import json
import struct
from collections.abc import Mapping
from typing import Any

Fields = Mapping[str, type]
"""Names of fields and what they hold: `str`, `bool`, `int` (64 bits), `float` (32 bits)."""

_WHOLE = 2**63
_NAMES = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}


class BodyError(ValueError):
    """The body of a request is not what it should be; the text says why."""


def _no_constant(name: str) -> Any:  # noqa: ANN401 - never returns
    raise BodyError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def read(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    """The first JSON value in a body.

    Raises:
        BodyError: there is none.
    """
    text = body.decode(errors="replace").lstrip(" \t\r\n")
    if not text:
        raise BodyError("EOF")
    try:
        return _DECODER.raw_decode(text)[0]
    except RecursionError as error:
        raise BodyError("nested too deeply") from error
    except json.JSONDecodeError as error:
        raise BodyError(f"{error.msg} at character {error.pos + 1}") from error


def fill(document: Any, fields: Fields, into: dict[str, Any], of: str) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Set the fields that a document has; all of them, or none.

    Args:
        document: what was read; None changes nothing.
        fields: which there are.
        into: the values so far.
        of: what this is the description of, for messages.

    Raises:
        BodyError: the document is no object, or a field holds something else.
    """
    if document is None:
        return into
    if not isinstance(document, dict):
        raise BodyError(f"json: cannot unmarshal {_NAMES[type(document)]} into Go value of type {of}")
    known = {name.casefold(): name for name in fields}
    found = {}
    for key, value in document.items():
        name = known.get(key.casefold())
        if name is not None and value is not None:
            found[name] = _value(value, fields[name], f"{of}.{name}")
    return into | found


def listed(document: Any) -> list[Any]:  # noqa: ANN401 - any JSON
    """The entries of a list; of null none.

    Raises:
        BodyError: it is something else.
    """
    if not isinstance(document, list | None):
        raise BodyError(f"json: cannot unmarshal {_NAMES[type(document)]} into a list")
    return document or []


def _value(value: Any, kind: type, where: str) -> Any:  # noqa: ANN401 - any JSON
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return _single(float(value), where)
    if type(value) is not kind:
        said = f"number {value}" if isinstance(value, float) else _NAMES[type(value)]
        raise BodyError(f"json: cannot unmarshal {said} into Go struct field {where} of type {kind.__name__}")
    if isinstance(value, int) and not -_WHOLE <= value < _WHOLE:
        raise BodyError(f"json: cannot unmarshal number {value} into Go struct field {where} of type int64")
    return value


def _single(value: float, where: str) -> float:
    """The shortest decimal that is the same number in 32 bits: what Go writes."""
    try:
        packed = struct.pack("f", value)
    except OverflowError as error:
        raise BodyError(
            f"json: cannot unmarshal number {value} into Go struct field {where} of type float32"
        ) from error
    return next(
        (short for digits in range(1, 10) if struct.pack("f", short := float(f"{value:.{digits}g}")) == packed), value
    )


def write(document: Any) -> bytes:  # noqa: ANN401 - any JSON
    """The document as toxiproxy would write it."""
    text = json.dumps(_plain(document), ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode(errors="replace")


def _plain(document: Any) -> Any:  # noqa: ANN401 - any JSON
    """Numbers without a fraction are written without a point."""
    if isinstance(document, dict):
        return {name: _plain(value) for name, value in document.items()}
    if isinstance(document, list | tuple):
        return [_plain(value) for value in document]
    if isinstance(document, float) and document.is_integer():
        return int(document)
    return document
