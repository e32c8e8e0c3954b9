"""The time axis that all charts of a run share: its length, its phases, and the instants of recovery."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from resilience.report.document import Row, number, phase_label, rows, table
from resilience.report.material import Material
from resilience.text import printable

TOGETHER_S = 3.0
"""Anomalies that begin within that are marked once."""


@dataclass(frozen=True, slots=True)
class Band:
    """A phase.

    Attributes:
        label: what is written above it where there is room; `short` where there is little.
        fault: whether a fault is in place.
        start, end: seconds since the run's zero; None if it is not known.
    """

    label: str
    short: str
    fault: bool
    start: float | None
    end: float | None


@dataclass(frozen=True, slots=True)
class Mark:
    """An instant: D, service becomes degraded; T, the target notices; R, full service is back; !, an anomaly begins.

    Of anomalies, those that no fault of the run explains.
    """

    at: float
    letter: str


@dataclass(frozen=True, slots=True)
class Axis:
    """All of it."""

    length_s: float
    bands: tuple[Band, ...]
    marks: tuple[Mark, ...]


def find_axis(of: Material) -> Axis:
    """From what was judged, and as long as the samples or the last phase go."""
    phases = rows(of.document, "phases")
    ends = [number(phase, "end_s") or 0.0 for phase in phases]
    numbers = {fault.name: index for index, fault in enumerate(of.record.experiment.faults, start=1)}
    cycles = rows(table(of.document, "recovery"), "cycles")
    return Axis(
        length_s=max([float(of.series.lengths_s.sum()), *ends]),
        bands=tuple(_band(phase, numbers) for phase in phases),
        marks=(*(mark for cycle in cycles for mark in _marks(cycle)), *_anomalies(of.document)),
    )


def _band(phase: Row, numbers: Mapping[str, int]) -> Band:
    label = phase_label(phase)
    name, _, rest = label.partition("(")
    fault = rest.removesuffix(")")
    is_fault = name == "fault"
    short = f"F{numbers[fault]}" if is_fault and fault in numbers else ""
    return Band(
        label=printable(f"{short} {fault}".strip() if is_fault else name, 60),
        short=short,
        fault=is_fault,
        start=number(phase, "start_s"),
        end=number(phase, "end_s"),
    )


def _anomalies(document: Row) -> Iterator[Mark]:
    """A mark where anomalies begin that no fault explains; those that begin together are one."""
    last_s = float("-inf")
    for row in rows(document, "anomalies"):
        at_s = number(row, "start_s")
        if row.get("expected") is not True and at_s is not None and at_s - last_s > TOGETHER_S:
            last_s = at_s
            yield Mark(at_s, "!")


def _marks(cycle: Row) -> Iterator[Mark]:
    for key, letter in (("degraded_s", "D"), ("detected_s", "T"), ("recovered_s", "R")):
        at_s = number(cycle, key)
        if at_s is not None:
            yield Mark(at_s, letter)
