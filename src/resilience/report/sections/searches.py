"""Where it breaks, step by step; and how throughput grows with users."""

from resilience.model import Json
from resilience.report.document import Row, number, rows, table, words
from resilience.report.markup import fill
from resilience.report.material import Definition, Material, Section
from resilience.text import ABSENT

DEFINITIONS = (
    Definition("holds, breaks", "all objectives are met with certainty, or one is missed with certainty (99.5 %)"),
    Definition(
        "comes back", "a tenth less than what held holds again after it broke, within ten times the longest time limit"
    ),
    Definition("X·R", "throughput times mean response time: by Little's law the number of users who never think"),
)


def section(of: Material) -> Section | None:
    """The searches, or the levels of a capacity run; None of an ordinary run."""
    search, capacity = table(of.document, "search"), table(of.document, "capacity")
    if not search and not capacity:
        return None
    unit = words(search, "unit")
    conditions = [_condition(row, unit) for row in rows(search, "conditions")]
    body = fill(
        "sections/searches.html.j2",
        conditions=conditions,
        over=words(search, "over"),
        unit=unit,
        levels=[_level(row) for row in rows(capacity, "levels")],
        law=_law(table(capacity, "law")),
    )
    telling = {"break-point", "hysteresis", "throughput", "scalability"}
    brief = tuple(words(row, "because") for row in rows(of.document, "parts") if words(row, "name") in telling)
    title = "Where it breaks" if search else "How it scales"
    return Section("searches", title, body, brief=brief, definitions=DEFINITIONS)


def _condition(row: Row, unit: str) -> Row:
    """One condition with its figures for reading."""
    shown = {name: _figure(row, name) for name in ("holds", "breaks", "back_at", "cost_s")}
    steps: list[Json] = [{**step, "shown": _shown(step, ("level", "rps", "p95_ms"))} for step in rows(row, "steps")]
    return {**row, "shown": {**shown, "unit": unit}, "made": steps}


def _level(row: Row) -> Row:
    return {**row, "shown": _shown(row, ("users", "rps", "mean_ms", "p95_ms", "in_flight"))}


def _shown(row: Row, names: tuple[str, ...]) -> Row:
    return {name: _figure(row, name) for name in names}


def _law(row: Row) -> list[Row]:
    """The law's parameters, one row each."""
    found: list[Row] = []
    for name in ("gamma_per_s", "sigma", "kappa"):
        value = table(row, name)
        if value:
            found.append({"name": name, "shown": _shown(value, ("value", "low", "high"))})
    if found:
        peak = number(row, "peak")
        beyond = f"not within the {_figure(row, 'measured_to')} users that were measured"
        told = (
            (beyond if row.get("fits") else "the law does not describe this") if peak is None else f"{peak:.0f} users"
        )
        found.append({"name": "peak", "shown": {"value": told, "low": "", "high": ""}})
    return found


def _figure(row: Row, name: str) -> str:
    value = number(row, name)
    return ABSENT if value is None else f"{value:.4g}"
