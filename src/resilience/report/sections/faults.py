"""What was done to which part, and when it was seen to be there and gone."""

from resilience.report.document import rows
from resilience.report.markup import fill
from resilience.report.material import Material, Section


def section(of: Material) -> Section:
    """Every fault."""
    body = fill("sections/faults.html.j2", faults=rows(of.document, "faults"), undo=of.record.plan.undo)
    return Section("faults", "Faults", body)
