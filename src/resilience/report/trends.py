"""Histories of runs, as tables in the terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from resilience.judge.regression.history import History, Trend
from resilience.text import printable

_BARS = "▁▂▃▄▅▆▇█"
_WIDE = 24


def print_history(found: Sequence[History], console: Console) -> None:
    """Print each experiment: how its runs ended, then its figures, regressions first."""
    if not found:
        console.print("no run with a verdict")
    for history in found:
        console.print()
        console.print(Text(printable(history.experiment), "bold"))
        answers = [answer for _, answer in history.runs]
        counted = ", ".join(f"{answers.count(one)} {one}" for one in dict.fromkeys(answers))
        more = f", {len(history.left_out)} of them not fit to be compared" if history.left_out else ""
        versions = f", {history.digests} versions of the file" if history.digests > 1 else ""
        console.print(Text(f"{len(answers)} runs: {counted}{more}{versions}"))
        if history.trends:
            console.print(_table(history.trends))


def bars(values: Sequence[float]) -> str:
    """The last values as a row of bars, from the least to the most."""
    last = values[-_WIDE:]
    low, high = min(last), max(last)
    if high == low:
        return _BARS[0] * len(last)
    return "".join(_BARS[round((value - low) / (high - low) * (len(_BARS) - 1))] for value in last)


def _table(found: Sequence[Trend]) -> Table:
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in ("", "figure", "runs", "last", "what is told"):
        made.add_column(head, overflow="fold", no_wrap=head in {"", "runs"})
    for trend in sorted(found, key=lambda one: (not one.alert, not one.points)):
        mark = (
            Text("REGRESSION", "bold red") if trend.alert else Text("changed", "yellow") if trend.points else Text("")
        )
        made.add_row(
            mark, printable(trend.name), bars(trend.values), f"{trend.values[-1]:.4g}", printable(trend.because)
        )
    return made
