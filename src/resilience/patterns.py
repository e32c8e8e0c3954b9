"""Regular expressions from an experiment's file that are tried on everything a target says: none of them may take long.

Python's own engine has no time limit, so what could take long is refused before: repeats inside repeats, alternatives
inside repeats, references, and more than a few repeats. What is searched is cut to a length by who searches.
"""

import re
from re import _constants as ops  # type: ignore[attr-defined]  # the parse tree is stable and has no public name
from re import _parser as tree  # type: ignore[attr-defined]
from typing import Any

LONGEST = 200
MOST_REPEATS = 2


def read(text: str) -> re.Pattern[str] | None:
    """A regular expression that cannot take long: no repeat inside a repeat, few of them, case does not matter.

    Raises:
        ValueError: it is none, or one that could take long.
    """
    if not text:
        return None
    if len(text) > LONGEST:
        raise ValueError(f"a pattern of {len(text)} characters is too long, expected at most {LONGEST}")
    try:
        repeats = _repeats(tree.parse(text), inside=False)
        compiled = re.compile(text, re.IGNORECASE | re.DOTALL)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"pattern {text!r} is no regular expression: {error}") from None
    if repeats > MOST_REPEATS:
        raise ValueError(f"pattern {text!r} has {repeats} repeats, expected at most {MOST_REPEATS}")
    return compiled


_REPEATS = {ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT}
_FIXED = 100
"""A repeat of at most this many single characters costs little."""


def _repeats(parsed: Any, *, inside: bool) -> int:  # noqa: ANN401 - the parse tree has no types
    """How many repeats there are; the time that a search takes grows with their number as an exponent."""
    count = 0
    for operation, argument in parsed:
        if operation in _REPEATS:
            low, high, part = argument
            if inside:
                raise ValueError("a repeat inside a repeat can take for ever; write the pattern without")
            count += 1 + _repeats(part, inside=True) if high != low or high > _FIXED else max(1, low) * _repeats(part, inside=inside)
        elif operation is ops.BRANCH:
            if inside:
                raise ValueError("alternatives inside a repeat can take for ever; write the pattern without")
            count += max(_repeats(branch, inside=inside) for branch in argument[1])
        elif operation in {ops.GROUPREF, ops.GROUPREF_EXISTS, ops.ASSERT, ops.ASSERT_NOT}:
            raise ValueError("references and assertions in a pattern are not taken")
        elif operation is ops.SUBPATTERN:
            count += _repeats(argument[3], inside=inside)
        elif operation is ops.ATOMIC_GROUP:
            count += _repeats(argument, inside=inside)
    return count
