"""What was done to which part, and when it was seen to be there and gone."""

from resilience.report.document import rows
from resilience.report.markup import fill
from resilience.report.material import Definition, Material, Section

_DEFINITIONS = (
    Definition(
        "Requested", "How to take it back was on disk; the injection came next.", "an instant", "the run's events"
    ),
    Definition("Confirmed active", "Its effect was seen, not assumed.", "an instant", "a look at the target"),
    Definition("Revert asked for", "Taking it back began.", "an instant", "the run's events"),
    Definition("Confirmed gone", "Its effect was seen to be gone.", "an instant", "a look at the target"),
)


def section(of: Material) -> Section:
    """Every fault."""
    body = fill("sections/faults.html.j2", faults=rows(of.document, "faults"), undo=of.record.plan.undo)
    return Section("faults", "Faults", body, definitions=_DEFINITIONS if rows(of.document, "faults") else ())
