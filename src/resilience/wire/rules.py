"""Rules: which commands or statements are met, how often, and what is done to them. They are toxics of types of ours.

| action | done |
|---|---|
| `error` | answered with the server's own error; the server does not execute it |
| `delay` | reaches the server `delay_ms` late, and so does everything behind it on the connection |
| `cut` | executed (PostgreSQL: committed); the answer is withheld and the connection closed |
| `swallow` | executed; from its answer on nothing more reaches the client, and the connection stays open |

A rule also meets everything that contains its `token`, always and without counting it as a hit: that is how its effect
is measured without touching data.
"""

import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from resilience import patterns
from resilience.wire.body import BodyError, Fields
from resilience.wire.errors import POSTGRES, REDIS

LONGEST_TEXT = 1000
"""Characters of a key or statement that a pattern is tried on."""

_COMMON = {
    "action": str,
    "error": str,
    "delay_ms": int,
    "percent": float,
    "every": int,
    "at_most": int,
    "seed": int,
    "ttl_ms": int,
    "token": str,
}
_NOTHING = {
    "action": "",
    "error": "",
    "delay_ms": 0,
    "percent": 100.0,
    "every": 1,
    "at_most": 0,
    "seed": 0,
    "ttl_ms": 0,
    "token": "",
}
FIELDS: Mapping[str, Fields] = {
    "redis": {**_COMMON, "command": str, "key": str},
    "postgres": {**_COMMON, "statement": str},
}
"""Attributes of each type: the type is the name of the protocol."""
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "redis": {**_NOTHING, "command": "", "key": ""},
    "postgres": {**_NOTHING, "statement": ""},
}
ACTIONS = ("error", "delay", "cut", "swallow")
_KNOWN = {"redis": REDIS, "postgres": POSTGRES}
_LONGEST_MS = 600_000


@dataclass(eq=False, slots=True)
class Rule:
    """One rule, and what it met.

    Attributes:
        error: name of the error, for `error`.
        names: commands that are met, upper case; empty means all that deal with data.
        pattern: what a key or a statement must contain; None is everything.
        matched, hits, canaries: what was met, what of it something was done to, and how often the token was met.
    """

    action: str
    error: str
    delay_s: float
    names: frozenset[str]
    pattern: patterns.Pattern | None
    percent: float
    every: int
    at_most: int
    ttl_s: float
    token: str
    draw: random.Random
    matched: int = 0
    hits: int = 0
    canaries: int = 0
    _last: bool = field(default=False, repr=False)

    def counted(self) -> dict[str, int]:
        """What it met so far."""
        return {"matched": self.matched, "hits": self.hits, "canaries": self.canaries}

    def is_canary(self, texts: Iterable[str]) -> bool:
        """Whether the token is in what was said."""
        return bool(self.token) and any(self.token in text for text in texts)

    def finds(self, texts: Iterable[str]) -> bool:
        """Whether the pattern is in one of the texts."""
        return self.pattern is None or any(_found(self.pattern, text[:LONGEST_TEXT]) for text in texts)

    def fires(self, *, canary: bool) -> bool:
        """Whether something is done to what is met now; counted."""
        if canary:
            self.canaries += 1
            return True
        self.matched += 1
        if self.at_most and self.hits >= self.at_most:
            return False
        if self.every > 1 and self.matched % self.every:
            return False
        if self.percent < 100 and self.draw.random() * 100 >= self.percent:  # noqa: PLR2004 - per cent
            return False
        self.hits += 1
        return True

    def missed(self, *, canary: bool) -> None:
        """What was to be done was not: the server refused what it should have executed."""
        if canary:
            self.canaries -= 1
        else:
            self.hits -= 1


@lru_cache(maxsize=4096)
def _found(pattern: patterns.Pattern, text: str) -> bool:
    return pattern.search(text) is not None


def make(kind: str, protocol: str, attributes: Mapping[str, Any], before: Rule | None = None) -> Rule:
    """The rule that the attributes describe; it goes on counting where the one before it stopped.

    Raises:
        BodyError: the proxy does not speak that protocol, or a value is wrong.
    """
    if protocol != kind:
        raise BodyError(f"a {kind} rule needs a proxy with protocol {kind!r}, this one has {protocol!r}")
    if attributes["action"] not in ACTIONS:
        raise BodyError(f"action {attributes['action']!r} is not known, expected one of {', '.join(ACTIONS)}")
    if attributes["action"] == "error" and attributes["error"] not in _KNOWN[kind]:
        raise BodyError(f"error {attributes['error']!r} is not known, expected one of {', '.join(_KNOWN[kind])}")
    for name, most in (
        ("delay_ms", _LONGEST_MS),
        ("percent", 100),
        ("every", 2**31),
        ("at_most", 2**31),
        ("ttl_ms", 2**40),
    ):
        if not 0 <= attributes[name] <= most:
            raise BodyError(f"{name} {attributes[name]} is out of range, expected 0 to {most}")
    try:
        pattern = patterns.read(attributes["key" if kind == "redis" else "statement"])
    except ValueError as error:
        raise BodyError(str(error)) from None
    rule = Rule(
        action=attributes["action"],
        error=attributes["error"],
        delay_s=attributes["delay_ms"] / 1e3,
        names=frozenset(re.split(r"[\s,]+", attributes.get("command", "").upper())) - {""},
        pattern=pattern,
        percent=attributes["percent"],
        every=attributes["every"],
        at_most=attributes["at_most"],
        ttl_s=attributes["ttl_ms"] / 1e3,
        token=attributes["token"],
        draw=random.Random(attributes["seed"]),  # noqa: S311 - no secret
    )
    if before is not None:
        rule.matched, rule.hits, rule.canaries = before.matched, before.hits, before.canaries
    return rule
