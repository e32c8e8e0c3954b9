"""How figures are set in tables, the same on every page."""

from collections.abc import Iterator, Sequence

from resilience.report.document import Row, number, rows, table, words
from resilience.report.markdown import escape
from resilience.report.performance.inputs import Taken
from resilience.text import ABSENT, count, milliseconds, percent, printable, rate, seconds

HEADS = ("phase", "length", "operation", "ok per s", "not ok", "p50", "p95", "p99", "longest", "at once")
ALWAYS = ("process.cpu", "process.memory", "redis.hit_ratio", "postgres.cache.hit_ratio", "postgres.index.use")
"""Shown whether near a limit or not: what a target used, and how well what spares it work did."""
_BYTES = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))


def missing(why: str) -> str:
    """What is said in the place of something that is not there; Markdown."""
    return f"**Missing:** {why}."


def code(text: str) -> str:
    """A text from anywhere as it is, in one line."""
    shown = printable(text).replace("`", "'").replace("|", "\\|")
    return f"`{shown or ABSENT}`"


def grid(heads: Sequence[str], told: Sequence[Sequence[str]]) -> list[str]:
    """A table; cells are Markdown already."""
    return [
        f"| {' | '.join(heads)} |",
        f"|{'---|' * len(heads)}",
        *(f"| {' | '.join(row)} |" for row in told),
    ]


def length_of(phase: Row) -> float | None:
    """How long a phase was, in seconds."""
    start, end = number(phase, "start_s"), number(phase, "end_s")
    return None if start is None or end is None else end - start


def ok_per_s(phase: Row, operation: str = "all") -> float | None:
    """Operations that were ok, per second of the phase."""
    good, length = number(table(table(phase, "operations"), operation), "ok"), length_of(phase)
    return good / length if good is not None and length else None


def loaded(run: Taken) -> Row:
    """The phase in which most was asked for per second; empty if there is none."""
    return max(run.phases, key=lambda one: _asked(one) / max(length_of(one) or 0.0, 1.0), default={})


def _asked(phase: Row) -> float:
    told = table(table(phase, "operations"), "all")
    return (number(told, "count") or 0.0) + (number(told, "dropped") or 0.0)


def label(phase: Row) -> str:
    """Its name, with the fault."""
    fault = words(phase, "fault")
    return f"{words(phase, 'name')}({fault})" if fault else words(phase, "name")


def figures(run: Taken) -> list[list[str]]:
    """Every phase with all operations, and the loaded one with each."""
    most = loaded(run)
    return [row for phase in run.phases for row in _of_phase(phase, each=phase is most)]


def _of_phase(phase: Row, *, each: bool) -> Iterator[list[str]]:
    operations = table(phase, "operations")
    for name in operations:
        if name == "all" or (each and len(operations) > 2):  # noqa: PLR2004 - one operation is all of them
            told = table(operations, name)
            yield [
                escape(label(phase)),
                seconds(length_of(phase)),
                escape(name),
                rate(ok_per_s(phase, name)),
                percent(number(told, "error_rate")),
                *(milliseconds(number(told, key)) for key in ("p50_ms", "p95_ms", "p99_ms", "max_ms")),
                rate(number(told, "in_flight_mean")),
            ]


def quantity(value: float | None, unit: str) -> str:
    """A reading in its unit."""
    if value is None:
        return ABSENT
    if unit in {"bytes", "bytes_per_s"}:
        name, size = next(((name, size) for name, size in _BYTES if abs(value) >= size), ("B", 1))
        return f"{value / size:.3g} {name}{'/s' if unit == 'bytes_per_s' else ''}"
    if unit == "ratio":
        return percent(value)
    if unit == "seconds":
        return seconds(value)
    if unit == "count":
        return count(value) if abs(value) >= 100 or value == int(value) else f"{value:.1f}"  # noqa: PLR2004 - digits
    return f"{value:.3g} {'per s' if unit == 'per_s' else unit}"


def heading(run: Taken) -> str:
    """Which run it is, how it went, and what was measured."""
    lacks = "" if words(run.document, "answer") == "pass" else " These are the figures of a run that did not pass."
    variant = f" The target was not as it is: {escape(run.variant)}." if run.variant else ""
    told = f" The service was started with {settings(run)}." if run.settings else ""
    seed, lasted = escape(words(run.document, "seed")), seconds(number(run.document, "duration_s"))
    return (
        f"Run {code(run.run)} of {run.at or 'a time that is not known'} UTC, seed {seed}, {lasted} in all: "
        f"**{escape(words(run.document, 'answer'))}**, {escape(words(run.document, 'because'))}.{lacks}{variant}{told}"
    )


def settings(run: Taken) -> str:
    """What the service was started with, as the file says."""
    return ", ".join(code(f"{name}={words(run.settings, name)}") for name in run.settings)


def bottleneck(run: Taken) -> str:
    """What the verdict says of what was at its limit; empty if it says nothing."""
    return words(table(run.document, "bottlenecks"), "because")


def recommended(run: Taken) -> list[str]:
    """What the verdict recommends, of the first candidate of each window."""
    ranked = [rows(window, "ranked") for window in rows(table(run.document, "bottlenecks"), "windows")]
    return list(dict.fromkeys(words(found[0], "recommendation") for found in ranked if found))
