"""What was promised, and whether it was met."""

from resilience.report.document import rows
from resilience.report.markup import fill
from resilience.report.material import Definition, Material, Section

_DEFINITIONS = (
    Definition(
        "Value",
        "The metric of the objective: p(95) and the like are nearest-rank quantiles of the response time over all that "
        "was sent, from the intended start; rate is the share of what was offered that was not ok; rps are ok answers "
        "per second; degraded is the share of ok answers that said so. One that cannot be told is unknown.",
        "the phase that stands beside it; its instants stand under phases",
        "as many operations as stand beside it",
    ),
)


def section(of: Material) -> Section:
    """Every objective in every phase that it is about."""
    body = fill("sections/objectives.html.j2", objectives=rows(of.document, "objectives"))
    return Section(
        "objectives", "Objectives", body, definitions=_DEFINITIONS if rows(of.document, "objectives") else ()
    )
