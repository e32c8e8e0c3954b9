"""Charts as pictures for paper, drawn by Matplotlib: the same values, phases, faults and marks as in the page.

Needs the extra `pdf`; whoever imports this has looked for it (`paper.render`).
"""

import io
import math
import warnings
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator

from resilience.report.axis import Axis
from resilience.report.charts import Chart, shown
from resilience.report.series import PER_DECADE
from resilience.text import printable

_INK, _SOFT, _GRID, _FAULT, _LIMIT = "#1a2129", "#55606d", "#e4e8ec", "#b02a24", "#a8201a"
_TONES: Final = {
    "p50": "#1a2129", "p95": "#7b3fa0", "p99": "#b1541a", "offered": "#55606d", "ok": "#146c37",
    "degraded": "#9a6500", "failed": "#a8201a", "unsure": "#7b3fa0", "dropped": "#1a2129",
}  # fmt: skip
"""The light colours of `report.css`."""

_DASHES: Final[dict[str, Any]] = {"solid": "solid", "dashed": (0, (5, 2.5)), "dotted": (0, (1.2, 1.8))}
_STYLE: Final[dict[Any, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 7.5,
    "text.color": _INK,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _SOFT,
    "xtick.color": _SOFT,
    "ytick.color": _SOFT,
    "hatch.linewidth": 0.4,
    "axes.linewidth": 0.6,
    "text.parse_math": False,  # a name with two dollar signs is a name
}
_DPI = 220
_WIDE, _HIGH, _SMALL = (0.075, 0.2, 0.92, 0.64), (0.075, 0.155, 0.92, 0.72), (0.175, 0.35, 0.82, 0.54)
"""Where the axes are in a picture, as shares: left, bottom, width, height. The same in all, so that time lines up."""

_LETTER = 0.0085
"""Share of the axis that a letter of a phase's name takes."""


def draw(chart: Chart, axis: Axis) -> bytes:
    """One chart as PNG, as wide as a page, or half as wide if it is small. The same chart gives the same bytes."""
    size = (3.5, 1.7) if chart.small else (7.2, 2.5 if chart.heat else 1.9)
    with mpl.rc_context(_STYLE):
        picture = Figure(figsize=size)
        axes = picture.add_axes(_SMALL if chart.small else _HIGH if chart.heat else _WIDE)
        _bands(axes, axis, names=not chart.small)
        if chart.heat:
            _heat(axes, chart)
        for start_s, end_s in chart.gaps:
            axes.axvspan(start_s, end_s, facecolor="none", edgecolor=_SOFT, hatch="\\\\\\", linewidth=0)
        for line in chart.lines:
            values = np.array([np.nan if value is None else value for value in line.values], float)
            axes.plot(
                chart.at_s, values, label=printable(line.label, 16 if chart.small else 40),
                color=_TONES.get(line.tone, _INK), linestyle=_DASHES[line.dash], linewidth=1.0,
            )  # fmt: skip
        _scale(axes, chart, axis)
        file = io.BytesIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # then there is a box, and the name stands in tables
            picture.savefig(file, format="png", dpi=_DPI, metadata={"Software": None})
    return file.getvalue()


def _bands(axes: Axes, axis: Axis, *, names: bool) -> None:
    """Fault phases shaded and hatched, names where they fit, letters for the instants of recovery."""
    for band in axis.bands:
        start, end = band.start or 0.0, axis.length_s if band.end is None else band.end
        if band.fault:
            axes.axvspan(start, end, facecolor=_FAULT, alpha=0.10, linewidth=0)
            axes.axvspan(
                start, end, facecolor="none", edgecolor=(*mpl.colors.to_rgb(_FAULT), 0.35), hatch="////", linewidth=0
            )
        else:
            axes.axvline(end, color=_GRID, linewidth=0.8)
        fits = (end - start) / axis.length_s > _LETTER * len(band.label)
        text = band.label if fits else band.short
        if names and text:
            axes.annotate(
                text, ((start + end) / 2, 1), (0, 12), textcoords="offset points", ha="center", va="bottom",
                xycoords=("data", "axes fraction"), color=_FAULT if band.fault else _SOFT, fontsize=7,
                annotation_clip=False,
            )  # fmt: skip
    before = -np.inf
    for mark in axis.marks if names else ():
        raised = mark.at - before < 0.02 * axis.length_s
        before = mark.at
        axes.axvline(mark.at, color=_INK, linewidth=0.6, linestyle=(0, (2, 2)))
        axes.annotate(
            mark.letter, (mark.at, 1), (0, 7 if raised else 1), textcoords="offset points",
            xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=5.5, color="white",
            bbox={"boxstyle": "square,pad=0.15", "facecolor": _INK, "linewidth": 0}, annotation_clip=False,
        )  # fmt: skip


def _heat(axes: Axes, chart: Chart) -> None:
    """The heat map: one cell per bin and row of response time, the darker the more operations."""
    cells = np.array(chart.heat, np.int64)
    low, high = int(cells[:, 1].min()), int(cells[:, 1].max()) + 1
    grid = np.full((high - low, len(chart.at_s)), np.nan)
    grid[cells[:, 1] - low, cells[:, 0]] = np.log1p(cells[:, 2])
    at_s = np.array(chart.at_s)
    width = float(at_s[1] - at_s[0]) if len(at_s) > 1 else 2 * float(at_s[0])
    edges = at_s[0] - width / 2 + width * np.arange(len(at_s) + 1)
    rows = 10.0 ** (np.arange(low, high + 1) / PER_DECADE)
    axes.pcolormesh(edges, rows, grid, cmap="Blues", vmin=-0.2 * np.nanmax(grid), vmax=1.7 * np.nanmax(grid))
    axes.set_yscale("log")


def _scale(axes: Axes, chart: Chart, axis: Axis) -> None:
    axes.set_xlim(0, axis.length_s)
    if not chart.heat:
        known = [value for line in chart.lines for value in line.values if value is not None]
        top = max([*known, 0.0]) or 1.0
        limit = chart.limit
        if limit is not None and limit <= 4 * top:
            axes.axhline(limit, color=_LIMIT, linewidth=0.9, linestyle=(0, (6, 2)))
            top = max(top, limit)
        if limit is not None:
            axes.set_title(f"limit {shown(limit, chart.unit)}", loc="right", fontsize=6.5, color=_LIMIT, pad=2)
        axes.set_ylim(min([*known, 0.0]), 1.08 * top)
        if chart.unit.startswith("bytes"):
            axes.yaxis.set_major_locator(MultipleLocator(2.0 ** math.ceil(math.log2(top / 4))))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} s"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: shown(value, chart.unit)))
    axes.grid(visible=True, color=_GRID, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(length=2, width=0.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(
        loc="upper left", bbox_to_anchor=(0, -0.1 if chart.heat else -0.27 if chart.small else -0.15),
        ncols=3 if chart.small else 4, frameon=False, fontsize=7, borderaxespad=0, handlelength=2.4,
    )  # fmt: skip
