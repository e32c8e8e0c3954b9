"""Reading `verdict.json` without trusting its shape: what is missing or of another type is absent, never an error."""

import json
import math
import re
from collections.abc import Mapping

from resilience.model import Json

Row = Mapping[str, Json]


def table(row: Row, key: str) -> Row:
    """An object; empty if there is none."""
    value = row.get(key)
    return value if isinstance(value, Mapping) else {}


def rows(row: Row, key: str) -> tuple[Row, ...]:
    """The objects of a list; empty if there is none."""
    return tuple(one for one in items(row, key) if isinstance(one, Mapping))


def items(row: Row, key: str) -> tuple[Json, ...]:
    """A list; empty if there is none."""
    value = row.get(key)
    return tuple(value) if isinstance(value, list | tuple) else ()


def number(row: Row, key: str) -> float | None:
    """A finite number, exactly as it stands; None if there is none."""
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def words(row: Row, key: str) -> str:
    """A text; empty if there is none."""
    return as_text(row.get(key))


def as_text(value: Json) -> str:
    """Any JSON value as text: a string as it is, nothing as nothing, anything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=_plain)


def degraded_share(row: Row) -> float | None:
    """Share of the ok answers that were degraded, from the judged counts; None if the document does not tell."""
    degraded, good = number(row, "degraded"), number(row, "ok")
    return degraded / good if degraded is not None and good else None


def phase_label(row: Row) -> str:
    """`baseline`, `fault(redis-down)`."""
    name, fault = words(row, "name"), words(row, "fault")
    return f"{name}({fault})" if fault and "(" not in name else name


def objective_value(row: Row) -> str:
    """The value of an objective in the unit of its expression, with all the digits that decided."""
    value = number(row, "value")
    if value is None:
        return ""
    if words(row, "resource"):
        unit = words(row, "unit")
        return f"{value * 100:.4g} % of its limit" if unit == "share" else f"{value:.6g} {unit}".strip()
    if re.search(r"\s(no\s+worse\s+than|within)\s", words(row, "expression")):  # a difference to the baseline
        relative = words(row, "expression").lstrip().startswith(("p(", "avg", "med"))
        return f"{value * 100:+.3g}{' %' if relative else ' points'}"
    measure, _, metric = words(row, "expression").lstrip().rpartition(":")
    time = metric.lstrip().startswith(("p(", "avg", "min", "max", "med"))
    unit = "" if not time else " per second" if measure.strip() == "tokens" else " ms"
    return f"{value:.6g}{unit}"


def objective_name(row: Row) -> str:
    """An objective in one line: of what, what, and in which phase unless that is part of the expression."""
    expression, phase = words(row, "expression"), words(row, "phase")
    return f"{about(row) or 'all'}: {expression}" + ("" if f"@ {phase}" in expression else f" in {phase}")


def about(row: Row) -> str:
    """What an objective is about: its operation, and its tenant and region if it names them."""
    if words(row, "resource"):
        return " of ".join(name for name in (words(row, "resource"), words(row, "of")) if name)
    named = [words(row, "operation"), words(row, "tenant"), words(row, "region")]
    return ", ".join(name for name in named if name)


def compares(evidence: Json) -> bool:
    """Whether a piece of evidence compares an operation before, during and after a fault."""
    return isinstance(evidence, Mapping) and {"fault", "operation", "during"} <= evidence.keys()


def _plain(value: object) -> Json:
    return dict(value) if isinstance(value, Mapping) else str(value)
