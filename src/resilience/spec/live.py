"""Which objectives can end a run: those whose value is known while the run goes on. Pure.

The generator reports counts per operation and one histogram of response times for all operations together, a few times
a second; neither knows of tenants and regions.
"""

from collections.abc import Iterator

from resilience.model import Comparison, Objective, Problem

SHARES = ("rate", "availability", "degraded")
TIMES = ("p", "med", "avg", "max")
LIVE = (*SHARES, "rps", *TIMES)
"""Metrics that an objective with `abort: true` may have."""
OF_ALL = ("degraded", *TIMES)
"""Of these, what is known of all operations together only."""


def not_live(objective: Objective) -> Iterator[Problem]:
    """Why an objective cannot be watched while the run goes on; nothing if it can."""
    text = repr(objective.expression)
    if objective.relation:
        yield Problem("", f"{text} is judged over a whole phase, not live", "leave out abort, or write a threshold")
        return
    if objective.measure:
        yield Problem("", f"{objective.measure} is not known while the run goes on", "leave out abort")
    elif objective.aggregate not in LIVE:
        hint = f"leave out abort, or use one of {', '.join(LIVE)}"
        yield Problem("", f"{objective.aggregate} is not known while the run goes on", hint)
    elif objective.aggregate in OF_ALL and objective.operation != "all":
        message = f"{objective.aggregate} is known live of all operations together only, found {objective.operation!r}"
        yield Problem("", message, "leave out abort or operation, or use rate, availability or rps")
    for kind, name in (("tenant", objective.tenant), ("region", objective.region)):
        if name:
            yield Problem("", f"nothing is known live of the {kind} {name!r} alone", f"leave out abort or {kind}")
    if objective.aggregate in TIMES and objective.comparison in {Comparison.EQ, Comparison.NE}:
        message = f"live response times are within 2 %, which says nothing of {objective.comparison.value}"
        yield Problem("", message, "use <, <=, > or >=")
