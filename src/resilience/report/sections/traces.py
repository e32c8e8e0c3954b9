"""The slowest operations that were sent with a trace, and where to look at it."""

from resilience.report.markup import fill
from resilience.report.material import Material, Section
from resilience.report.spans import slowest


def section(of: Material) -> Section | None:
    """None if nothing was sent with a trace."""
    found = slowest(of.record)
    if not found:
        return None
    traced = of.record.samples.trace
    count = 0 if traced is None else int((traced > 0).sum())
    return Section("traces", "Slowest traces", fill("sections/traces.html.j2", traced=found, count=count))
