"""The keys of what arrivals are about: skew of keys, generated data, a file with more."""

from collections.abc import Mapping

from resilience.model import DataField, Feeder, Skew
from resilience.spec.data import KINDS, MOST_TEXT
from resilience.spec.key import Key
from resilience.spec.shapes import NAME, TEXT, Shape, choice, count, listing, number

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

MIX_KEYS: Mapping[type, tuple[Key, ...]] = {
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
}
