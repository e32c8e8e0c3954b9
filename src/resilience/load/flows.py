"""What meets where operations are carried out: flows and their slots, samples and reports of what ended."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

from resilience.load.calls import Caller, Follower, PromptCaller
from resilience.load.classify import Finding, Happened
from resilience.load.plans import Plan
from resilience.load.writes import Entry
from resilience.model import Operation

if TYPE_CHECKING:
    from resilience.load.operate import Operator


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
        said: tuple[str, str] = ...,
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
        prompt: those of them that need not wait.
    """

    __slots__ = ("callers", "number", "prompt")

    def __init__(self, number: int) -> None:
        self.number = number
        self.callers: dict[Plan, Caller] = {}
        self.prompt: dict[Plan, PromptCaller] = {}

    def close(self) -> None:
        """Close its connections."""
        for caller in set(self.callers.values()):
            caller.close()
        self.callers.clear()
        self.prompt.clear()


class Flow(Protocol):
    """What occupies a slot: held and run once, on one slot, or dropped. Its first operation is counted as offered."""

    def hold(self, slot: Slot) -> None:
        """It has this slot: from now on, its first operation is open there."""

    def run(self, slot: Slot) -> None:
        """Carry it out to its end, on the slot that it has."""

    def drop(self) -> None:
        """There is no slot for it: account for it."""


class Attempt:
    """An operation that was offered: a flow of one.

    Attributes:
        plan, number: of the operation.
        arrival_ns: intended start.
        start_ns: actual start; 0 before.
        acked: the entry that a read-back asks for.
        entry: of a write, once it is noted.
        slot: number of the one that it has; −1 before.
        holder, then: that slot, and what is called with it at the end, if it was begun without a greenlet.
        index: of the arrival that it belongs to.
        followed: who follows it beyond something certain.
        values: what the names in it stand for, once it is rendered; None if there are none in it.
        trace: the id of the trace that it was sent with; empty if it was sent without.
    """

    __slots__ = (
        "_operator",
        "acked",
        "arrival_ns",
        "entry",
        "followed",
        "holder",
        "index",
        "key",
        "number",
        "plan",
        "region",
        "slot",
        "start_ns",
        "tenant",
        "then",
        "trace",
        "values",
    )

    def __init__(
        self,
        operator: "Operator",
        plan: Plan,
        arrival_ns: int,
        key: int,
        acked: Entry | None,
        tenant: int,
        region: int,
        index: int,
    ) -> None:
        self._operator = operator
        self.plan = plan
        self.number = plan.number
        self.arrival_ns = arrival_ns
        self.start_ns = 0
        self.key = key
        self.acked = acked
        self.tenant = tenant
        self.region = region
        self.entry: Entry | None = None
        self.slot = -1
        self.holder: Slot | None = None
        self.then: Callable[[Slot], None] | None = None
        self.index = index
        self.trace = ""
        self.followed: Follower | None = None
        self.values: Mapping[str, str] | None = None

    def hold(self, slot: Slot) -> None:
        """It has this slot."""
        self.slot = slot.number
        self._operator.open[id(self)] = self

    def run(self, slot: Slot) -> None:
        """Carry it out."""
        self._operator.operate(self, slot)

    def drop(self) -> None:
        """There is no slot for it."""
        self._operator.drop(self)


class Ended(NamedTuple):
    """What became of an operation, and what its client saw."""

    finding: Finding
    happened: Happened
