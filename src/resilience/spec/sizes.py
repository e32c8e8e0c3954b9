"""Sizes as people write them: `200MB`, `1.5GB`. Decimal, as disks are sold; a number without a unit is refused."""

import re
from decimal import Decimal

from resilience.errors import SpecError
from resilience.model import Problem

SIZE_PATTERN = r"^\d{1,9}(?:\.\d{1,9})?(?:kB|MB|GB)$"
"""Valid in Python and in JSON Schema."""

_BYTES = {"kB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}


def parse_size(text: object) -> int:
    """Read a size, in bytes.

    Raises:
        SpecError: the text is not a size.
    """
    if isinstance(text, str) and re.fullmatch(SIZE_PATTERN[1:-1], text, re.ASCII):
        return int(Decimal(text[:-2]) * _BYTES[text[-2:]])
    raise SpecError(Problem("", f"{text!r} is not a size", "write 200MB, 500kB or 1.5GB"))


def format_size(size_bytes: int) -> str:
    """Write a size so that `parse_size` reads it back to the byte: 100_000_000 is `100MB`."""
    unit, factor = next((unit for unit in reversed(_BYTES.items()) if size_bytes >= unit[1]), ("kB", 1_000))
    return f"{(Decimal(size_bytes) / factor).normalize():f}{unit}"
