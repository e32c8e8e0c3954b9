"""The steps of a method as they are written: our actions for chaostoolkit, and what each may be told."""

from collections.abc import Iterable, Mapping
from typing import Any

from resilience.model import Json
from resilience.spec.shapes import NAME_PATTERN

ACTIONS = "resilience.ctk.actions"
"""The module of the actions that are steps of ours."""

MOST_CYCLES = 100


def is_step(activity: Any) -> bool:  # noqa: ANN401 - whatever the file has
    """Whether an activity of the method is one of our steps."""
    provider = activity.get("provider") if isinstance(activity, Mapping) else None
    return isinstance(provider, Mapping) and provider.get("module") == ACTIONS


def strict(properties: Mapping[str, Json], required: Iterable[str] = ()) -> dict[str, Json]:
    """A mapping with these keys and no other."""
    needed: dict[str, Json] = {"required": [*required]} if required else {}
    return {"type": "object", "properties": dict(properties), **needed, "additionalProperties": False}


def told(text: str, title: str, **keywords: Json) -> Json:
    """A value with its title and meaning, for editors."""
    return {"title": title, "description": text, **keywords}


_NAME: Mapping[str, Json] = {
    "$ref": "#/$defs/name",
    "title": "Name",
    "description": "Unique in the file; objectives use it.",
}
_KIND = told(
    "The kind of fault: toxiproxy.down, process.pause, …",
    "kind of fault",
    type="string",
    pattern=r"^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+$",
    examples=["toxiproxy.down"],
)
_PART = told(
    "The part of the stack it is done to; of several, the plan's seed draws one.",
    "part or list of parts",
    type=["string", "array"],
    pattern=NAME_PATTERN,
    items={"$ref": "#/$defs/name"},
    minItems=1,
    uniqueItems=True,
    examples=["redis"],
)
_SETTINGS = told("Settings of that kind of fault.", "Settings", type="object")
_CYCLES = told("How often it is done.", "Cycles", type="integer", minimum=1, maximum=MOST_CYCLES, default=1)


def _length(title: str, text: str) -> Json:
    return {"$ref": "#/$defs/length", "title": title, "description": text}


_DURATION = _length("Duration", "How long it is held.")
_REST = _length("Rest", "How long to watch the recovery after each time.")
_FAULT: Mapping[str, Json] = {"name": _NAME, "kind": _KIND, "part": _PART, "settings": _SETTINGS}

ARGUMENTS: Mapping[str, Json] = {
    "hold_fault": strict(
        {
            **_FAULT,
            "duration": _DURATION,
            "cycles": _CYCLES,
            "rest": _REST,
            "pick": told(
                "Of several parts: one that is drawn, or each in turn.",
                "Pick",
                type="string",
                enum=["one", "each"],
                default="one",
            ),
        },
        ("name", "kind", "part", "duration"),
    ),
    "hold_faults": strict(
        {
            "name": _NAME,
            "faults": told(
                "What is held at once, injected in this order.",
                "Faults",
                type="array",
                minItems=2,
                items=strict(_FAULT, ("name", "kind", "part")),
            ),
            "duration": _DURATION,
            "cycles": _CYCLES,
            "rest": _REST,
        },
        ("name", "faults", "duration"),
    ),
    "begin_fault": strict(
        {**_FAULT, "at_most": _length("At most", "The length of its lease: it is given back after that by force.")},
        ("name", "kind", "part", "at_most"),
    ),
    "end_fault": strict({"name": {**_NAME, "description": "The name under which it was begun."}}, ("name",)),
    "strike": strict(
        {**_FAULT, "duration": _length("Duration", "How long its consequences are watched, as a fault phase.")},
        ("name", "kind", "part", "duration"),
    ),
    "observe": strict(
        {
            "phase": told("What this time belongs to.", "Phase", type="string", enum=["recovery", "after", "fault"]),
            "duration": _length("Duration", "How long to go on."),
        },
        ("phase", "duration"),
    ),
}
"""The schema of the arguments of each action."""

STEPS = tuple(ARGUMENTS)
