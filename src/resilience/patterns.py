"""Regular expressions from an experiment's file that are tried on everything a target says: none of them may take long.

Python's own engine has no time limit, and a pattern of two repeats can hold it up for minutes. RE2's takes time that
grows with the length of the text alone, whatever the pattern; what it could not do in that time (references,
assertions) it does not take.
"""

from typing import Protocol, cast

import re2

LONGEST = 200
MEMORY_BYTES = 1 << 20
"""What one compiled pattern may take."""


class Pattern(Protocol):
    """A compiled pattern."""

    def search(self, text: str) -> object | None:
        """The first match anywhere; None if there is none."""

    def __hash__(self) -> int:
        """Patterns are keys of a cache."""


def read(text: str) -> Pattern | None:
    """A regular expression in RE2's syntax: case does not matter, a dot is any character. None for an empty text.

    Raises:
        ValueError: it is none, or one that is too long or large.
    """
    if not text:
        return None
    if len(text) > LONGEST:
        raise ValueError(f"a pattern of {len(text)} characters is too long, expected at most {LONGEST}")
    options = re2.Options()
    options.case_sensitive, options.dot_nl, options.log_errors, options.max_mem = False, True, False, MEMORY_BYTES
    try:
        return cast("Pattern", re2.compile(text, options))
    except re2.error as error:
        said = error.args[0] if error.args else error
        why = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        message = f"pattern {text!r} is no regular expression that ends in time (syntax of RE2): {why}"
        raise ValueError(message) from None
