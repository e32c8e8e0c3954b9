"""What meets where operations are carried out: flows and their slots, samples and reports of what ended."""

from typing import NamedTuple, Protocol

from resilience.load.calls import Caller
from resilience.load.classify import Finding, Happened
from resilience.model import Operation


class Samples(Protocol):
    """Where samples go: `record.samples.SampleWriter`."""

    def add(  # noqa: PLR0913, PLR0917 - one for each column, and called for every operation
        self,
        arrival_ns: int,
        start_ns: int,
        end_ns: int,
        operation: int,
        outcome: int,
        status: int = 0,
        degraded: bool = False,
        detail: str = "",
        shed: bool = False,
        tenant: int = -1,
        region: int = -1,
        timed: tuple[int, int, int, int] = ...,
    ) -> None:
        """Take one sample."""


class Report(Protocol):
    """Told of every operation that ended; `response_ns` and `service_ns` are None for a dropped one."""

    def __call__(
        self, operation: Operation, finding: Finding, response_ns: int | None, service_ns: int | None, length: int
    ) -> None:
        """An operation ended."""


class Slot:
    """A place for one flow at a time.

    Attributes:
        number: of its writer in the ledger, counted from 0 in this process.
        callers: by operation and way, its connections; operations of one kind share one on each way.
    """

    __slots__ = ("callers", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.callers: dict[int, Caller] = {}

    def close(self) -> None:
        """Close its connections."""
        for caller in set(self.callers.values()):
            caller.close()
        self.callers.clear()


class Flow(Protocol):
    """What occupies a slot: held and run once, on one slot, or dropped. Its first operation is counted as offered."""

    def hold(self, slot: Slot) -> None:
        """It has this slot: from now on, its first operation is open there."""

    def run(self, slot: Slot) -> None:
        """Carry it out to its end, on the slot that it has."""

    def drop(self) -> None:
        """There is no slot for it: account for it."""


class Ended(NamedTuple):
    """What became of an operation, and what its client saw."""

    finding: Finding
    happened: Happened
