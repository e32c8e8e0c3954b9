"""Counts, rates and quantiles of every operation in every phase."""

from resilience.report.document import Row, rows, table
from resilience.report.markup import fill
from resilience.report.material import Material, Section


def section(of: Material) -> Section:
    """The figures of each phase."""
    phases = [(phase, operations(phase)) for phase in rows(of.document, "phases")]
    return Section("phases", "Phases and operations", fill("sections/phases.html.j2", phases=phases))


def operations(phase: Row) -> list[tuple[str, Row]]:
    """Operations of a phase with their figures, all of them together first; then its tenants and regions."""
    found = table(phase, "operations")
    made = [(name, table(found, name)) for name in sorted(found, key=lambda name: (name != "all", name))]
    for kind in ("tenant", "region"):
        segments = table(phase, f"{kind}s")
        made += [(f"{kind} {name}", table(segments, name)) for name in sorted(segments)]
    return made
