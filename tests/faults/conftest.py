"""One stack per module: a small one, or a whole one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.parts import Parts, parts
from tests.faults.world import World, world


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    folder: Path = tmp_path_factory.mktemp("parts")
    with parts(folder) as started:
        yield started


@pytest.fixture(scope="module")
def whole() -> Iterator[World]:
    with world() as started:
        yield started
