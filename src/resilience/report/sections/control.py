"""The control group beside the one that the fault met."""

from resilience.report.document import as_text, number, rows, table, words
from resilience.report.markup import fill
from resilience.report.material import Definition, Material, Section
from resilience.text import ABSENT, instant, milliseconds, percent

HEADS = ("phase", "answer", "good, control", "good, other", "p95, control", "p95, other", "points", "between", "shown")

_DEFINITIONS = (
    Definition("good", "ok, and in time", "the phase", "operations of the group"),
    Definition("points", "share of good answers of the control group less that of the other, in points of a hundred"),
    Definition("between", "confidence sequence of that: bounds that hold at every instant together"),
    Definition("shown", "when those bounds first excluded that there is no difference"),
)


def section(of: Material) -> Section | None:
    """Both groups in each phase that is compared."""
    control = table(of.document, "control")
    if not control:
        return None
    made = []
    for row in rows(control, "phases"):
        groups = [table(table(row, "groups"), name) for name in ("control", "experiment")]
        low, high = number(row, "low"), number(row, "high")
        made.append(
            (
                words(row, "phase"),
                words(row, "answer") or "not judged",
                *(percent(number(group, "good")) for group in groups),
                *(milliseconds(number(group, "p95_ms")) for group in groups),
                _points(number(row, "difference")),
                ABSENT if low is None or high is None else f"{_points(low)} to {_points(high)}",
                instant(number(row, "shown_s")),
            )
        )
    told = [as_text(row["because"]) for row in rows(control, "phases") if row.get("because")]
    body = fill("sections/control.html.j2", heads=HEADS, rows=made, told=told, margin=number(control, "margin"))
    return Section("control", "Control group", body, brief=tuple(told), definitions=_DEFINITIONS)


def _points(share: float | None) -> str:
    return ABSENT if share is None else f"{share * 100:+.3g}"
