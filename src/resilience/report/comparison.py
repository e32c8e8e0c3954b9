"""Comparisons of runs, from their documents: as tables in the terminal; their rows and notes for reports."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from resilience.judge.regression.rows import Row
from resilience.model import Change, Json
from resilience.report.document import Row as Fields
from resilience.report.document import number, rows, table, words
from resilience.text import ABSENT, printable

STYLE = {
    Change.WORSE: "bold red",
    Change.BETTER: "bold green",
    Change.SAME: "green",
    Change.UNKNOWN: "yellow",
    Change.NOT_COMPARABLE: "bold yellow",
}
HEADS = ("answer", "phase", "operation", "figure", "before", "after", "change", "between")
_ROWS = 25
"""So many are shown in a terminal unless all are asked for; those that matter come first."""


def compared_rows(compared: Fields) -> list[Row]:
    """The rows of a comparison, from its document."""
    return [_row(one) for one in rows(compared, "rows")]


def cells(row: Row) -> tuple[str, ...]:
    """A row as texts, under `HEADS`."""
    name = row.metric.removesuffix("_ms").removesuffix("_s").replace("ok_per", "ok/s").replace("_", " ")
    change = row.difference(row.change)
    texts = (row.answer.value, row.phase, row.operation, name, row.figure(row.before), row.figure(row.after), change)
    return tuple(printable(text) or ABSENT for text in (*texts, row.interval))


def print_comparison(compared: Fields, console: Console, *, everything: bool = False) -> None:
    """Print a comparison: the answer, what differs, then what was compared.

    Args:
        compared: its document.
        console: where to print; no colour is needed to understand it.
        everything: all rows, however many.
    """
    answer = change_of(compared)
    head = Table.grid(padding=(0, 2, 0, 0))
    head.add_column(no_wrap=True)
    head.add_column(overflow="fold")
    head.add_row(Text(answer.value.upper(), STYLE[answer]), Text(printable(words(compared, "because"))))
    console.print()
    console.print(head)
    for line in notes(compared):
        console.print(Text(f"- {printable(line, 400)}", "dim"))
    found = compared_rows(compared)
    if found:
        shown = found if everything else found[:_ROWS]
        console.print()
        console.print(_table(shown))
        if len(shown) < len(found):
            console.print(Text(f"and {len(found) - len(shown)} more: --all", "dim"))
    counted = counts(compared)
    if counted:
        console.print()
        console.print(Text(f"Counted over whole runs, not judged here: {'; '.join(counted)}"), soft_wrap=True)


def notes(compared: Fields) -> list[str]:
    """What a reader must know besides: of what, what differs, by which rates it holds."""
    runs = {side: [words(run, "run") for run in rows(compared, side)] for side in ("before", "after")}
    told = [f"before: {', '.join(runs['before'])}; after: {', '.join(runs['after'])}"]
    told += [
        f"run {words(run, 'run')} was not fit to be judged: {words(run, 'unfit')}"
        for run in (*rows(compared, "before"), *rows(compared, "after"))
        if words(run, "unfit")
    ]
    told += [
        f"differs: {words(one, 'what')}: {words(one, 'before')} before, {words(one, 'after')} after"
        for one in rows(compared, "differences")
    ]
    margin, family = number(compared, "margin"), number(compared, "family_wise_error_rate")
    if rows(compared, "rows") and margin is not None and family is not None:
        told.append(f"margin {margin * 100:g} %; all intervals hold together with {100 - family * 100:g} %")
    return told


def counts(compared: Fields) -> list[str]:
    """Figures of whole runs that differ or are not 0."""
    made = []
    for one in rows(compared, "counts"):
        was, now = number(one, "before"), number(one, "after")
        if was or now:
            shown = ["unknown" if value is None else f"{value:,.4g}" for value in (was, now)]
            made.append(f"{words(one, 'name')} {shown[0]} → {shown[1]}")
    return made


def change_of(fields: Fields) -> Change:
    """What is said; not enough data if that cannot be read."""
    told = words(fields, "answer")
    return Change(told) if told in {one.value for one in Change} else Change.UNKNOWN


def _row(one: Fields) -> Row:
    phase, operation, metric = (words(one, name) for name in ("phase", "operation", "metric"))
    before, after, change, low, high = (number(one, key) for key in ("before", "after", "change", "low", "high"))
    return Row(phase, operation, metric, change_of(one), before, after, change, low, high)


def _table(found: Sequence[Row]) -> Table:
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, head in enumerate(HEADS):
        made.add_column(head, justify="right" if index > 3 else "left", no_wrap=index > 3, overflow="fold")  # noqa: PLR2004 - words first, then figures
    for row in found:
        answer, *rest = cells(row)
        made.add_row(Text(answer, STYLE[row.answer]), *map(Text, rest))
    return made


def regression_of(document: Mapping[str, Json]) -> Fields:
    """The comparison in a verdict; empty if there is none."""
    return table(document, "regression")
