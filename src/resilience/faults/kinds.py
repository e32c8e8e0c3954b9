"""What a kind of fault is: how it is built, what it can be told, what it needs, how it is taken back.

Every mechanism's file ends in `KINDS`, a tuple of these; `registry` puts them together.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from resilience.model import Json, Place, Problem, Undo
from resilience.ports import Fault, Strike

Settings = Mapping[str, Json]
"""Complete settings: defaults are filled in. A fault that is built also finds `LEASE` among them."""

LEASE = "lease_s"
"""For how long, seconds, the fault may be in place at most: whatever holds it should end by itself after that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One thing that a kind of fault can be told.

    Attributes:
        default: its value if the file says nothing; its type is the setting's type (text, whole number, number, flag).
        meaning: one sentence.
        minimum, maximum: bounds of a number.
        choices: what a text may be; a text without choices is free, at most 500 characters.
    """

    default: bool | float | str
    meaning: str
    minimum: float = 0
    maximum: float = 600_000
    choices: tuple[str, ...] = ()

    def schema(self) -> dict[str, Json]:
        """The JSON Schema of the value."""
        schema: dict[str, Json] = {"description": self.meaning, "default": self.default}
        if self.choices:
            return schema | {"type": "string", "enum": list(self.choices)}
        if isinstance(self.default, str):
            return schema | {"type": "string", "maxLength": LONGEST_TEXT}
        if isinstance(self.default, bool):
            return schema | {"type": "boolean"}
        kind = "integer" if isinstance(self.default, int) else "number"
        return schema | {"type": kind, "minimum": self.minimum, "maximum": self.maximum}

    def wrong(self, value: Json) -> str:
        """What is wrong with a value; empty if nothing is."""
        if self.choices:
            expected = "one of " + ", ".join(self.choices)
            return "" if value in self.choices else f"{value!r} is not known, expected {expected}"
        if isinstance(self.default, str):
            return "" if isinstance(value, str) and len(value) <= LONGEST_TEXT else f"{value!r} is no text"
        if isinstance(self.default, bool):
            return "" if isinstance(value, bool) else f"{value!r} is neither true nor false"
        wanted, name = (int, "whole number") if isinstance(self.default, int) else (int | float, "number")
        if isinstance(value, bool) or not isinstance(value, wanted):
            return f"{value!r} is no {name}"
        if not self.minimum <= value <= self.maximum:
            return f"{value} is out of range, expected {self.minimum:g} to {self.maximum:g}"
        return ""


LONGEST_TEXT = 500


def _nothing_against(_settings: Settings, _place: Place) -> tuple[Problem, ...]:
    return ()


def _no_mechanism(_settings: Settings, _place: Place) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of fault or strike.

    Attributes:
        build: complete settings and a part → the fault, or the strike.
        revive: an undo → a fault that can revert it and look at it, from any process; None for a strike.
        undo: how it is taken back, one sentence; `{on}` is the part. For a strike: what is not taken back.
        needs: attributes of `Place` that a part must have, with how to say so.
        settings: by name, with units in the names.
        together: what is wrong with settings that are right each on its own; each problem is at a setting.
        preflight: what this machine or this part lacks, found by looking only, with how to get it. Never raises.
        mechanism: by which means it is done here and how exact that is, one sentence for plan and record; empty where
            there is only one. Only asked after a clean preflight.
        removes_data: the target's data goes away for good: refused unless the file allows it for the part.
    """

    name: str
    build: Callable[[Settings, Place], Fault | Strike]
    revive: Callable[[Undo], Fault] | None
    undo: str
    needs: Mapping[str, str]
    settings: Mapping[str, Setting] = field(default_factory=dict)
    together: Callable[[Settings], tuple[Problem, ...]] = lambda _settings: ()
    preflight: Callable[[Settings, Place], tuple[Problem, ...]] = _nothing_against
    mechanism: Callable[[Settings, Place], str] = _no_mechanism
    removes_data: bool = False

    @property
    def is_strike(self) -> bool:
        """Whether it is done once and not given back."""
        return self.revive is None

    def schema(self) -> dict[str, Json]:
        """The JSON Schema of the settings."""
        properties = {name: setting.schema() for name, setting in self.settings.items()}
        return {"type": "object", "additionalProperties": False, "properties": properties}

    def complete(self, settings: Settings) -> dict[str, Json]:
        """The settings with defaults filled in."""
        return {name: settings.get(name, setting.default) for name, setting in self.settings.items()}


def kind_of(
    fault: Any,  # noqa: ANN401 - a class of fault, built with (settings, place) or with nothing
    undo: str,
    needs: Mapping[str, str],
    settings: Mapping[str, Setting] | None = None,
    **more: Any,  # noqa: ANN401 - further attributes of Kind
) -> Kind:
    """The kind of a class of fault that is built with (settings, place), or with nothing to revert."""
    return Kind(
        name=fault.kind, build=fault, revive=lambda _: fault(), undo=undo, needs=needs, settings=settings or {}, **more
    )
