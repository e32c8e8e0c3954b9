"""How soon full service was back after each fault."""

from resilience.report.document import rows, table
from resilience.report.markup import fill
from resilience.report.material import Material, Section


def section(of: Material) -> Section:
    """The mean with its bounds, and every cycle."""
    recovery = table(of.document, "recovery")
    body = fill("sections/recovery.html.j2", recovery=recovery, cycles=rows(recovery, "cycles"))
    return Section("recovery", "Recovery", body)
