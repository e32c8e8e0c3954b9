"""What happened, event by event."""

from resilience.report.markup import fill
from resilience.report.material import Material, Section

MOST = 500
"""Events that are shown; all of them stand in `events.jsonl`."""


def section(of: Material) -> Section:
    """The first events of the run."""
    events = of.record.events
    body = fill("sections/events.html.j2", events=events[:MOST], number=len(events), left=max(0, len(events) - MOST))
    return Section("events", "Events", body)
