"""What can be known of each operation before the run: how it is made ready, and what is the same every time."""

from collections.abc import Sequence
from typing import Any

from resilience.load.calls import Kind, Ready
from resilience.load.classify import Finding
from resilience.load.kinds import Kinds
from resilience.load.operations import Prepared
from resilience.model import LoadOrder, Role


class Plan:
    """One operation, on one way to the target.

    Attributes:
        number: its place in the load.
        kind: makes its callers.
        constant: what is sent every time, if nothing in it varies.
        reads_back: whether it asks for an entry that was acknowledged.
        by_status: whether nothing but its status says what an answer means, unless the answer puts off.
        verdicts: then, what each status means, and the number of that outcome; filled as they come.
    """

    __slots__ = ("by_status", "constant", "kind", "number", "operation", "reads_back", "ready", "timeout_s", "verdicts")

    def __init__(self, number: int, kind: Kind, ready: Ready) -> None:
        operation = ready.operation
        plain, degraded = operation.role is Role.READ, operation.degraded
        self.number, self.kind, self.ready, self.operation = number, kind, ready, operation
        self.timeout_s = operation.timeout_s
        self.reads_back = operation.role is Role.READ_BACK
        self.constant: Any = ready.request({}) if plain and isinstance(ready, Prepared) and ready.constant else None
        self.by_status = plain and not (operation.expect.json or degraded.json or degraded.header)
        self.verdicts: dict[int, tuple[Finding, int]] = {}


def plans_of(order: LoadOrder, kinds: Kinds, segments: Sequence[str]) -> list[Plan]:
    """All operations of an order.

    Raises:
        LoadError: some cannot be sent; every reason.
    """
    plans = []
    for number, operation in enumerate(order.load.operations):
        kind = kinds.of(operation)
        plans.append(Plan(number, kind, kind.prepare(operation, segments)))
    return plans
