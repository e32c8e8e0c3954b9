"""What grew while the load lasted, and what did not."""

from collections.abc import Mapping

from resilience.judge.soak import lasting, shown
from resilience.model import Json
from resilience.report.document import Row, number, rows, words
from resilience.report.markup import fill
from resilience.report.material import Material, Section
from resilience.text import ABSENT

FIGURES = ("per_hour", "low", "high", "tolerated", "level", "limit")
_ORDER = ("grows", "levels off", "not enough data", "flat")


def section(of: Material) -> Section | None:
    """Every quantity that was looked at, what grows first; None if there was none."""
    found = sorted(rows(of.document, "soak"), key=_rank)
    if not found:
        return None
    declared = any(row.get("declared") for row in found)
    made = [_row(row) for row in found]
    body = fill("sections/soak.html.j2", rows=made, declared=declared, phase=words(found[0], "phase"))
    growing = [words(row, "because") for row in found if words(row, "course") == "grows"]
    brief = tuple(growing) or ((f"{len(found)} quantities were looked at for growth: none grows.",) if declared else ())
    return Section("soak", "What grew", body, brief=brief)


def _rank(row: Row) -> tuple[int, str]:
    course = words(row, "course")
    return (_ORDER.index(course) if course in _ORDER else len(_ORDER), words(row, "what"))


def _row(row: Row) -> Mapping[str, Json]:
    """A row with its figures for reading."""
    unit = words(row, "unit")
    found = {name: _figure(number(row, name), unit) for name in FIGURES}
    left_s = number(row, "exhausted_s")
    left = ABSENT if left_s is None else lasting(left_s)
    return {**row, "shown": {**found, "left": left}}


def _figure(value: float | None, unit: str) -> str:
    return ABSENT if value is None else shown(value, unit)
