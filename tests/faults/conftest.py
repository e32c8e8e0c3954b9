"""One small stack per module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.parts import Parts, parts


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    folder: Path = tmp_path_factory.mktemp("parts")
    with parts(folder) as started:
        yield started
