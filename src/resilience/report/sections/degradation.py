"""Each operation before, during and after each fault."""

from collections.abc import Mapping

from resilience.report.document import compares
from resilience.report.markup import fill
from resilience.report.material import Definition, Material, Section

_DEFINITIONS = (
    Definition(
        "Errors",
        "(Offered − ok) / offered.",
        "before: the baseline; during: from the fault's request until it is clear; after: from then until the next",
        "the operations that were meant to start there",
    ),
    Definition("Degraded", "Of the ok answers, the share that said so.", "the same", "the ok answers"),
    Definition(
        "p95", "Of the response time over all that was sent, nearest rank.", "the same", "the operations that were sent"
    ),
)


def section(of: Material) -> Section | None:
    """What was compared; None if nothing was."""
    found = [one for part in of.verdict.parts for one in part.evidence if compares(one)]
    compared = [one for one in found if isinstance(one, Mapping)]
    if not compared:
        return None
    body = fill("sections/degradation.html.j2", degradation=compared)
    return Section("degradation", "Before, during and after each fault", body, definitions=_DEFINITIONS)
