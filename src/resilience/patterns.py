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
MOST_WAYS = 64


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
        repeats, ways = _cost(tree.parse(text), inside=False)
        compiled = re.compile(text, re.IGNORECASE | re.DOTALL)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"pattern {text!r} is no regular expression: {error}") from None
    if repeats > MOST_REPEATS:
        raise ValueError(f"pattern {text!r} has {repeats} repeats, expected at most {MOST_REPEATS}")
    if ways > MOST_WAYS:
        raise ValueError(f"pattern {text!r} has alternatives that combine in {ways} ways, expected at most {MOST_WAYS}")
    return compiled


_REPEATS = {ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT}
_REFERENCES = {ops.GROUPREF, ops.GROUPREF_EXISTS, ops.ASSERT, ops.ASSERT_NOT}
_FIXED = 100
"""A repeat of exactly so many or fewer is none: it does not vary."""


def _cost(parsed: Any, *, inside: bool) -> tuple[int, int]:  # noqa: ANN401 - the parse tree has no types
    """How many repeats there are, and in how many ways alternatives combine.

    The time of a search grows with the length of the text to the power of the first, and times the second.
    """
    repeats, ways = 0, 1
    for operation, argument in parsed:
        more, factor = 0, 1
        if operation in _REPEATS:
            more, factor = _repeat(*argument, inside=inside)
        elif operation is ops.BRANCH:
            if inside:
                raise ValueError("alternatives inside a repeat can take for ever; write the pattern without")
            costs = [_cost(branch, inside=inside) for branch in argument[1]]
            more, factor = max(cost[0] for cost in costs), sum(cost[1] for cost in costs)
        elif operation in _REFERENCES:
            raise ValueError("references and assertions in a pattern are not taken")
        elif operation is ops.SUBPATTERN:
            more, factor = _cost(argument[3], inside=inside)
        elif operation is ops.ATOMIC_GROUP:
            more, factor = _cost(argument, inside=inside)
        repeats, ways = repeats + more, ways * factor
    return repeats, ways


def _repeat(low: int, high: int, part: Any, *, inside: bool) -> tuple[int, int]:  # noqa: ANN401 - as above
    if inside:
        raise ValueError("a repeat inside a repeat can take for ever; write the pattern without")
    if low == high <= _FIXED:
        repeats, ways = _cost(part, inside=False)
        return low * repeats, ways**low
    repeats, ways = _cost(part, inside=True)
    return 1 + repeats, ways
