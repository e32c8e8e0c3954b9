"""How load was let in and spread: rate limits, balance, scaling."""

from resilience.report.document import rows, table, words
from resilience.report.markup import fill
from resilience.report.material import Material, Section


def section(of: Material) -> Section | None:
    """What the file promised of them; None if nothing."""
    limits, balance = rows(of.document, "rate_limits"), rows(of.document, "balance")
    scaling = table(of.document, "scaling")
    if not (limits or balance or scaling):
        return None
    shares = [(row, [(name, table(table(row, "copies"), name)) for name in table(row, "copies")]) for row in balance]
    body = fill(
        "sections/promised.html.j2",
        limits=limits,
        balance=shares,
        scaling=scaling,
        triggers=rows(scaling, "triggers"),
    )
    brief = tuple(words(row, "because") for row in (*limits, *balance) if words(row, "answer") != "pass")
    return Section("promised", "How load was let in and spread", body, brief=brief)
