"""Each operation before, during and after each fault."""

from collections.abc import Mapping

from resilience.report.document import compares
from resilience.report.markup import fill
from resilience.report.material import Material, Section


def section(of: Material) -> Section | None:
    """What was compared; None if nothing was."""
    found = [one for part in of.verdict.parts for one in part.evidence if compares(one)]
    compared = [one for one in found if isinstance(one, Mapping)]
    if not compared:
        return None
    body = fill("sections/degradation.html.j2", degradation=compared)
    return Section("degradation", "Before, during and after each fault", body)
