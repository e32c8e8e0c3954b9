"""Readings of the metrics of our own collectors, and their reference page.

`docs/reference/metrics.md` is written from the catalogue: `python -m resilience.observe.catalogue`.
"""

import sys

from resilience.model.catalogue import COLLECTORS, METRICS, SHARES
from resilience.model.resources import Reading


def reading(name: str, of: str, value: float, limit: float | None = None, *, anew: bool = False) -> Reading:
    """A reading of one of these metrics; its unit and kind are the catalogue's."""
    metric = METRICS[name]
    return Reading(name, of, metric.unit, float(value), limit, metric.counter, anew)


_HEAD = """# Metrics of resources

What the collectors of [`observe`](../how-to/watch-resources.md) read once a second, or as often as
`observe.period` says. Each is a series under its name and what it is of: the part of the stack (`service`,
`postgres`, …), or `host`. What is counted is shown as a rate, so its unit is that of the rate;
`resources/series/*.parquet` hold counters as they stood. This page is made from `model/catalogue.py`.
"""


def page() -> str:
    """The reference page."""
    lines = [_HEAD]
    for collector, metrics in COLLECTORS.items():
        lines += [f"## `{collector}`", "", "| name | unit | means | limit |", "|---|---|---|---|"]
        for name, metric in metrics.items():
            unit = metric.unit.value + (", counted" if metric.counter else "")
            lines.append(f"| `{name}` | {unit} | {metric.means} | {metric.limit} |")
        lines.append("")
    lines += ["## Shares", "", "Made of two rates a and b when a record is read: a / (a + b). Their limit is 1.", ""]
    lines += ["| name | a | b |", "|---|---|---|"]
    lines += [f"| `{name}` | `{these}` | `{those}` |" for name, (these, those) in SHARES.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
