"""Every protocol, on one page. Implementations live in the layers; `ctk.wiring` chooses them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from resilience.model import (
    Event,
    EventKind,
    Experiment,
    Json,
    LoadOrder,
    Part,
    Place,
    Slice,
    Undo,
    Verdict,
)

if TYPE_CHECKING:
    from resilience.columns import Record


@runtime_checkable
class Fault(Protocol):
    """Something that is held for a while and given back. Selecting, timing and recording are the framework's."""

    kind: ClassVar[str]

    def prepare(self) -> Undo:
        """Read the target, change nothing; return what must be put back.

        Raises:
            FaultError: the fault cannot be injected here, and why.
        """

    def inject(self, undo: Undo, /) -> None:
        """Change the target. The debt is on disk by now."""

    def revert(self, undo: Undo, /) -> None:
        """Put it back. Idempotent; harmless if inject never ran; works from another process; at most a second."""

    def active(self, undo: Undo, /) -> bool:
        """Look at the target (never remember): whether the effect is there."""


@runtime_checkable
class Strike(Protocol):
    """Something that is done once and not given back: data removed, connections cut, a process ended."""

    kind: ClassVar[str]

    def prepare(self) -> None:
        """Read the target, change nothing.

        Raises:
            FaultError: it cannot be done here, and why.
        """

    def strike(self) -> str:
        """Do it; return what was measured, before and after, in one sentence.

        Raises:
            FaultError: it could not be done, or it had no effect.
        """


class Clock(Protocol):
    """Time since the run began."""

    def now_s(self) -> float:
        """Seconds since the run began."""

    def sleep_until(self, at_s: float) -> None:
        """Return at that time, or at once if it has passed. May raise `Interrupted`."""


class EventSink(Protocol):
    """Whoever wants to know what happens: the record first, then live views."""

    def emit(self, kind: EventKind, name: str = "", /, **detail: Json) -> Event:
        """Write the event down with the time of now, and return it."""


class Display(Protocol):
    """A live view, read only. Never raises into the run; never blocks it for longer than a few milliseconds."""

    def on_event(self, event: Event) -> None:
        """Something happened."""

    def on_slice(self, piece: Slice) -> None:
        """The generator reports another short stretch of load."""

    def close(self, verdict: Verdict | None) -> None:
        """The run is over."""


class LoadHandle(Protocol):
    """Load that is being generated."""

    def slices(self) -> Iterator[Slice]:
        """The slices that came since the last call; does not block."""

    def alive(self) -> bool:
        """Whether the generator still runs."""

    def stop(self, timeout_s: float) -> Mapping[str, Json]:
        """Stop new arrivals, wait for what is in flight, seal samples and ledger; return the generator's account.

        The account has at least `offered`, `ok`, `failed`, `unknown`, `dropped`, per operation and in all.

        Raises:
            LoadError: the generator died, hung, or its account does not close.
        """

    def abort(self) -> None:
        """End the generator now, without an account: for a run that is given up. Idempotent."""


@runtime_checkable
class SteeredLoad(Protocol):
    """Load whose level is told while it goes on: a `LoadHandle` of an order that says `steered`."""

    def steer(self, at_ns: int, level: float) -> None:
        """From that instant on (nanoseconds since the run's zero) so many arrivals per second, or users."""


class Driver(Protocol):
    """A program that sends load. Starting one takes seconds, so it can be launched while something else is prepared."""

    def launch(self) -> None:
        """Start the program and do not wait for it. Idempotent."""

    def prepare(self) -> None:
        """Return when the program waits for its order: then its first arrival can be about a second away."""

    def start(self, order: LoadOrder) -> LoadHandle:
        """Give the order, and return once the program waits for its first arrival.

        Raises:
            LoadError: the order is wrong, or the program was not ready before the run's zero.
        """

    def close(self) -> None:
        """End the program at once, whatever it is doing. Idempotent."""


class Stack(Protocol):
    """What runs the target and what it depends on.

    Attributes:
        found: server program → its version and where it came from, as far as known once it was started.
    """

    name: ClassVar[str]
    found: Mapping[str, str]

    def start(self) -> None:
        """Start everything and return when it is healthy. Nothing is left if it cannot.

        Raises:
            EnvironmentNotReady: with every problem found.
        """

    def places(self) -> Mapping[str, Place]:
        """The parts of the running stack by name."""

    def secrets(self) -> tuple[str, ...]:
        """Values that must appear in no artefact: the running stack's passwords."""

    def stop(self) -> None:
        """End everything this stack started and remove its folder. Idempotent."""


class TruthReader(Protocol):
    """Reads what the primary store holds, not through the service and not through a cache."""

    def read(self, prefix: str) -> Iterable[tuple[str, str, int]]:
        """All (id, body, position) whose id starts with the prefix."""


Checker = Callable[["Record"], Part]
"""A judgement: pure; raises nothing that `judge.verdict` would not turn into unknown."""

Renderer = Callable[["Record", Verdict], bytes]
"""A report in one format."""

Holder = Callable[[Fault, str], AbstractContextManager[Undo]]
"""A lease: fault and its name → a context in which it is active."""

Parser = Callable[[bytes, str, str], Experiment]
"""Content, file name, folder → experiment, or SpecError with every problem."""
