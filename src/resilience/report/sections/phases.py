"""Counts, rates and quantiles of every operation in every phase."""

from resilience.report.document import Row, rows, table
from resilience.report.markup import fill
from resilience.report.material import Definition, Material, Section

_WINDOW = "the phase; its instants stand under its name"
_DEFINITIONS = (
    Definition(
        "Offered, ok, failed, unknown, dropped",
        "An operation belongs to the phase in which it was meant to start. What became of it: the four add up.",
        _WINDOW,
        "as many operations as stand under offered",
    ),
    Definition("ok/s", "Ok answers / length of the phase.", _WINDOW, "the ok ones"),
    Definition(
        "Error rate", "(Offered − ok) / offered: dropped and unknown ones are not ok.", _WINDOW, "those offered"
    ),
    Definition("Degraded", "Of the ok answers, the share that said so.", _WINDOW, "the ok ones"),
    Definition(
        "p50, p95, p99, max",
        "Of the response time (end − intended start) over all that was sent, failures and timeouts included: the "
        "smallest value with at least that share of the values at or below it.",
        _WINDOW,
        "offered − dropped",
    ),
    Definition(
        "In flight, at most", "Time spent in flight / length of the phase; the most at once.", _WINDOW, "those begun"
    ),
)


def section(of: Material) -> Section:
    """The figures of each phase."""
    phases = [(phase, operations(phase)) for phase in rows(of.document, "phases")]
    body = fill("sections/phases.html.j2", phases=phases)
    return Section("phases", "Phases and operations", body, definitions=_DEFINITIONS if phases else ())


def operations(phase: Row) -> list[tuple[str, Row]]:
    """Operations of a phase with their figures, all of them together first; then its tenants and regions."""
    found = table(phase, "operations")
    made = [(name, table(found, name)) for name in sorted(found, key=lambda name: (name != "all", name))]
    for kind in ("tenant", "region"):
        segments = table(phase, f"{kind}s")
        made += [(f"{kind} {name}", table(segments, name)) for name in sorted(segments)]
    return made
