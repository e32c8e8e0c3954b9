"""Ways to parts: of regions to the service, and whether anybody uses the one on which faults meet a part.

What nobody uses would be survived by anything.
"""

from collections.abc import Callable, Collection, Iterable, Mapping

from resilience.errors import EnvironmentNotReady
from resilience.model import EventKind, Place, Problem, Region
from resilience.ports import Clock, EventSink

LOOK_S = 1.0
"""For so long users of a part are looked for: a service without a pool is connected only now and then."""


def ways_of(regions: Iterable[Region], places: Mapping[str, Place]) -> dict[str, str]:
    """Where regions with a latency reach the service: region → address.

    Raises:
        EnvironmentNotReady: the stack has no ways of their own for them.
    """
    far = {one.name: f"service-{one.name}" for one in regions if one.latency_s is not None}
    hint = "leave out its latency, or use the embedded stack"
    missing = [
        Problem(f"load.regions, {name}", f"the stack has no way {way!r} to the service for it", hint)
        for name, way in far.items()
        if way not in places
    ]
    if missing:
        raise EnvironmentNotReady(missing)
    return {name: places[way].url for name, way in far.items()}


def expect_users(
    parts: Collection[str],
    places: Mapping[str, Place],
    users: Callable[[Place], int | None],
    *,
    clock: Clock,
    sink: EventSink,
) -> None:
    """Note how many connections go to each part where that can be told, and a problem where there is none.

    Raises:
        Interrupted: the clock was cancelled.
    """
    for name, count in _sought(parts, places, users, clock).items():
        if count is not None:
            text = f"{count} connections went to {name} at the end of the baseline"
            sink.emit(EventKind.MARK, "way", text=text, part=name, connections=count)
        if count == 0:
            why = "the service does not use it, so a fault there proves nothing"
            message = f"nothing is connected to {name} where its faults would meet it: {why}"
            sink.emit(EventKind.PROBLEM, "way", message=message)


def _sought(
    parts: Collection[str], places: Mapping[str, Place], users: Callable[[Place], int | None], clock: Clock
) -> dict[str, int | None]:
    """How many connections go to each part; None where it cannot be told, 0 only after looking for a while."""
    sought = {name: users(places[name]) for name in sorted(parts)}
    end_s = clock.now_s() + LOOK_S
    while 0 in sought.values() and clock.now_s() < end_s:
        clock.sleep_until(clock.now_s() + LOOK_S / 20)
        sought = {name: users(places[name]) if count == 0 else count for name, count in sought.items()}
    return sought
