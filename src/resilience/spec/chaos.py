"""The parts of an experiment file that are chaostoolkit's (1.19 to 1.21), as JSON Schema with strict keys.

chaostoolkit itself ignores keys that it does not know: a misspelt one would quietly change what an experiment means.
"""

from collections.abc import Iterable, Mapping

from resilience.model import Json

NAME = "resilience"
"""The name of our extension, by which a file says that it is ours."""


def strict(properties: Mapping[str, Json], required: Iterable[str] = ()) -> dict[str, Json]:
    """A mapping with these keys and no other."""
    needed: dict[str, Json] = {"required": [*required]} if required else {}
    return {"type": "object", "properties": dict(properties), **needed, "additionalProperties": False}


def _told(text: str, title: str, **keywords: Json) -> Json:
    return {"title": title, "description": text, **keywords}


def _when(conditions: Mapping[str, str], then: Json) -> Json:
    """`then` holds where these keys have these values."""
    constants: dict[str, Json] = {key: {"const": value} for key, value in conditions.items()}
    return {"if": {"properties": constants, "required": list(constants)}, "then": then}


_ANY: dict[str, Json] = {"type": "object"}
_LIST_OF_ACTIVITIES: dict[str, Json] = {"type": "array", "items": {"$ref": "#/$defs/activity"}}
_CONTROLS: Json = {
    "title": "Controls",
    "description": "chaostoolkit controls: code that is called before and after.",
    "type": "array",
    "items": {"$ref": "#/$defs/control"},
}

_OURS: Json = {
    "if": {"properties": {"name": {"const": NAME}}, "required": ["name"]},
    "then": {"$ref": "#/$defs/Extension"},
    "else": {
        "type": "object",
        "required": ["name"],
        "properties": {"name": _told("Name of the extension.", "Name", type="string", minLength=1)},
    },
}

TOP: Mapping[str, Json] = {
    "version": _told("Version of chaostoolkit's file format.", "Version", type=["string", "number"]),
    "title": _told("What the experiment shows, in one sentence.", "Title", type="string", minLength=1),
    "description": _told("Why, and what is done.", "Description", type="string", minLength=1),
    "tags": _told("Words to find it by.", "Tags", type="array", items={"type": "string", "minLength": 1}),
    "configuration": _told("Values that activities refer to as ${name}.", "Configuration", **_ANY),
    "secrets": _told("Where secrets come from; never the secrets themselves.", "Secrets", **_ANY),
    "contributions": _told("What the experiment contributes to, for reports.", "Contributions", **_ANY),
    "controls": _CONTROLS,
    "steady-state-hypothesis": _told(
        "What must be true: our probes give the verdict.",
        "Steady-state hypothesis",
        **strict(
            {
                "title": _told("The hypothesis in one sentence.", "Title", type="string", minLength=1),
                "description": _told("More about it.", "Description", type="string"),
                "probes": _told(
                    "Probes and what they must return; those of resilience.ctk.probes give the verdict.",
                    "Probes",
                    type="array",
                    minItems=1,
                    items={"allOf": [{"$ref": "#/$defs/activity"}, {"type": "object", "required": ["tolerance"]}]},
                ),
                "controls": _CONTROLS,
            },
            ("title", "probes"),
        ),
    ),
    "method": _told("Faults and observations, in order.", "Method", **_LIST_OF_ACTIVITIES),
    "rollbacks": _told("Run at the end; our faults do not need any.", "Rollbacks", **_LIST_OF_ACTIVITIES),
    "runtime": _told("chaostoolkit's runtime settings.", "Runtime", **_ANY),
    "extensions": _told("Blocks of chaostoolkit extensions, ours among them.", "Extensions", type="array", items=_OURS),
    "deprecated": _told("Whether the experiment should not be used any more.", "Deprecated", type="boolean"),
    "dry": _told(
        "Kinds of activities that are not carried out.",
        "Dry",
        type="string",
        enum=["probes", "actions", "activities", "pause"],
    ),
}
"""The top level, as chaostoolkit 1.19 to 1.21 reads it."""

_HOLD_FAULT = strict(
    {
        "name": {"$ref": "#/$defs/name", "title": "Name", "description": "Unique in the file; objectives use it."},
        "kind": _told(
            "The kind of fault: toxiproxy.down, process.pause, …",
            "kind of fault",
            type="string",
            pattern=r"^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+$",
            examples=["toxiproxy.down"],
        ),
        "part": {"$ref": "#/$defs/name", "title": "Part", "description": "The part of the stack it is done to."},
        "duration": {"$ref": "#/$defs/length", "title": "Duration", "description": "How long it is held."},
        "settings": _told("Settings of that kind of fault.", "Settings", **_ANY),
    },
    ("name", "kind", "part", "duration"),
)
_OBSERVE = strict(
    {
        "phase": _told("What this time belongs to.", "Phase", type="string", enum=["recovery", "after"]),
        "duration": {"$ref": "#/$defs/length", "title": "Duration", "description": "How long to go on."},
    },
    ("phase", "duration"),
)
ACTIONS = "resilience.ctk.actions"


