"""Bottlenecks and anomalies in words and rows, for the closing summary, the report and `resilience bottlenecks`."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from resilience.report.document import Row, items, number, rows, table, words
from resilience.text import ABSENT, count, milliseconds, percent, printable, rate, seconds

TOLD = frozenset({"found", "not-found", "generator"})
"""Answers that a summary has a line for; a run in which nothing was saturated needs none."""

HEADINGS = {
    "found": "most likely the limit",
    "not-found": "no bottleneck was found",
    "not-saturated": "nothing was saturated",
    "generator": "the generator was the limit",
    "unknown": "it cannot be told",
}
"""What an answer means, in a few words."""


def summary_lines(document: Row) -> Iterator[str]:
    """One line for what was the limit, one for the anomalies that no fault of ours explains."""
    told = table(document, "bottlenecks")
    if words(told, "answer") in TOLD:
        yield f"bottleneck: {words(told, 'because')}"
    odd = unexpected(document)
    if odd:
        more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
        yield f"anomalies that no fault of this run explains: {anomaly(odd[0])}{more}"


def unexpected(document: Row) -> list[Row]:
    """The anomalies that began while no fault of this run was in place, nor shortly after."""
    return [row for row in rows(document, "anomalies") if row.get("expected") is not True]


def anomaly(row: Row) -> str:
    """One anomaly: what, of what, when, from what to what."""
    of = words(row, "of")
    end_s = number(row, "end_s")
    when = f"from {number(row, 'start_s') or 0.0:.1f} s"
    when += f" to {end_s:.1f} s" if end_s is not None else " on"
    usual, seen = (figure(number(row, key), words(row, "unit")) for key in ("usual", "seen"))
    return f"{words(row, 'figure')}{f' of {of}' if of else ''} {when}: {seen} instead of {usual}"


def figure(value: float | None, unit: str) -> str:
    """A reading in its unit."""
    if value is None:
        return ABSENT
    show = {"ms": milliseconds, "ratio": percent, "seconds": seconds, "count": count}
    if unit in show:
        return show[unit](value) if unit != "count" or float(value).is_integer() else f"{value:.3g}"
    if unit in {"bytes", "bytes_per_s"}:
        return f"{value / 2**20:.3g} MiB{'/s' if unit == 'bytes_per_s' else ''}"
    return f"{value:.3g}{' cores' if unit == 'cores' else '/s' if unit == 'per_s' else ''}"


def stretch(window: Row) -> str:
    """When a window was, and what service was like meanwhile."""
    start_s, end_s = (number(window, key) or 0.0 for key in ("start_s", "end_s"))
    names = ", ".join(str(name) for name in items(window, "faults"))
    return (
        f"from {start_s:.1f} to {end_s:.1f} s: {rate(number(window, 'answered_per_s'))} of "
        f"{rate(number(window, 'offered_per_s'))} operations a second were answered, "
        f"{percent(number(window, 'lacking'))} lacked full service, p95 {milliseconds(number(window, 'p95_ms'))} "
        f"(baseline {milliseconds(number(window, 'usual_p95_ms'))})" + (f"; in place: {names}" if names else "")
    )


def print_bottlenecks(document: Row, console: Console) -> None:
    """Print everything that is told of bottlenecks and anomalies.

    Args:
        document: `verdict.json`.
        console: where to print.
    """
    told = table(document, "bottlenecks")
    answer = words(told, "answer")
    said = Text(f"{HEADINGS.get(answer, answer)}: ", "bold")
    console.print(said.append(printable(words(told, "because")), "not bold"))
    for window in rows(told, "windows"):
        console.print()
        console.print(_window(window))
    unread = rows(told, "unread")
    if unread:
        console.print()
        console.print(Text("not read meanwhile, so nothing is known of it:"))
        for gap in unread[:5]:
            console.print(Text(f"- {words(gap, 'collector')} of {words(gap, 'of')}: {printable(words(gap, 'why'))}"))
    _print_anomalies(rows(document, "anomalies"), console)


def _window(window: Row) -> Table:
    made = Table(title=Text(stretch(window)), title_justify="left", title_style="", box=None, pad_edge=False)
    made.add_column("", justify="right", no_wrap=True)
    made.add_column("place", no_wrap=True)
    made.add_column("what was seen, and what helps", overflow="fold")
    ranked = rows(window, "ranked")
    for place, one in enumerate(ranked, start=1):
        said = Text("\n".join(f"- {printable(words(sign, 'words'))}" for sign in rows(one, "evidence")))
        said.append(f"\n{printable(words(one, 'recommendation'))}", "dim")
        same = "" if window.get("apart") is True or place > 2 else "~"  # noqa: PLR2004 - the first two
        made.add_row(f"{same}{place}", words(one, "title"), said)
    if not ranked:
        made.add_row("", "–", Text(printable(words(window, "generator")) or "nothing that was read shows why"))
    return made


def _print_anomalies(found: Sequence[Row], console: Console) -> None:
    if not found:
        return
    console.print()
    console.print(Text("anomalies", "bold"))
    for row in found:
        faults = ", ".join(str(name) for name in items(row, "faults"))
        console.print(Text(f"- {printable(anomaly(row))}" + (f" (under {printable(faults)})" if faults else "")))
