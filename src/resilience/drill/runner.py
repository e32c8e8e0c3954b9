"""A runner to be struck: holds one fault under a lease, with a real reaper, and dwells at one moment of it.

`python -m resilience.drill.runner ORDERS`, where ORDERS is JSON: `state` (folder of debts), `stack` (state file of the
stack), `faults` (a list of name, kind, on, settings; held one inside the other), `moment` (where to dwell, in the last
of them), `duration_s`, `dwell_s`. It says on standard output, a line each: `reaper PID`, every event, `at MOMENT`,
`holding`, in the end what the lease raised, and `over`.
"""

import gc
import json
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

from resilience import codec
from resilience.errors import ResilienceError
from resilience.faults import registry
from resilience.model import Event, EventKind, FaultSpec, Json, Place, Undo
from resilience.ports import Fault
from resilience.runtime.clock import MonotonicClock
from resilience.runtime.debts import DebtBook
from resilience.runtime.guard import Guard
from resilience.runtime.lease import Limits, lease
from resilience.runtime.signals import interruptible

MOMENTS = ("prepared", "requested", "inject", "injected", "confirmed", "holding", "reverting", "reverted", "clear")
"""In the order in which they come. Before `requested` the debt is not written, from then on it is."""

_EVENTS = {
    EventKind.REQUESTED: "requested",
    EventKind.CONFIRMED: "confirmed",
    EventKind.REVERTING: "reverting",
    EventKind.CLEAR: "clear",
}


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Dwelling:
    """Stays at one moment for a while, so that a signal meets the runner there."""

    def __init__(self, moment: str, dwell_s: float) -> None:
        self._moment, self._dwell_s = moment, dwell_s

    def at(self, moment: str) -> None:
        """Say it and stay, if it is the one."""
        if moment == self._moment:
            _say(f"at {moment}")
            time.sleep(self._dwell_s)


class Sink:
    """Says every event, and dwells at one of them."""

    def __init__(self, dwelling: Dwelling) -> None:
        self._dwelling = dwelling

    def emit(self, kind: EventKind, name: str = "", /, **detail: Json) -> Event:
        """Say it; stay if this is the one."""
        _say(f"{kind.value} {name} {json.dumps(detail)}")
        self._dwelling.at(_EVENTS.get(kind, ""))
        return Event(0.0, kind, name, detail)


class Watched:
    """A fault that dwells around its steps."""

    kind: ClassVar[str] = "drill.watched"

    def __init__(self, inner: Fault, dwelling: Dwelling) -> None:
        self._inner, self._dwelling = inner, dwelling
        self.clear_s = getattr(inner, "clear_s", 0.0)

    @property
    def proof(self) -> str:
        """As is."""
        return str(getattr(self._inner, "proof", ""))

    def prepare(self) -> Undo:
        """Stay after."""
        undo = self._inner.prepare()
        self._dwelling.at("prepared")
        return undo

    def inject(self, undo: Undo, /) -> None:
        """Stay before or after."""
        self._dwelling.at("inject")
        self._inner.inject(undo)
        self._dwelling.at("injected")

    def revert(self, undo: Undo, /) -> None:
        """Stay after."""
        self._inner.revert(undo)
        self._dwelling.at("reverted")

    def active(self, undo: Undo, /) -> bool:
        """As is."""
        return self._inner.active(undo)


def hold(orders: Mapping[str, Any]) -> None:
    """Hold the faults that were ordered, as a run would."""
    places = json.loads(Path(orders["stack"]).read_bytes())["places"]
    clock = MonotonicClock()
    limits = Limits(grace_s=0.2) if orders["duration_s"] > 1 else Limits(confirm_s=1.0, grace_s=0.2)
    never, here = Dwelling("", 0.0), Dwelling(orders["moment"], orders["dwell_s"])
    with (
        interruptible(),
        DebtBook.create(Path(orders["state"]), "abcdef01") as book,
        Guard.start(book, on_death=clock.cancel) as guard,
        ExitStack() as held,
    ):
        _say(f"reaper {guard.identity.pid if guard.identity else 0}")
        for number, order in enumerate(orders["faults"]):
            dwelling = here if number == len(orders["faults"]) - 1 else never
            spec = FaultSpec(duration_s=orders["duration_s"], **order)
            inner = registry.build(spec, codec.decode(Place, places[spec.on]))
            if not isinstance(inner, Fault):
                raise ResilienceError(f"{spec.kind} is not held")
            fault = Watched(inner, dwelling)
            held.enter_context(lease(fault, spec, book=book, sink=Sink(dwelling), clock=clock, limits=limits))
        _say("holding")
        here.at("holding")
        brief = orders["moment"] in {"reverting", "reverted", "clear"}
        clock.sleep_until(clock.now_s() + (0.05 if brief else orders["duration_s"]))


def main(words: list[str]) -> None:
    """Hold, and say how it ended."""
    gc.freeze()  # what was imported need not be searched for garbage when this ends, which takes half a second
    try:
        hold(json.loads(words[0]))
    except (ResilienceError, KeyboardInterrupt) as error:
        _say(f"{type(error).__name__}: {error}")
    _say("over")


if __name__ == "__main__":
    main(sys.argv[1:])
