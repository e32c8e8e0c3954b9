"""A runner to be killed: holds faults under leases with a real reaper, and dies at a step of its choice.

`python -m tests.faults.runner STATE PLACE KINDS STEP [DURATION_S]`, where PLACE is a stack's state file, KINDS are held
one inside the other, and STEP is where SIGKILL comes: the name of an event, `inject`, `injected`, `reverted` or
`never`.
Says on standard output, a line each: `reaper PID`, every event, and in the end what the lease raised.
"""

import json
import os
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from resilience import codec
from resilience.errors import ResilienceError
from resilience.faults import registry
from resilience.model import Event, EventKind, FaultSpec, Json, Place, Undo
from resilience.ports import Fault
from resilience.runtime.clock import MonotonicClock
from resilience.runtime.debts import DebtBook
from resilience.runtime.guard import Guard
from resilience.runtime.lease import Limits, lease
from tests.faults.parts import SETTINGS


def say(line: str) -> None:
    """To the test, at once."""
    print(line, flush=True)  # noqa: T201 - this is how the test follows


def die() -> None:
    """As if the machine had shot us."""
    os.kill(os.getpid(), signal.SIGKILL)


class Sink:
    """Says every event, and dies at one of them."""

    def __init__(self, step: str) -> None:
        self.step = step

    def emit(self, kind: EventKind, name: str = "", /, **detail: Json) -> Event:
        """Say it; die if this is the one."""
        say(f"{kind.value} {name} {json.dumps(detail)}")
        if kind.value == self.step:
            die()
        return Event(0.0, kind, name, detail)


class Doomed:
    """A fault that dies around its steps."""

    def __init__(self, inner: Fault, step: str) -> None:
        self.inner, self.step, self.kind = inner, step, inner.kind
        self.clear_s = getattr(inner, "clear_s", 0.0)

    def prepare(self) -> Undo:
        """As is."""
        return self.inner.prepare()

    def inject(self, undo: Undo, /) -> None:
        """Die before or after."""
        if self.step == "inject":
            die()
        self.inner.inject(undo)
        if self.step == "injected":
            die()

    def revert(self, undo: Undo, /) -> None:
        """Die after."""
        self.inner.revert(undo)
        if self.step == "reverted":
            die()

    def active(self, undo: Undo, /) -> bool:
        """As is."""
        return self.inner.active(undo)


def main(state: str, place_file: str, kinds: str, step: str, duration_s: str = "30") -> None:
    """Hold the faults."""
    place = codec.decode(Place, json.loads(Path(place_file).read_text())["places"]["redis"])
    clock = MonotonicClock()
    limits = Limits(confirm_s=2.0 if float(duration_s) > 1 else 0.5, grace_s=0.2)
    try:
        with DebtBook.create(Path(state), "abcdef01") as book, Guard.start(book, on_death=clock.cancel) as guard:
            say(f"reaper {guard.identity.pid if guard.identity else 0}")
            with ExitStack() as held:
                for number, kind in enumerate(kinds.split(",")):
                    spec = FaultSpec(
                        name=f"fault-{number}",
                        kind=kind,
                        on="redis",
                        duration_s=float(duration_s),
                        settings=SETTINGS[kind],
                    )
                    last = number == kinds.count(",")
                    fault = Doomed(registry.build(spec, place), step if last else "never")
                    sink = Sink(step if last else "never")
                    held.enter_context(lease(fault, spec, book=book, sink=sink, clock=clock, limits=limits))
                say("holding")
                if step in {"fault-reverting", "reverted", "fault-clear"}:
                    time.sleep(0.05)
                else:
                    clock.sleep_until(clock.now_s() + float(duration_s))
    except ResilienceError as error:
        say(f"{type(error).__name__}: {error}")
    say("over")


if __name__ == "__main__":
    main(*sys.argv[1:])
