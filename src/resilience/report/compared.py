"""Comparisons of runs as Markdown."""

from resilience.report.comparison import HEADS, cells, change_of, compared_rows, counts, notes
from resilience.report.document import Row, words
from resilience.report.markdown import escape


def markdown(compared: Row) -> str:
    """A comparison as Markdown: the answer, what a reader must know besides, every row."""
    lines = [f"**{change_of(compared).value}**: {escape(words(compared, 'because'))}", ""]
    lines += [f"* {escape(one)}" for one in notes(compared)]
    found = compared_rows(compared)
    if found:
        lines += ["", f"| {' | '.join(HEADS)} |", "|" + "---|" * len(HEADS)]
        lines += [f"| {' | '.join(escape(cell) for cell in cells(row))} |" for row in found]
    if counted := counts(compared):
        lines += ["", f"Counted over whole runs, not judged here: {escape('; '.join(counted))}"]
    return "\n".join(lines) + "\n"
