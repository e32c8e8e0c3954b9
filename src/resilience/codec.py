"""Model values as JSON documents and back: the border at which processes and files meet.

Enums go by value, tuples as lists, durations as they are. Reading is strict: nothing is converted (`"5"` is no number),
an unknown key is a problem, and all problems are listed. What a field calls `Json` passes through as it is, so a tuple
inside it comes back as a list.
"""

from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from enum import Enum, IntEnum, StrEnum
from types import GenericAlias, NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin

from cattrs import Converter, transform_error
from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn

from resilience.errors import RecordError
from resilience.model import Json, Problem

T = TypeVar("T")


def encode(value: object) -> Json:
    """A value of the model as a JSON document."""
    return cast("Json", _converter.unstructure(value))


def decode(kind: type[T], document: object) -> T:
    """The value that a document stands for.

    Args:
        kind: a class of the model, or a type made of them.
        document: what `json.loads` gave.

    Raises:
        RecordError: every place at which it is not a `kind`.
    """
    try:
        return _converter.structure(document, kind)
    except (BaseValidationError, TypeError, ValueError) as error:  # a group, or the bare thing at top level
        raise RecordError(_problems(error, kind)) from error


def _problems(error: Exception, kind: type) -> list[Problem]:
    name = getattr(kind, "__name__", str(kind))
    lines = transform_error(error, path="$", format_exception=_sentence)
    found = []
    for line in lines:
        message, _, path = line.rpartition(" @ $")
        found.append(Problem(where=f"{name}{path}", message=message))
    return found


def _sentence(error: BaseException, _kind: type | None) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is missing"
    if isinstance(error, ForbiddenExtraKeysError):
        return f"unknown: {', '.join(sorted(error.extra_fields))}; known keys were expected"
    if "Only input mappings" in str(error):  # what cattrs says of a union
        return "an object was expected"
    return str(error)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"  # noqa: PLR2004 - a line of a terminal


def _scalar(kind: type, words: str, accepted: tuple[type, ...]) -> Callable[[object, Any], object]:
    def structure(value: object, _kind: object) -> object:
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            raise TypeError(f"{_shown(value)} was found, {words} was expected")
        return kind(value)

    return structure


def _enum(value: object, kind: type[Enum]) -> Enum:
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(repr(member.value) for member in kind)
        raise ValueError(f"{_shown(value)} was found, one of {known} was expected") from None


def _is_json(kind: object) -> bool:
    """Whether a type is `Json`: its text inside a generic, or what that stands for, the only union of all scalars."""
    if getattr(kind, "__forward_arg__", kind) == Json:
        return True
    return get_origin(kind) in {Union, UnionType} and {NoneType, bool, float, str} <= set(get_args(kind))


def _is_plain_tuple(kind: object) -> bool:
    return get_origin(kind) is tuple and get_args(kind)[1:] == (...,)


def _is_mapping(kind: object) -> bool:
    return get_origin(kind) == Mapping


def _has_int_keys(kind: object) -> bool:
    return _is_mapping(kind) and get_args(kind)[0] is int


def _is_dataclass(kind: object) -> bool:
    return isinstance(kind, type) and is_dataclass(kind)


def _dataclass_factory(kind: type, converter: Converter) -> Callable[[object, Any], object]:
    build: Callable[[Mapping[str, Any], Any], object] = make_dict_structure_fn(
        kind, converter, _cattrs_forbid_extra_keys=True
    )

    def structure(value: object, wanted: Any) -> object:  # noqa: ANN401 - the type that cattrs passes on
        if not isinstance(value, Mapping):
            raise TypeError(f"{_shown(value)} was found, an object was expected")
        return build(value, wanted)

    return structure


def _tuple_factory(kind: object, converter: Converter) -> Callable[[object, Any], object]:
    wanted = GenericAlias(list, get_args(kind)[:1])
    build = converter.get_structure_hook(wanted)

    def structure(value: object, _kind: object) -> object:
        if not isinstance(value, list | tuple):
            raise TypeError(f"{_shown(value)} was found, a list was expected")
        return tuple(build(value, wanted))

    return structure


def _mapping_factory(kind: object, converter: Converter) -> Callable[[object, Any], object]:
    wanted = GenericAlias(dict, get_args(kind))
    build = converter.get_structure_hook(wanted)

    def structure(value: object, _kind: object) -> object:
        if not isinstance(value, Mapping):
            raise TypeError(f"{_shown(value)} was found, an object was expected")
        if get_args(kind)[0] is int:  # JSON has only texts as keys
            value = {int(name): item for name, item in value.items()}
        return build(value, wanted)

    return structure


def _text_keys(value: Mapping[int, object]) -> dict[str, object]:
    return {str(key): _converter.unstructure(item) for key, item in value.items()}


def _make_converter() -> Converter:
    converter = Converter(unstruct_collection_overrides={tuple: list})
    for kind, words, accepted in (
        (bool, "true or false", (bool,)),
        (int, "a whole number", (int,)),
        (float, "a number", (int, float)),
        (str, "a text", (str,)),
    ):
        converter.register_structure_hook(kind, _scalar(kind, words, accepted))
    for enum in (Enum, IntEnum, StrEnum):  # the latter two by themselves: they would be read as whole numbers and texts
        converter.register_structure_hook(enum, _enum)
    converter.register_structure_hook_factory(_is_dataclass, _dataclass_factory)
    converter.register_structure_hook_factory(_is_plain_tuple, _tuple_factory)
    converter.register_structure_hook_factory(_is_mapping, _mapping_factory)
    converter.register_unstructure_hook_func(_has_int_keys, _text_keys)
    converter.register_structure_hook_func(_is_json, lambda value, _kind: value)
    converter.register_unstructure_hook_func(_is_json, lambda value: value)
    return converter


_converter = _make_converter()
