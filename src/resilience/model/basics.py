"""What everything else is made of: JSON, names, what is wrong and where."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | tuple[Json, ...] | Mapping[str, Json] | None"
"""What can stand in a JSON document."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        where: a path into the file (`extensions[0].load.rate`), a program or an address; may be empty.
        message: what was found, with its value, and what was expected.
        hint: what to do about it; may be empty.
        line, column: place in the file, counted from 1; 0 where it is not known.
    """

    where: str
    message: str
    hint: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """One line: where, what, and what to do."""
        place = f"line {self.line}" + (f", column {self.column}" if self.column else "") if self.line else ""
        where = f"{self.where} ({place})" if self.where and place else self.where or place
        text = f"{where}: {self.message}" if where else self.message
        return f"{text} ({self.hint})" if self.hint else text


_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def is_name(text: str) -> bool:
    """Whether a text can name a fault, an operation or a run: lower case, digits, hyphens, at most 63."""
    return _NAME.fullmatch(text) is not None
