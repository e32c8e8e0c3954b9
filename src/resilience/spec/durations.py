"""Durations as people write them: `30s`, `5m`, `1h30m`, `250ms`, `1.5s`. A number without a unit is refused."""

import re
from decimal import Decimal

from resilience.errors import SpecError
from resilience.model import Problem

NUMBER = r"\d{1,9}(?:\.\d{1,9})?"
"""A number of a unit; bounded, so that no duration overflows."""

PATTERN = rf"^(?=.)(?:{NUMBER}h)?(?:{NUMBER}m(?!s))?(?:{NUMBER}s)?(?:{NUMBER}ms)?$"
"""Hours, minutes, seconds, milliseconds, each at most once and in this order. Valid in Python and in JSON Schema."""

HINT = "write 250ms, 30s, 5m or 1h30m"

_SECONDS = {"h": Decimal(3600), "m": Decimal(60), "s": Decimal(1), "ms": Decimal("0.001")}
_WHOLE = re.compile(PATTERN, re.ASCII)
_PIECE = re.compile(rf"({NUMBER})(h|ms|m|s)", re.ASCII)


def parse_duration(text: object) -> float:
    """Read a duration, in seconds.

    Raises:
        SpecError: the text is not a duration; a plain number is answered with what to write instead.
    """
    if isinstance(text, str) and _WHOLE.match(text) and not text.endswith("\n"):
        pieces = _PIECE.findall(text)
        return float(sum((Decimal(number) * _SECONDS[unit] for number, unit in pieces), Decimal(0)))
    raise SpecError(Problem("", f"{text!r} is not a duration", duration_hint(text)))


def duration_hint(value: object) -> str:
    """What to write instead of something that is not a duration."""
    bare = str(value).strip() if not isinstance(value, bool) else ""
    if re.fullmatch(NUMBER, bare, re.ASCII):
        return f"a duration needs its unit: write {bare}s"
    if bare.startswith("-"):
        return "a duration is not negative"
    return HINT


def format_duration(seconds: float) -> str:
    """Write a duration so that `parse_duration` reads it back to the millisecond: 330.0 is `5m30s`."""
    left = round(seconds * 1000)
    text = ""
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"
