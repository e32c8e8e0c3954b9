"""What is better, worse or the same as before, where the run was compared with earlier ones."""

from resilience.report import comparison
from resilience.report.document import words
from resilience.report.markup import fill
from resilience.report.material import Definition, Material, Section

_DEFINITIONS = (
    Definition(
        "change",
        "after − before: of times and rates as a share of the one before, of shares in points of a hundred",
    ),
    Definition(
        "between", "bounds of the change; those of all rows hold together", "whole phases, cut into time slices"
    ),
    Definition("worse", "all of the interval is on the worse side of none, and the change is half the margin or more"),
    Definition("same", "all of the interval is within the margin: a claim that was shown"),
)


def section(of: Material) -> Section | None:
    """Every figure that was compared, the gravest first."""
    compared = comparison.regression_of(of.document) or of.comparison
    if not compared:
        return None
    found = comparison.compared_rows(compared)
    body = fill(
        "sections/comparison.html.j2",
        answer=comparison.change_of(compared).value,
        because=words(compared, "because"),
        notes=[*comparison.notes(compared), *comparison.counts(compared)],
        heads=comparison.HEADS,
        rows=[comparison.cells(row) for row in found],
    )
    brief = (f"{comparison.change_of(compared).value}: {words(compared, 'because')}",)
    return Section("comparison", "Compared with before", body, brief=brief, definitions=_DEFINITIONS)
