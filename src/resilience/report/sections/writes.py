"""What became of every write."""

from resilience.report.document import Row, number, table
from resilience.report.markup import fill
from resilience.report.material import Definition, Material, Section
from resilience.report.summary import WRITES, account_lines
from resilience.text import count


def section(of: Material) -> Section:
    """The write ledger, and its accounts."""
    judged = table(of.document, "writes")
    body = fill(
        "sections/writes.html.j2",
        writes=[(name, meaning, judged.get(name)) for name, meaning in WRITES],
        has_writes=bool(judged),
        accounts=account_lines(of.document),
    )
    return Section("writes", "Writes", body, definitions=_definitions(judged) if judged else ())


def _definitions(judged: Row) -> tuple[Definition, ...]:
    window = "the whole run, and the store as it was read afterwards"
    return (
        Definition(
            "Acknowledged, rejected, indeterminate",
            "Every write is written down before it is sent, and what came of it after: the target said that it is "
            "stored, and repeated its name; it certainly had no effect; it may have had one, such as after a timeout.",
            window,
            f"{count(number(judged, 'attempted'))} writes attempted",
        ),
        Definition(
            "Verified, lost, duplicated, corrupted, phantom",
            "What was acknowledged beside the rows of the primary store, read directly: there once and intact; not "
            "there; there more than once; there with another content; there without a write that accounts for it.",
            window,
            f"{count(number(judged, 'acknowledged'))} writes acknowledged",
        ),
    )
