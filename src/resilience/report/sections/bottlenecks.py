"""What was the limit while the target was saturated, and what was unusual besides."""

from resilience.report.bottlenecks import HEADINGS, anomaly, stretch, summary_lines
from resilience.report.document import rows, table, words
from resilience.report.markup import fill
from resilience.report.material import Definition, Material, Section

_DEFINITIONS = (
    Definition(
        "saturated",
        "at least three seconds in which so many operations lacked full service (ok, not degraded, in time) that the "
        "baseline's share does not explain it",
        "from the baseline on",
    ),
    Definition(
        "anomaly",
        "a figure whose distance from its median in the baseline, beyond an allowance, adds up to more than noise does "
        "(CUSUM)",
        "one reading a second",
    ),
)


def section(of: Material) -> Section | None:
    """Windows with their ranked places, and anomalies; None if the verdict tells of neither."""
    told, odd = table(of.document, "bottlenecks"), rows(of.document, "anomalies")
    answer = words(told, "answer")
    if not answer and not odd:
        return None
    body = fill(
        "sections/bottlenecks.html.j2",
        heading=HEADINGS.get(answer, answer),
        because=words(told, "because"),
        windows=[(stretch(window), window, rows(window, "ranked")) for window in rows(told, "windows")],
        unread=rows(told, "unread"),
        anomalies=[(anomaly(row), row) for row in odd],
    )
    brief = tuple(summary_lines(of.document))
    return Section("bottlenecks", "Bottlenecks and anomalies", body, brief=brief, definitions=_DEFINITIONS)
