"""Charts over the time of a run: what is drawn, the place for it in a page, and the same figures as a table.

Every chart shares the time axis of the run, and is drawn with its phases, faults and marks. The page's script draws it
with uPlot, the paper's pictures are made from the same values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from resilience.model import Json
from resilience.text import ABSENT, count, milliseconds, percent, printable, rate, seconds

Unit = Literal["ms", "s", "per_s", "bytes", "bytes_per_s", "ratio", "cores", "count"]
Dash = Literal["solid", "dashed", "dotted"]

MOST_POINTS = 600
"""Points of a line at most; a screen has not many more columns."""

_KILO = 1024.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart.

    Attributes:
        label: what it is, from anywhere.
        values: one for each instant of the chart, in its unit; None where nothing is known.
        dash: lines of one chart differ in this, too, so that nobody needs to tell colours apart.
        tone: a colour of `report.css` without its dashes: `p50`, `p95`, `p99`, `ok`, `failed`, `degraded`, `unsure`,
            `dropped`, `offered`.
    """

    label: str
    values: Sequence[float | None]
    dash: Dash = "solid"
    tone: str = "p50"


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over the time of the run.

    Attributes:
        name: one word, unique in the report of a run: its place is found by it.
        title: what is shown. note: a sentence beside it.
        unit: of all values.
        at_s: instants, ascending, seconds since the run's zero; at most `MOST_POINTS` of them (see `binned`).
        lines: what is drawn.
        limit: the most that it can be, drawn as a line; None if there is none or it is not known.
        gaps: stretches of which nothing is known, as (start, end) in seconds; drawn hatched.
        small: a small multiple: half as high, and two in a row where there is room.
        heat: behind the lines: (bin, row, count), see `series.Series.heat`; then the scale is logarithmic.
    """

    name: str
    title: str
    unit: Unit
    at_s: Sequence[float]
    lines: Sequence[Line]
    limit: float | None = None
    gaps: Sequence[tuple[float, float]] = ()
    note: str = ""
    small: bool = False
    heat: Sequence[tuple[int, int, int]] = ()


def binned(
    at_s: npt.NDArray[np.float64], value: npt.NDArray[np.float64], length_s: float, most: int = MOST_POINTS
) -> tuple[list[float], list[float | None]]:
    """The mean of the values in each of at most `most` equal bins of the run: middles of bins, and means.

    A bin without a value is None, so that a line has a gap there. Values that are not finite count as none.
    """
    length_s = max(length_s, float(at_s[-1]) if len(at_s) else 0.0, 1e-9)
    bins = max(1, min(most, len(at_s)))
    good = np.isfinite(value)
    where = np.clip((at_s[good] / length_s * bins).astype(np.int64), 0, bins - 1)
    number = np.bincount(where, minlength=bins)
    total = np.bincount(where, weights=value[good], minlength=bins)
    middles = ((np.arange(bins) + 0.5) * length_s / bins).tolist()
    means = [float(t / n) if n else None for t, n in zip(total, number, strict=True)]
    return middles, means


def shown(value: float | None, unit: Unit) -> str:
    """A figure of a chart for reading: `12.3 ms`, `249.8`, `1.5 GiB`, `12.5 %`."""
    if value is None:
        return ABSENT
    if unit in {"bytes", "bytes_per_s"}:
        return _bytes(value) + ("/s" if unit == "bytes_per_s" else "")
    if unit == "per_s":
        return f"{rate(value)}/s"
    if unit == "cores":
        return f"{value:.3g}"
    show = {"ms": milliseconds, "s": seconds, "ratio": percent}
    return show.get(unit, _plain)(value)


def _plain(value: float | None) -> str:
    return count(value) if value is not None and float(value).is_integer() else rate(value)


def _bytes(value: float) -> str:
    size = abs(value)
    for name in ("B", "KiB", "MiB", "GiB"):
        if size < _KILO:
            return f"{value:.3g} {name}"
        value, size = value / _KILO, size / _KILO
    return f"{value:.3g} TiB"


def place(chart: Chart) -> Markup:
    """Where the picture of a chart goes: empty until the page's script draws it."""
    return Markup(
        '<div class="plot" data-chart="{name}" tabindex="0" role="group" hidden'
        ' aria-label="{title} over time; the same figures are in the table below"></div>'
    ).format(name=printable(chart.name), title=printable(chart.title, 200))


def figure(chart: Chart) -> Markup:
    """The place of a chart in a page: heading, the picture's place, and all its figures as a table behind a click.

    Without scripts the table is what there is.
    """
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(printable(line.label, 80)) for line in chart.lines)
    body = Markup("").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            seconds(at_s),
            Markup("").join(Markup("<td>{}</td>").format(shown(line.values[row], chart.unit)) for line in chart.lines),
        )
        for row, at_s in enumerate(chart.at_s)
    )
    return Markup(
        '<figure class="chart{small}"><figcaption><strong>{title}</strong> {note}</figcaption>{place}'
        "<details><summary>{title} as a table</summary>"
        '<div class="scroll" role="group" tabindex="0" aria-label="{title} as a table">'
        '<table class="figures"><thead><tr><th scope="col">at</th>{head}</tr></thead><tbody>{body}</tbody></table>'
        "</div></details></figure>"
    ).format(
        small=" small" if chart.small else "",
        title=printable(chart.title, 200),
        note=printable(chart.note, 400),
        place=place(chart),
        head=head,
        body=body,
    )


def as_json(chart: Chart) -> dict[str, Json]:
    """What the script needs to draw it; figures with four digits."""
    return {
        "name": chart.name,
        "unit": chart.unit,
        "at": [round(at_s, 3) for at_s in chart.at_s],
        "lines": [
            {
                "label": printable(line.label, 80),
                "dash": line.dash,
                "tone": line.tone,
                "values": [_short(value) for value in line.values],
            }
            for line in chart.lines
        ],
        "limit": _short(chart.limit),
        "gaps": [[round(start, 3), round(end, 3)] for start, end in chart.gaps],
        "small": chart.small,
        "heat": [value for cell in chart.heat for value in cell],
    }


def _short(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(f"{value:.4g}")
