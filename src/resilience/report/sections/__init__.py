"""The sections of a report, one module each. What is listed here is in the report, in this order.

A new one is a module with `section(of: Material) -> Section | None` (see `report.material`), its template in
`assets/sections/`, and a line here.
"""

from collections.abc import Callable

from resilience.report.material import Material, Section
from resilience.report.sections import (
    bottlenecks,
    comparison,
    control,
    degradation,
    events,
    faults,
    gaps,
    objectives,
    phases,
    promised,
    recovery,
    resources,
    searches,
    soak,
    time,
    traces,
    writes,
)

SECTIONS: tuple[Callable[[Material], Section | None], ...] = (
    time.section,
    searches.section,
    recovery.section,
    writes.section,
    comparison.section,
    control.section,
    objectives.section,
    promised.section,
    soak.section,
    degradation.section,
    bottlenecks.section,
    phases.section,
    resources.section,
    traces.section,
    faults.section,
    gaps.section,
    events.section,
)
