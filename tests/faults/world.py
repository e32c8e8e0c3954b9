"""A whole embedded stack with the reference target, for the tests of faults that need more than Redis and a proxy."""

import fcntl
import secrets
import tempfile
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
        postgres_replica=True,
        tag=f"world-{secrets.token_hex(4)}",
        experiment_folder=ROOT,
    )
    try:
        stack.start()
        yield World(stack)
    finally:
        stack.stop()


@contextmanager
def queue_of_loopback() -> Iterator[None]:
    """Whoever changes the queue of the loopback device has it alone: there is one for all tests on this machine."""
    with (Path(tempfile.gettempdir()) / "resilience-tests-loopback.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
