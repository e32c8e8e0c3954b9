"""SQL statements with parameters: what stands in an experiment, and what PostgreSQL is told. Pure.

`%(key)s` is a parameter, whose value is sent beside the statement and never as a part of it; `%%` is one `%`.
"""

import re
from collections.abc import Iterator

OURS = frozenset(
    {"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE", "PREPARE", "COPY", "LISTEN"}
)
"""Statements that the client itself says, or that are answered by something else than rows."""

UNDONE = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES", "TABLE"})
"""Statements that an error undoes as a whole. Others may commit by themselves before they fail: CALL, DO, VACUUM."""

_PARAMETER = re.compile(r"%(?:(%)|\(([^()]*)\)s|)")
_BEFORE = re.compile(r"\s+|--[^\n]*(?:\n|$)|/\*.*?\*/|\(", re.DOTALL)
_WORD = re.compile(r"[A-Za-z]+")
_SHOWN = 60


def numbered(statement: str) -> tuple[str, tuple[str, ...]]:
    """A statement with `$1`, `$2` in the place of `%(name)s`, and the names in that order.

    Raises:
        ValueError: there is a `%` that is neither of a parameter nor of `%%`.
    """
    names: dict[str, int] = {}

    def replaced(match: re.Match[str]) -> str:
        if match[1]:
            return "%"
        if match[2] is None:
            shown = statement[match.start() : match.start() + 12]
            raise ValueError(f"{shown!r} is no parameter; %(name)s was expected, or %% for one %")
        return f"${names.setdefault(match[2], len(names) + 1)}"

    text = _PARAMETER.sub(replaced, statement)
    return text, tuple(names)


def parameters(statement: str) -> tuple[str, ...]:
    """The names of the parameters of a statement, as far as they can be read."""
    return tuple(dict.fromkeys(match[2] for match in _PARAMETER.finditer(statement) if match[2] is not None))


def first_word(statement: str) -> str:
    """The word, in capitals, by which a statement begins; comments and parentheses aside."""
    at = 0
    while match := _BEFORE.match(statement, at):
        at = match.end()
    word = _WORD.match(statement, at)
    return word[0].upper() if word else ""


def problems(statement: str) -> Iterator[tuple[str, str]]:
    """What is wrong with a statement by itself: message and hint."""
    try:
        numbered(statement)
    except ValueError as error:
        yield str(error), "a value is bound by its name: WHERE id = %(key)s"
    shown = repr(statement[:_SHOWN])
    if "${" in statement:
        yield f"{shown} has a name that would become a part of the text", "write %(key)s: values are bound"
    word = first_word(statement)
    if not word:
        yield f"{shown} is no statement; SELECT …, INSERT … or the like was expected", ""
    elif word in OURS:
        yield f"{word} cannot be a statement of an operation", "several statements, in `statements`, are a transaction"
