"""Whether anybody uses the way on which faults meet a part: what nobody uses would be survived by anything."""

from collections.abc import Callable, Iterator, Mapping

from resilience.model import Place
from resilience.ports import Clock

LOOK_S = 1.0
"""For so long users of a part are looked for: a service without a pool is connected only now and then."""


def users_of(
    parts: Iterator[str], places: Mapping[str, Place], users: Callable[[Place], int | None], clock: Clock
) -> dict[str, int | None]:
    """How many connections go to each part; None where it cannot be told, 0 only after a second look.

    Raises:
        Interrupted: the clock was cancelled.
    """
    sought = {name: users(places[name]) for name in sorted(set(parts))}
    end_s = clock.now_s() + LOOK_S
    while 0 in sought.values() and clock.now_s() < end_s:
        clock.sleep_until(clock.now_s() + LOOK_S / 20)
        sought = {name: users(places[name]) if count == 0 else count for name, count in sought.items()}
    return sought
