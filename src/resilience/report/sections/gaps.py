"""What the run did not cover."""

from resilience.report.gaps import find_gaps
from resilience.report.markup import fill
from resilience.report.material import Material, Section


def section(of: Material) -> Section:
    """One sentence for each gap."""
    found = find_gaps(of.record, of.verdict)
    return Section("gaps", "What is not covered", fill("sections/gaps.html.j2", gaps=found), brief=found)
