"""The keys of what arrivals are about: skew of keys, generated data, a file with more, journeys, tokens."""

from collections.abc import Mapping

from resilience.model import (
    DataField,
    Feeder,
    Journey,
    JourneyFunction,
    JourneyStep,
    Json,
    Region,
    Segment,
    Skew,
    Token,
)
from resilience.spec.data import KINDS, MOST_TEXT
from resilience.spec.key import VARIABLE, Key, block
from resilience.spec.keys_load import THINK
from resilience.spec.shapes import DURATION, NAME, TEXT, Shape, choice, count, listing, number

_SKEWS = ("uniform", "zipf", "hot", "latest", "sequential")
_BY = choice("key", "arrival")
_COLUMN = Shape({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_.-]*$", "title": "column", "examples": ["email"]})
_WEIGHTS = Shape(
    {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"type": "number", "exclusiveMinimum": 0},
        "description": "Text → weight.",
    },
    lambda value, _path, _findings: {text: float(weight) for text, weight in value.items()},
    dict,
)
_ANSWER: Mapping[str, Json] = {
    "type": "string",
    "pattern": r"^(json:[^\s]+|header:[!#$%&'*+.^_`|~0-9A-Za-z-]+)$",
    "title": "place in an answer",
    "examples": ["json:user.token"],
}
_CAPTURE = Shape(
    {
        "type": "object",
        "propertyNames": {"pattern": "^[a-z][a-z0-9_-]{0,62}$"},
        "additionalProperties": _ANSWER,
        "description": "Name → json:dotted.path or header:Name.",
    },
    lambda value, _path, _findings: dict(value),
    dict,
)
_GIVEN = Shape({"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,62}$", "title": "name", "examples": ["token"]})

HEADER = Shape(
    {"type": "string", "pattern": r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "title": "header", "examples": ["X-Priority"]}
)

MIX_KEYS: Mapping[type, tuple[Key, ...]] = {
    Segment: (
        Key("name", "name", NAME, "Unique among its kind; objectives and reports use it."),
        Key("weight", "weight", number(0, above=True), "Share of the arrivals, relative to the other weights."),
    ),
    Region: (
        Key("name", "name", NAME, "Unique among its kind; objectives and reports use it."),
        Key("weight", "weight", number(0, above=True), "Share of the arrivals, relative to the other weights."),
        Key("latency", "latency_s", DURATION, "Every answer is later by so much, on a way of its own: service-NAME."),
        Key("jitter", "jitter_s", DURATION, "Give or take."),
    ),
    Skew: (
        Key("kind", "kind", choice(*_SKEWS), "How keys are chosen."),
        Key("exponent", "exponent", number(0, 10, above=True), "Of zipf and latest: how skewed; 0.99 is YCSB's."),
        Key("hot_keys", "hot_keys", number(0, 1, above=True), "Of hot: share of the keys that are hot, the first."),
        Key("hot_share", "hot_share", number(0, 1), "Of hot: share of the arrivals that hot keys get."),
        Key("every", "every", count(1, 10**9), "Of latest: the next key is the newest after so many arrivals."),
    ),
    DataField: (
        Key("name", "name", NAME, "Operations have it as ${data.NAME}."),
        Key("kind", "kind", choice(*KINDS), "What it holds."),
        Key("by", "by", _BY, "Which record an arrival has: that of its key, or one of its own."),
        Key("from", "least", number(-(10**15), 10**15), "The least number; of a text, characters."),
        Key("to", "most", number(-(10**15), 10**15), f"The most; of a text, characters, at most {MOST_TEXT:,}."),
        Key("places", "places", count(0, 9), "Decimal places of a decimal."),
        Key("of", "of", _WEIGHTS, "Of a choice: text → weight."),
        Key("after", "earliest", TEXT, "The earliest timestamp, in ISO 8601."),
        Key("before", "latest", TEXT, "The latest timestamp, in ISO 8601."),
    ),
    Feeder: (
        Key("file", "file", TEXT, "CSV with a header, or JSON lines, relative to the experiment's folder."),
        Key("columns", "columns", listing(_COLUMN, 1), "Operations have them as ${data.COLUMN}."),
        Key("by", "by", _BY, "Which row an arrival has, modulo the rows: that of its key, or the next one."),
    ),
    Journey: (
        Key("name", "name", NAME, "Unique among journeys and operations."),
        Key("weight", "weight", number(0, above=True), "Share of the arrivals, beside the weights of operations."),
        Key("think", "think", THINK, "Between two steps."),
        Key("steps", "steps", listing(block(JourneyStep), 1), "Operations, in order; or function."),
        Key("function", "function", block(JourneyFunction), "A Python function that decides on the steps."),
    ),
    JourneyStep: (
        Key("operation", "operation", NAME, "The operation that is carried out."),
        Key("capture", "capture", _CAPTURE, "What later steps have of its answer: ${captured.NAME}."),
        Key("think", "think", THINK, "Before this step, instead of the journey's."),
        Key("after_failure", "after_failure", choice("stop", "go-on"), "Whether the journey ends if it is not ok."),
    ),
    JourneyFunction: (
        Key("module", "module", TEXT, "Python module; must be allowed, see safety.allow_modules."),
        Key("name", "name", TEXT, "Function of it: (client, **arguments)."),
        Key("first", "first", NAME, "The operation that it begins with."),
        Key("gives", "gives", listing(_GIVEN), "Names that it gives to operations as ${captured.NAME}."),
        Key("arguments", "arguments", Shape({"type": "object"}), "What the function is given besides."),
    ),
    Token: (
        Key("name", "name", NAME, "Operations have it as ${token.NAME}."),
        Key("per", "per", choice("run", "tenant", "key"), "Who has one of their own."),
        Key("operation", "operation", NAME, "The operation that gets it, before it is first needed and after a 401."),
        Key("take", "take", Shape(_ANSWER), "Where the answer has it: json:dotted.path or header:Name."),
        Key("env", "env", VARIABLE, "Instead: the environment variable that holds it; per tenant ENV_TENANT."),
    ),
}
