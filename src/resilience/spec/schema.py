"""The JSON Schema (draft 2020-12) of a whole experiment file, generated from `spec.keys` and the tables below.

`python -m resilience.spec.schema > src/resilience/spec/experiment.schema.json` renews the committed copy, for editors.
"""

import json
import sys
from dataclasses import MISSING, is_dataclass
from functools import cache

from jsonschema import Draft202012Validator

from resilience.model import Json
from resilience.spec.actions import strict
from resilience.spec.chaos import CHAOS, NAME, TOP
from resilience.spec.key import Key
from resilience.spec.keys import GROUPS, KEYS, Extension, default_of
from resilience.spec.shapes import SHARED


def schema() -> dict[str, Json]:
    """The schema: strict keys at the top level, in activities and in our block; everything titled and described."""
    blocks = {kind.__name__: _block(kind) for kind in KEYS}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Resilience experiment",
        "description": "A chaostoolkit experiment with the extension `resilience`: load, objectives, ledger, limits.",
        **strict(TOP, ("title", "description", "steady-state-hypothesis", "method", "extensions")),
        "$defs": {**SHARED, **CHAOS, **blocks},
    }


@cache
def validator() -> Draft202012Validator:
    """The schema, ready to check files with."""
    return Draft202012Validator(schema())


def _block(kind: type) -> Json:
    """The schema of one dataclass, from its keys; defaults are the dataclass's own."""
    properties: dict[str, Json] = {}
    required: list[str] = []
    if kind is Extension:
        properties["name"] = {"const": NAME, "title": "Name", "description": "Says that this block is ours."}
        required.append("name")
    groups: dict[str, tuple[dict[str, Json], list[str]]] = {group: ({}, []) for group in GROUPS}
    for key in KEYS[kind]:
        group, _, name = key.path.rpartition(".")
        inside, needed = groups[group] if group else (properties, required)
        inside[name] = _property(kind, key, name)
        if default_of(kind, key.field) is MISSING:
            needed.append(name)
    for group, (inside, needed) in groups.items():
        if inside:
            properties[group] = {"title": _title(group), "description": GROUPS[group], **strict(inside, needed)}
            required += [group] if needed else []
    words = (kind.__doc__ or "").strip().splitlines()[0]
    return {"title": kind.__name__, "description": words, **strict(properties, required)}


def _property(kind: type, key: Key, name: str) -> Json:
    default = default_of(kind, key.field)
    shown = default is not MISSING and default is not None and not is_dataclass(default)
    return {
        **key.shape.schema,
        "title": str(key.shape.schema.get("title", _title(name))),
        "description": key.text,
        **({"default": key.shape.write(default)} if shown else {}),
    }


def _title(name: str) -> str:
    return name.replace("_", " ").replace("-", " ").capitalize()


def main() -> None:
    """Write the schema to standard output."""
    json.dump(schema(), sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
