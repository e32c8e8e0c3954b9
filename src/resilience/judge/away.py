"""When the target itself was away by our doing: nothing can be demanded of it then.

A fault on the service, or on the balancer before its copies, takes it away; a fault on one of several copies does not,
only faults on all of them at the same time.
"""

from collections.abc import Sequence
from itertools import pairwise

from resilience.judge.case import Case
from resilience.judge.phases import FaultWindow

SERVICE = "service"
BALANCER = "balancer"

LEAST_S = 1.0
"""A shorter piece of time before or after the service was away is left out with it: it says nothing by itself."""

Span = tuple[float, float]
"""From when to when, seconds since the run began."""


def away(case: Case) -> tuple[Span, ...]:
    """When the service was away, in order of time."""
    held = {
        on: [
            (window.requested_s or 0.0, window.until_s if window.over_s is None else window.over_s)
            for window in windows
        ]
        for on, windows in _by_part(case).items()
    }
    spans = [*held.get(SERVICE, ()), *held.get(BALANCER, ())]
    service = case.record.experiment.stack.service
    copies = (
        [f"{SERVICE}-{number}" for number in range(1, service.copies + 1)] if service and service.copies > 1 else []
    )
    if copies and all(copy in held for copy in copies):
        spans += _common([held[copy] for copy in copies])
    return tuple(sorted(spans))


def outside(span: Span, gone: Sequence[Span], before_s: float) -> tuple[Span, ...]:
    """What is left of a span without some others, each of which also takes `before_s` of what came before it.

    A span that none of them touches is left whole. Otherwise only pieces of at least `LEAST_S` are left.
    """
    start_s, end_s = span
    touching = sorted((from_s, to_s) for from_s, to_s in gone if from_s < end_s and to_s > start_s)
    if not touching:
        return (span,)
    pieces, at_s = [], start_s
    for from_s, to_s in touching:
        pieces.append((at_s, from_s - before_s))
        at_s = max(at_s, to_s)
    pieces.append((at_s, end_s))
    return tuple((from_s, to_s) for from_s, to_s in pieces if to_s - from_s >= LEAST_S)


def _by_part(case: Case) -> dict[str, list[FaultWindow]]:
    found: dict[str, list[FaultWindow]] = {}
    for window in case.faults:
        if window.requested_s is not None:
            found.setdefault(window.on, []).append(window)
    return found


def _common(each: Sequence[Sequence[Span]]) -> list[Span]:
    """When one of the spans of every part holds."""
    instants = sorted({instant for spans in each for span in spans for instant in span})
    return [
        (from_s, to_s)
        for from_s, to_s in pairwise(instants)
        if all(any(a <= from_s and to_s <= b for a, b in spans) for spans in each)
    ]
