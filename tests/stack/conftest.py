"""What the tests of the stack share: a stack that is surely gone afterwards, and looking for what it may have left."""

import contextlib
import secrets
import shutil
import tempfile
from pathlib import Path

import pytest

from resilience.stack.embedded import EmbeddedStack
from tests.stack.traces import HERE


@pytest.fixture
def make_stack():
    """Makes stacks that are not started yet; ends them after the test."""
    with contextlib.ExitStack() as after:

        def make(service=None, **settings):
            stack = EmbeddedStack(
                service,
                tag=f"test-{secrets.token_hex(4)}",
                experiment_folder=settings.pop("experiment_folder", HERE),
                **settings,
            )
            after.callback(stack.stop)
            return stack

        yield make


@pytest.fixture
def root():
    """A folder for stacks' folders that every user may enter, unlike `tmp_path`."""
    folder = Path(tempfile.mkdtemp(prefix="stacks-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def script(tmp_path):
    """Makes executable shell scripts that stand for programs that are broken."""

    def make(name, text, folder=tmp_path):
        path = folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    return make
