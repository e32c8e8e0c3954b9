"""How a search stands in a record: marks on its time line, from which it is judged again."""

from collections.abc import Sequence
from dataclasses import dataclass

from resilience.judge.search.machine import Purpose, Seen, Try
from resilience.model import Event, EventKind

STEP, REST, END = "search.step", "search.rest", "search.end"
"""Names of marks: a step, a rest between two searches, the end of one."""
LEVEL = "capacity.level"
"""A level of a capacity run."""
HEALTHY = "healthy"
"""The condition in which nothing is broken."""
PURPOSE = "purpose"
"""In a record's header: `search` or `capacity`; a record without it is of an ordinary run."""


@dataclass(frozen=True, slots=True)
class Told:
    """A step as it was made: when it was measured, and what it seemed to show then."""

    condition: str
    wanted: Try
    start_s: float
    end_s: float
    seen: Seen


def purpose_of(events: Sequence[Event]) -> str:
    """What a record is of: `search`, `capacity`, or empty."""
    headers = [event for event in events if event.kind is EventKind.HEADER]
    return str(headers[0].detail.get(PURPOSE, "")) if headers else ""


def steps_of(events: Sequence[Event]) -> dict[str, list[Told]]:
    """The steps of each condition, in order.

    Raises:
        ValueError, KeyError, TypeError: a mark is not as it is written.
    """
    found: dict[str, list[Told]] = {}
    for event in events:
        if event.kind is EventKind.MARK and event.name == STEP:
            told = event.detail
            wanted = Try(_number(told["level"]), Purpose(str(told["purpose"])), bool(told["long"]))
            condition = str(told["condition"])
            step = Told(condition, wanted, _number(told["start_s"]), _number(told["end_s"]), Seen(str(told["seen"])))
            found.setdefault(condition, []).append(step)
    return found


def ends_of(events: Sequence[Event]) -> dict[str, str]:
    """The conditions whose search was ended, with why; empty if because it was over."""
    marks = [event for event in events if event.kind is EventKind.MARK and event.name == END]
    return {str(event.detail.get("condition")): str(event.detail.get("why", "")) for event in marks}


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)
