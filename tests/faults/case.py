"""How a kind of fault is tried by the tests that all kinds share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from resilience.model import Json


@dataclass(frozen=True, kw_only=True)
class Case:
    """One kind, with settings under which its effect can be seen.

    Attributes:
        on: the part of the stack.
        settings: of the kind.
        missing: why this machine cannot do it (the tests are skipped with that reason); empty if it can.
    """

    on: str = "redis"
    settings: Mapping[str, Json] = field(default_factory=dict)
    missing: Callable[[], str] = lambda: ""
