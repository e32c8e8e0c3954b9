"""One stack per module: a small one, or a whole one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from resilience.host import clocks
from resilience.model import Program
from tests.faults.parts import Parts, parts
from tests.faults.world import World, world

PROVIDER = Program(
    name="provider",
    command=("python", "-m", "resilience.provider"),
    ready="/health",
    own_clock=clocks.faketime() is not None,
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    folder: Path = tmp_path_factory.mktemp("parts")
    with parts(folder) as started:
        yield started


@pytest.fixture(scope="module")
def whole() -> Iterator[World]:
    with world(programs=(PROVIDER,)) as started:
        yield started
