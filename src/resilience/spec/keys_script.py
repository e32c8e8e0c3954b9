"""The keys of a load that is a script of k6 or Artillery."""

from resilience.spec.key import VARIABLE, Key
from resilience.spec.shapes import TEXT, Shape, choice

_VARIABLES = Shape(
    {
        "type": "object",
        "propertyNames": {"pattern": VARIABLE.schema["pattern"]},
        "additionalProperties": VARIABLE.schema,
        "examples": ["{API_TOKEN: SHOP_TOKEN}"],
    },
    lambda value, _path, _findings: dict(value),
    dict,
)

SCRIPT_KEYS = (
    Key("driver", "driver", choice("locust", "k6", "artillery"), "The program that sends the load."),
    Key("script", "script", TEXT, "Of k6 or Artillery: the script, run as it is; relative to this file."),
    Key("environment", "environment", _VARIABLES, "A name that the script reads → the environment variable with it."),
    Key("base_url_as", "base_url_as", VARIABLE, "The name under which the script finds the target's address."),
)
"""Part of the keys of `model.Load`."""
