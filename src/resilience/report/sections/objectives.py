"""What was promised, and whether it was met."""

from resilience.report.document import rows
from resilience.report.markup import fill
from resilience.report.material import Material, Section


def section(of: Material) -> Section:
    """Every objective in every phase that it is about."""
    body = fill("sections/objectives.html.j2", objectives=rows(of.document, "objectives"))
    return Section("objectives", "Objectives", body)
