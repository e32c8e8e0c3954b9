"""The seam between the engine and a protocol: a `Kind` makes operations ready, and `Caller`s to carry them out.

A kind is made once for each load process. Each slot of the engine has at most one caller of each kind, made when it is
first needed and used by one greenlet at a time. A caller does exactly one thing per call and hides nothing: no retry,
no redirect, an explicit time limit that covers the whole call. `load.kinds` says which kinds there are.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable

from resilience.load.classify import Happened, Timed
from resilience.model import Expect, Operation

Job = TypeVar("Job")
Values: TypeAlias = Mapping[str, str]
"""What the names in an operation stand for."""


class Caller(Protocol):
    """Whatever one slot holds to carry out operations of one kind: mostly a connection."""

    def call(self, request: Any, timeout_s: float) -> Happened | Timed:  # noqa: ANN401 - what its kind made
        """Carry out one request, once, and return what happened. Raises nothing that the target can cause."""

    def close(self) -> None:
        """Give back what it holds. Idempotent."""


@runtime_checkable
class Follower(Protocol):
    """A caller whose operations go on after something certain: at the end of a run that must not be forgotten."""

    def so_far(self, reason: str) -> Timed | None:
        """What is known of an operation that is ended for that reason; None if nothing is."""


@runtime_checkable
class Accountable(Protocol):
    """A kind that counts something of its own."""

    def account(self) -> Mapping[str, Mapping[str, int]]:
        """Under a name of its own, counts that can be added up."""


@runtime_checkable
class PromptCaller(Caller, Protocol):
    """One that can also carry out a request without a greenlet that waits for it."""

    def prompt(self) -> bool:
        """Whether `begin` may be called now."""

    def begin(
        self,
        request: Any,  # noqa: ANN401 - as `call`
        timeout_s: float,
        job: Job,
        done: Callable[[Job, Happened], object],
    ) -> None:
        """Begin a request, once; `done` is called with the job and what happened, in the loop, and must not wait."""


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
