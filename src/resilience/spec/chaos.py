"""The parts of an experiment file that are chaostoolkit's (1.19 to 1.21), as JSON Schema with strict keys.

chaostoolkit itself ignores keys that it does not know: a misspelt one would quietly change what an experiment means.
"""

from collections.abc import Mapping

from resilience.model import Json
from resilience.spec.actions import ACTIONS, ARGUMENTS, strict, told

NAME = "resilience"
"""The name of our extension, by which a file says that it is ours."""


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
        "properties": {"name": told("Name of the extension.", "Name", type="string", minLength=1)},
    },
}

TOP: Mapping[str, Json] = {
    "version": told("Version of chaostoolkit's file format.", "Version", type=["string", "number"]),
    "title": told("What the experiment shows, in one sentence.", "Title", type="string", minLength=1),
    "description": told("Why, and what is done.", "Description", type="string", minLength=1),
    "tags": told("Words to find it by.", "Tags", type="array", items={"type": "string", "minLength": 1}),
    "configuration": told("Values that activities refer to as ${name}.", "Configuration", **_ANY),
    "secrets": told("Where secrets come from; never the secrets themselves.", "Secrets", **_ANY),
    "contributions": told("What the experiment contributes to, for reports.", "Contributions", **_ANY),
    "controls": _CONTROLS,
    "steady-state-hypothesis": told(
        "What must be true: our probes give the verdict.",
        "Steady-state hypothesis",
        **strict(
            {
                "title": told("The hypothesis in one sentence.", "Title", type="string", minLength=1),
                "description": told("More about it.", "Description", type="string"),
                "probes": told(
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
    "method": told("Faults and observations, in order.", "Method", **_LIST_OF_ACTIVITIES),
    "rollbacks": told("Run at the end; our faults do not need any.", "Rollbacks", **_LIST_OF_ACTIVITIES),
    "runtime": told("chaostoolkit's runtime settings.", "Runtime", **_ANY),
    "extensions": told("Blocks of chaostoolkit extensions, ours among them.", "Extensions", type="array", items=_OURS),
    "deprecated": told("Whether the experiment should not be used any more.", "Deprecated", type="boolean"),
    "dry": told(
        "Kinds of activities that are not carried out.",
        "Dry",
        type="string",
        enum=["probes", "actions", "activities", "pause"],
    ),
}
"""The top level, as chaostoolkit 1.19 to 1.21 reads it."""


def _action(func: str, arguments: Json) -> Json:
    """The arguments of one of our actions."""
    return _when(
        {"type": "python", "module": ACTIONS, "func": func},
        {"required": ["arguments"], "properties": {"arguments": arguments}},
    )


_PROVIDER_TYPE: Json = {"enum": ["python", "process", "http"], "title": "Type", "description": "What carries it out."}
_ARGUMENTS = told("Arguments by name.", "Arguments", **_ANY)
_USES_SECRETS = told("Names of the secrets it may see.", "Secrets", type="array", items={"type": "string"})
_PYTHON = {
    "type": _PROVIDER_TYPE,
    "module": told("Python module; ours, probes.*, chaosk8s.* or allowed by safety.", "Module", type="string"),
    "func": told("Function in the module.", "Function", type="string", minLength=1),
    "arguments": _ARGUMENTS,
    "secrets": _USES_SECRETS,
}

CHAOS: Mapping[str, Json] = {
    "activity": {
        "title": "Activity",
        "description": "A probe or an action.",
        **strict(
            {
                "type": told("A probe looks, an action does.", "Type", type="string", enum=["probe", "action"]),
                "name": told("What it does, for reports.", "Name", type="string", minLength=1),
                "ref": told("Name of another activity that is meant.", "Reference", type="string", minLength=1),
                "provider": {"$ref": "#/$defs/provider"},
                "tolerance": told("What a probe of the hypothesis must return.", "Tolerance"),
                "controls": _CONTROLS,
                "background": told("Whether to go on without waiting for it.", "Background", type="boolean"),
                "pauses": told(
                    "Seconds to wait before and after.",
                    "Pauses",
                    **strict(
                        {
                            "before": told("Seconds to wait before.", "Before", type="number", minimum=0),
                            "after": told("Seconds to wait after.", "After", type="number", minimum=0),
                        }
                    ),
                ),
                "timeout": told("Seconds after which it failed.", "Timeout", type="number", exclusiveMinimum=0),
                "dry": told("Whether it is not carried out.", "Dry", type="boolean"),
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
            *(_action(func, arguments) for func, arguments in ARGUMENTS.items()),
            _when(
                {"type": "process"},
                strict(
                    {
                        "type": _PROVIDER_TYPE,
                        "path": told("The program.", "Path", type="string", minLength=1),
                        "arguments": told("Words, one each; never one text.", "Arguments", type=["array", "object"]),
                        "timeout": told("Seconds after which it is ended.", "Timeout"),
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
                        "url": told("Address.", "URL", type="string", minLength=1),
                        "method": told("HTTP method.", "Method", type="string"),
                        "headers": told("Headers.", "Headers", **_ANY),
                        "arguments": told("Query or body.", "Arguments"),
                        "timeout": told("Seconds, or a pair for connecting and reading.", "Timeout"),
                        "verify_tls": told("Whether to check the certificate.", "Verify TLS"),
                        "max_retries": told("Attempts beyond the first.", "Retries", type="integer"),
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
                "name": told("Its name.", "Name", type="string", minLength=1),
                "ref": told("Name of a control of the top level.", "Reference", type="string"),
                "provider": told("Where the code is.", "Provider", **strict(_PYTHON, ("type", "module"))),
                "scope": told("Called before or after only.", "Scope", type="string", enum=["before", "after"]),
                "automatic": told("Whether it applies everywhere by itself.", "Automatic", type="boolean"),
            }
        ),
    },
}
"""Definitions for the parts that are chaostoolkit's."""
