"""The kill matrix as a table: one row for each kind, one column for each signal. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from resilience.drill.matrix import Cell

NOT_TRIED = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind.

    Attributes:
        tried: signal → (cells that passed, all its cells).
        slowest_s: the longest time until the target was clean; None if nothing was tried.
        reason: why it was not tried, or what was left where a cell failed; empty if neither.
    """

    kind: str
    tried: Mapping[str, tuple[int, int]]
    slowest_s: float | None
    reason: str = ""


def rows(cells: Iterable[Cell], missing: Mapping[str, str]) -> tuple[Row, ...]:
    """The rows, by kind.

    Args:
        cells: what was tried.
        missing: kinds that cannot be tried here, with the reason.
    """
    by_kind: dict[str, list[Cell]] = {}
    for cell in cells:
        by_kind.setdefault(cell.kind, []).append(cell)
    found = [_row(kind, own) for kind, own in by_kind.items()]
    found += [Row(kind=kind, tried={}, slowest_s=None, reason=reason) for kind, reason in missing.items()]
    return tuple(sorted(found, key=lambda row: row.kind))


def _row(kind: str, cells: Sequence[Cell]) -> Row:
    signals = dict.fromkeys(cell.signal for cell in cells)
    tried = {
        name: (
            sum(cell.passed for cell in cells if cell.signal == name),
            sum(cell.signal == name for cell in cells),
        )
        for name in signals
    }
    failed = [cell for cell in cells if not cell.passed]
    said = [f"{cell.signal} at {cell.moment}: {'; '.join(cell.left)}" for cell in failed]
    times = [cell.clean_s for cell in cells if cell.clean_s is not None]
    return Row(kind=kind, tried=tried, slowest_s=max(times, default=None), reason=" | ".join(said))


def markdown(found: Sequence[Row], signals: Sequence[str]) -> str:
    """The table for a page: cells that passed of all, and the slowest time until the target was clean."""
    lines = [
        f"| kind | {' | '.join(signals)} | slowest |",
        f"|---|{'---|' * (len(signals) + 1)}",
    ]
    for row in found:
        counts = ["{} of {}".format(*row.tried[name]) if name in row.tried else NOT_TRIED for name in signals]
        slowest = NOT_TRIED if row.slowest_s is None else f"{row.slowest_s:.2f} s"
        lines.append(f"| `{row.kind}` | {' | '.join(counts)} | {slowest} |")
    told = [f"- `{row.kind}`: {row.reason}" for row in found if row.reason]
    return "\n".join([*lines, *(["", *told] if told else []), ""])