def _action(func: str, arguments: Json) -> Json:
    """The arguments of one of our actions."""
    return _when(
        {"type": "python", "module": ACTIONS, "func": func},
        {"required": ["arguments"], "properties": {"arguments": arguments}},
    )


_PROVIDER_TYPE: Json = {"enum": ["python", "process", "http"], "title": "Type", "description": "What carries it out."}
_ARGUMENTS = _told("Arguments by name.", "Arguments", **_ANY)
_USES_SECRETS = _told("Names of the secrets it may see.", "Secrets", type="array", items={"type": "string"})
_PYTHON = {
    "type": _PROVIDER_TYPE,
    "module": _told("Python module; ours, probes.*, chaosk8s.* or allowed by safety.", "Module", type="string"),
    "func": _told("Function in the module.", "Function", type="string", minLength=1),
    "arguments": _ARGUMENTS,
    "secrets": _USES_SECRETS,
}

CHAOS: Mapping[str, Json] = {
    "activity": {
        "title": "Activity",
        "description": "A probe or an action.",
        **strict(
            {
                "type": _told("A probe looks, an action does.", "Type", type="string", enum=["probe", "action"]),
                "name": _told("What it does, for reports.", "Name", type="string", minLength=1),
                "ref": _told("Name of another activity that is meant.", "Reference", type="string", minLength=1),
                "provider": {"$ref": "#/$defs/provider"},
                "tolerance": _told("What a probe of the hypothesis must return.", "Tolerance"),
                "controls": _CONTROLS,
                "background": _told("Whether to go on without waiting for it.", "Background", type="boolean"),
                "pauses": _told(
                    "Seconds to wait before and after.",
                    "Pauses",
                    **strict(
                        {
                            "before": _told("Seconds to wait before.", "Before", type="number", minimum=0),
                            "after": _told("Seconds to wait after.", "After", type="number", minimum=0),
                        }
                    ),
                ),
                "timeout": _told("Seconds after which it failed.", "Timeout", type="number", exclusiveMinimum=0),
                "dry": _told("Whether it is not carried out.", "Dry", type="boolean"),
            }
        ),
        "if": {"required": ["ref"]},
        "else": {"required": ["type", "name", "provider"]},
    },
    "provider": {
        "title": "Provider",
        "description": "What carries the activity out: a Python function, a program or an HTTP request.",
        "type": "object",
        "required": ["type"],
        "properties": {"type": _PROVIDER_TYPE},
        "allOf": [
            _when({"type": "python"}, strict(_PYTHON, ("module", "func"))),
            _action("hold_fault", _HOLD_FAULT),
            _action("observe", _OBSERVE),
            _when(
                {"type": "process"},
                strict(
                    {
                        "type": _PROVIDER_TYPE,
                        "path": _told("The program.", "Path", type="string", minLength=1),
                        "arguments": _told("Words, one each; never one text.", "Arguments", type=["array", "object"]),
                        "timeout": _told("Seconds after which it is ended.", "Timeout"),
                        "secrets": _USES_SECRETS,
                    },
                    ("path",),
                ),
            ),
            _when(
                {"type": "http"},
                strict(
                    {
                        "type": _PROVIDER_TYPE,
                        "url": _told("Address.", "URL", type="string", minLength=1),
                        "method": _told("HTTP method.", "Method", type="string"),
                        "headers": _told("Headers.", "Headers", **_ANY),
                        "arguments": _told("Query or body.", "Arguments"),
                        "timeout": _told("Seconds, or a pair for connecting and reading.", "Timeout"),
                        "verify_tls": _told("Whether to check the certificate.", "Verify TLS"),
                        "max_retries": _told("Attempts beyond the first.", "Retries", type="integer"),
                        "secrets": _USES_SECRETS,
                    },
                    ("url",),
                ),
            ),
        ],
    },
    "control": {
        "title": "Control",
        "description": "Code that chaostoolkit calls before and after activities.",
        **strict(
            {
                "name": _told("Its name.", "Name", type="string", minLength=1),
                "ref": _told("Name of a control of the top level.", "Reference", type="string"),
                "provider": _told("Where the code is.", "Provider", **strict(_PYTHON, ("type", "module"))),
                "scope": _told("Called before or after only.", "Scope", type="string", enum=["before", "after"]),
                "automatic": _told("Whether it applies everywhere by itself.", "Automatic", type="boolean"),
            }
        ),
    },
}
"""Definitions for the parts that are chaostoolkit's."""
