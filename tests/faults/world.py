"""A whole embedded stack with the reference target, for the tests of faults that need more than Redis and a proxy."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from resilience.model import Place, Program, Service
from resilience.stack.embedded import EmbeddedStack
from resilience.stack.postgres import may_mount

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class World:
    """A running stack."""

    stack: EmbeddedStack

    def place(self, name: str) -> Place:
        """A part as the stack knows it now."""
        return self.stack.places()[name]


@contextmanager
def world(service: Service | None = None, programs: tuple[Program, ...] = ()) -> Iterator[World]:
    """Start a stack, the reference target in it unless another service is given; end it surely."""
    stack = EmbeddedStack(
        service or Service(command=("python", "-m", "fixtures.target")),
        programs=programs,
        wired=("postgres", "redis"),
        postgres_disk_mb=256 if may_mount() else 0,
        tag=f"world-{secrets.token_hex(4)}",
        experiment_folder=ROOT,
    )
    try:
        stack.start()
        yield World(stack)
    finally:
        stack.stop()
