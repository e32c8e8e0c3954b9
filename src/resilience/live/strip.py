"""The time line as rows of characters: latency above, phases beneath, on one axis. Pure; styles are names."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from resilience.live.state import Snapshot, Stretch
from resilience.model import PhaseName
from resilience.text import printable

Run = tuple[str, str]
"""Some characters and the name of their style."""

Line = list[Run]
"""One line of the picture."""


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What the time line is drawn with."""

    levels: str
    silent: str
    done: str
    done_fault: str
    planned: str
    planned_fault: str
    here: str


FINE = Glyphs(levels=" ▁▂▃▄▅▆▇█", silent="x", done="━", done_fault="▓", planned="─", planned_fault="░", here="▲")
PLAIN = Glyphs(levels=" .:|#", silent="x", done="=", done_fault="F", planned="-", planned_fault="f", here="^")


def axis(snapshot: Snapshot) -> float:
    """How many seconds the time line covers; never 0."""
    ends = [stretch.end_s for stretch in snapshot.stretches]
    return max([snapshot.now_s, 1.0, *ends])


def cells(p95s: Mapping[int, float | None], length_s: float, width: int) -> list[float | None]:
    """The highest p95 of the seconds behind each cell; infinity if a second had load and no answer; None if no load.

    A second fills the cells whose middle lies in it; where cells are longer than a second, the one its middle is in.
    """
    found: list[float | None] = [None] * width
    for second, value in p95s.items():
        first = math.ceil(second * width / length_s - 0.5)
        end = math.ceil((second + 1) * width / length_s - 0.5)
        if end <= first:
            first = math.floor((second + 0.5) * width / length_s)
            end = first + 1
        for cell in range(max(0, first), min(width, end)):
            known = found[cell]
            found[cell] = max(math.inf if value is None else value, -1.0 if known is None else known)
    return found


def latency(values: Sequence[float | None], height: int, glyphs: Glyphs) -> list[Line]:
    """Bars of p95 on a logarithmic scale, `height` rows from the top; a cell without answers is marked at its foot."""
    seen = [value for value in values if value is not None and 0 < value < math.inf]
    low, high = (min(seen), max(seen)) if seen else (1.0, 1.0)
    each = len(glyphs.levels) - 1
    spread = math.log(high / low)
    rows = []
    for row in range(height):
        beneath = (height - 1 - row) * each
        line: Line = []
        for value in values:
            if value is None:
                line.append((" ", ""))
            elif math.isinf(value):
                line.append((glyphs.silent, "bad") if beneath == 0 else (" ", ""))
            else:
                share = math.log(max(value, low) / low) / spread if spread else 0.0
                level = 1 + round(share * (height * each - 1)) - beneath
                line.append((glyphs.levels[max(0, min(each, level))], "latency"))
        rows.append(_joined(line))
    return rows


def phases(snapshot: Snapshot, length_s: float, width: int, glyphs: Glyphs) -> Line:
    """One row: done and planned, ordinary and fault phases, each with its own character."""
    line: Line = []
    for cell in range(width):
        at_s = (cell + 0.5) * length_s / width
        stretch = next((one for one in snapshot.stretches if one.start_s <= at_s < one.end_s), None)
        if stretch is None:
            line.append((" ", ""))
            continue
        done = stretch.begun and at_s <= snapshot.now_s
        if stretch.name is PhaseName.FAULT:
            line.append((glyphs.done_fault if done else glyphs.planned_fault, "fault"))
        else:
            line.append((glyphs.done if done else glyphs.planned, "done" if done else "planned"))
    return _joined(line)


def names(snapshot: Snapshot, length_s: float, width: int, numbers: Mapping[str, int]) -> Line:
    """One row: the name of each phase where it begins, cut to its width; a fault with its number (`F1 redis-down`)."""
    row: Line = []
    at = 0
    for index, stretch in enumerate(snapshot.stretches):
        first = _cell(stretch.start_s, length_s, width)
        room = _cell(stretch.end_s, length_s, width) - first - 1
        label = _label(stretch, numbers)[: max(0, room)]
        if first < at or not label.strip() or (room < _SHORTEST and len(label) < len(_label(stretch, numbers))):
            continue
        style = "now" if index == snapshot.current else "fault" if stretch.name is PhaseName.FAULT else "planned"
        row += [(" " * (first - at), ""), (label, style)]
        at = first + len(label)
    return row


def here(snapshot: Snapshot, length_s: float, width: int, glyphs: Glyphs) -> Line:
    """One row: where we are, and the time of it."""
    cell = min(width - 1, _cell(snapshot.now_s, length_s, width))
    return [(" " * cell + glyphs.here, "now")]


_SHORTEST = 2


def _cell(at_s: float, length_s: float, width: int) -> int:
    return max(0, min(width, round(at_s / length_s * width)))


def _label(stretch: Stretch, numbers: Mapping[str, int]) -> str:
    if stretch.name is not PhaseName.FAULT:
        return stretch.name.value
    number = numbers.get(stretch.fault)
    return f"F{number} {printable(stretch.fault)}" if number else printable(stretch.fault)


def _joined(line: Sequence[Run]) -> Line:
    """Neighbours of one style together."""
    return [("".join(text for text, _ in run), style) for style, run in groupby(line, key=lambda cell: cell[1])]
