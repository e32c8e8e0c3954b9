"""Targets, and a way to run the real load process against them."""

import itertools
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from resilience.errors import LoadError
from resilience.load.drivers.locust import LocustDriver, LocustHandle
from resilience.model import Account, Load, LoadOrder
from tests.load.target import Asked, Target, Told

RUN = "0badcafe"


@pytest.fixture
def make_target() -> Iterator[Callable[..., Target]]:
    """Starts targets, and closes them in the end."""
    made: list[Target] = []

    def make(script: Callable[[Asked], Told | bytes], tls: ssl.SSLContext | None = None) -> Target:
        made.append(Target(script, tls=tls))
        return made[-1]

    yield make
    for target in made:
        target.close()


class Runner:
    """Starts load processes, and ends those that a failed test left."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        self._handles: list[LocustHandle] = []

    def start(
        self, load: Load, url: str, *, max_s: float = 60.0, tag: str = "test", accounts: tuple[Account, ...] = ()
    ) -> tuple[LocustHandle, LoadOrder]:
        """A running load process whose zero is a little ahead; further ahead if this machine is slow just now."""
        for margin_s in (1.0, 5.0, 15.0):
            folder = self._folder / f"run-{next(self._numbers)}"
            folder.mkdir()
            driver = LocustDriver(tag)
            driver.prepare()
            zero_ns = time.monotonic_ns() + int(margin_s * 1e9)
            order = LoadOrder(
                run=RUN,
                seed=7,
                zero_ns=zero_ns,
                base_url=url,
                folder=str(folder),
                load=load,
                max_s=max_s,
                accounts=accounts,
            )
            try:
                handle = driver.start(order)
            except LoadError as error:
                if "after the run's zero" not in str(error):
                    raise
                continue
            self._handles.append(handle)
            return handle, order
        pytest.fail("this machine is too slow to start a load process")

    def close(self) -> None:
        """End what is left."""
        for handle in self._handles:
            handle.abort()


def wait_until(order: LoadOrder, at_s: float) -> None:
    """Wait until an instant of the run."""
    time.sleep(max(0.0, order.zero_ns / 1e9 + at_s - time.monotonic()))


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    """Starts load processes."""
    made = Runner(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def module_runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """As `runner`, for a run that several tests look at."""
    made = Runner(tmp_path_factory.mktemp("load"))
    yield made
    made.close()
