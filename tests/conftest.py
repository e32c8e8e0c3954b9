"""What all tests share: property tests without a deadline, a state folder of their own, and the outward programs."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.healthy import Healthy, run_healthy
from tests.program import Program, clean

settings.register_profile("suite", deadline=None)  # the machine may be busy with other things
settings.load_profile("suite")

# A shell without job control has what it starts in the background ignore Ctrl-C, and so has every program of a test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A folder for debts and kept stacks, not made yet."""
    return tmp_path / "state"


@pytest.fixture
def env(state: Path) -> dict[str, str]:
    """The environment of child processes: ours, without what would change a run, and with the test's own state."""
    return clean(os.environ, RESILIENCE_STATE=str(state))


@pytest.fixture
def program(tmp_path: Path, env: dict[str, str]) -> Iterator[Program]:
    """Runs `chaos` and `resilience` in an empty folder; what still runs after the test is ended."""
    folder = tmp_path / "work"
    folder.mkdir()
    programs = Program(folder, env)
    yield programs
    programs.end()


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Healthy]:
    """One short run of the shipped experiment against the healthy target, for everybody to look at."""
    base = tmp_path_factory.mktemp("healthy")
    (base / "work").mkdir()
    programs = Program(base / "work", clean(os.environ, RESILIENCE_STATE=str(base / "state")))
    try:
        yield run_healthy(programs)
    finally:
        programs.end()
