"""What became of every write."""

from resilience.report.document import table
from resilience.report.markup import fill
from resilience.report.material import Material, Section
from resilience.report.summary import WRITES, account_lines


def section(of: Material) -> Section:
    """The write ledger, and its accounts."""
    judged = table(of.document, "writes")
    body = fill(
        "sections/writes.html.j2",
        writes=[(name, meaning, judged.get(name)) for name, meaning in WRITES],
        has_writes=bool(judged),
        accounts=account_lines(of.document),
    )
    return Section("writes", "Writes", body)
