"""The seam between the engine and a protocol: a `Kind` makes operations ready, and `Caller`s to carry them out.

A kind is made once for each load process. Each slot of the engine has at most one caller of each kind, made when it is
first needed and used by one greenlet at a time. A caller does exactly one thing per call and hides nothing: no retry,
no redirect, an explicit time limit that covers the whole call. `load.kinds` says which kinds there are.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from resilience.load.classify import Happened
from resilience.model import Expect, Operation

Values: TypeAlias = Mapping[str, str]
"""What the names in an operation stand for."""


class Caller(Protocol):
    """Whatever one slot holds to carry out operations of one kind: mostly a connection."""

    def call(self, request: Any, timeout_s: float) -> Happened:  # noqa: ANN401 - what its kind made
        """Carry out one request, once, and return what happened. Raises nothing that the target can cause."""

    def close(self) -> None:
        """Give back what it holds. Idempotent."""


class Ready(Protocol):
    """An operation made ready to be rendered many times."""

    operation: Operation

    def request(self, values: Values) -> Any:  # noqa: ANN401 - what callers of its kind take
        """What is sent for one arrival."""

    def expect(self, values: Values) -> Expect:
        """What a good answer to it is."""


class Kind(Protocol):
    """A protocol."""

    def prepare(self, operation: Operation, segments: Sequence[str]) -> Ready:
        """Make an operation ready; `segments` are names that have a value besides those of its role.

        Raises:
            LoadError: it cannot be sent; every reason.
        """

    def caller(self) -> Caller:
        """A new caller. Nothing is sent yet."""
