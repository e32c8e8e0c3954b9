"""Our proxy and the real toxiproxy, once per module."""

import pytest

from tests.wire import stores, twins


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    with twins.ours(tmp_path_factory.mktemp("ours")) as server:
        yield server


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    with twins.theirs(tmp_path_factory.mktemp("theirs")) as server:
        yield server


@pytest.fixture
def upstream():
    with twins.Upstream() as server:
        yield server


@pytest.fixture(scope="module")
def store():
    with stores.stores() as started:
        yield started
