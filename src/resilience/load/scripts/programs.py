"""The two programs that run scripts: how each is called, what it may see of our environment, and how it ends.

Both get argument lists, an environment of few names, and no way to where their makers count users. What they tell comes
by a pipe whose number they are given.
"""

import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import ClassVar, Protocol

from resilience.errors import LoadError
from resilience.load.scripts.artillery import ArtilleryReader
from resilience.load.scripts.k6 import K6Reader
from resilience.load.scripts.seen import Beats, Seen
from resilience.model import Json, LoadOrder

PASSED = ("PATH", "TMPDIR", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables that a program gets from us as they are; no proxy, no token, no home with somebody's settings in it."""

NO_HOME = "/nonexistent"
PLUGINS = Path(__file__).parent / "plugins"

_TAGS = (
    "proto,subproto,status,method,url,name,group,check,error,error_code,tls_version,scenario,service,"
    "expected_response,vu"
)
"""k6's own choice of tags, and the virtual user."""


class Reader(Protocol):
    """Reads what a program tells."""

    wall_ns: int
    beats: Beats

    @property
    def in_flight(self) -> int:
        """Operations begun and not ended, as far as the program lets anybody know."""

    def take(self, line: bytes) -> None:
        """One line of its data."""

    def say(self, line: str) -> None:
        """One line that it shows to people."""

    def age(self, now_ns: int) -> None:
        """Time has passed."""

    def waiting(self, since_ns: int) -> int:
        """How much that was begun before an instant may still be under way."""

    def finish(self) -> None:
        """There is no more."""

    def problems(self, since_ns: int, now_ns: int) -> list[Json]:
        """What keeps a verdict from being believed, given when the end was asked for and when it was forced."""

    def account(self) -> dict[str, Json]:
        """What else it said."""


class Program(ABC):
    """One of the two.

    Attributes:
        stop_by: the signal that ends it in order.
        stopped: exit codes with which it then ends.
        ended: exit codes with which it ends by itself → what that means.
        wall_clock: whether its instants are by the wall clock.
        end_s: how long it may take to end once it was told to.
        killed_then: whether it is simply killed after that; of one for which it matters how it ends, it is an error.
        waits: whether it can be started before the run's zero, because it sends nothing before.
    """

    name: ClassVar[str]
    stop_by: ClassVar[signal.Signals]
    stopped: ClassVar[Collection[int]]
    ended: ClassVar[Mapping[int, str]]
    wall_clock: ClassVar[bool]
    end_s: ClassVar[float] = 12.0
    killed_then: ClassVar[bool] = False
    waits: ClassVar[bool] = False

    @abstractmethod
    def argv(self, order: LoadOrder, data: int) -> list[str]:
        """How it is called; `data` is the number of the pipe."""

    @abstractmethod
    def environment(self, order: LoadOrder, data: int) -> dict[str, str]:
        """What it sees."""

    @abstractmethod
    def reader(self, order: LoadOrder, emit: Callable[[Seen], None]) -> Reader:
        """What reads it."""


class K6(Program):
    """k6: its JSON output by a pipe, its progress by standard output."""

    name = "k6"
    stop_by = signal.SIGINT
    stopped = (0, 99, 105)
    ended: ClassVar[Mapping[int, str]] = {
        0: "its script was over",
        99: "a threshold of its script was crossed, or stopped it",
        108: "its script stopped the test",
    }
    wall_clock = True

    def __init__(self, program: str, script: str, waiting: Collection[str], restless: Mapping[str, float]) -> None:
        """A program, a script, and its scenarios as `K6Reader` wants them."""
        self._program, self._script = program, script
        self._waiting, self._restless = waiting, restless

    def argv(self, order: LoadOrder, data: int) -> list[str]:
        """As `Program`."""
        del order
        options = ["--no-usage-report", "--no-summary", "--no-color", "--address", "", "--include-system-env-vars"]
        return [self._program, "run", *options, "--system-tags", _TAGS, "--out", f"json=/dev/fd/{data}", self._script]

    def environment(self, order: LoadOrder, data: int) -> dict[str, str]:
        """As `Program`."""
        del data
        return {**script_environment(order.load.environment), order.load.base_url_as: order.base_url, "TZ": "UTC"}

    def reader(self, order: LoadOrder, emit: Callable[[Seen], None]) -> K6Reader:
        """As `Program`."""
        settled_ns = round((order.load.warm_up_s + order.load.baseline_s) * 1e9)
        return K6Reader(emit, self._waiting, self._restless, settled_ns)


class Artillery(Program):
    """Artillery, by Node.js, with a plugin of ours that tells of every request."""

    name = "artillery"
    stop_by = signal.SIGTERM
    stopped = (0, 1, 21, 143, -signal.SIGKILL)
    ended: ClassVar[Mapping[int, str]] = {
        0: "its script was over",
        1: "its script was over, and a check of it failed",
        21: "its script was over, and expectations of it were not met",
    }
    wall_clock = False
    waits = True
    end_s = 3.0  # it goes on for 12 s, which is nothing to wait for: what is in flight is known
    killed_then = True

    def __init__(self, program: str, script: str, node: str) -> None:
        """Artillery's main file, a script, and the Node.js that runs it."""
        self._program, self._script, self._node = program, script, node

    def argv(self, order: LoadOrder, data: int) -> list[str]:
        """As `Program`."""
        del data
        return [self._node, self._program, "run", "--quiet", "--target", order.base_url, self._script]

    def environment(self, order: LoadOrder, data: int) -> dict[str, str]:
        """As `Program`."""
        return {
            **script_environment(order.load.environment),
            order.load.base_url_as: order.base_url,
            "ARTILLERY_DISABLE_TELEMETRY": "true",
            "ARTILLERY_PLUGIN_PATH": str(PLUGINS),
            "ARTILLERY_PLUGINS": '{"resilience": {}}',
            "RESILIENCE_SAMPLES": str(data),
            "RESILIENCE_ZERO": str(order.zero_ns),
        }

    def reader(self, order: LoadOrder, emit: Callable[[Seen], None]) -> ArtilleryReader:
        """As `Program`."""
        return ArtilleryReader(emit, order.zero_ns)


def script_environment(wanted: Mapping[str, str]) -> dict[str, str]:
    """What a program sees of our environment: a few names as they are, and what its script is to be given.

    Raises:
        LoadError: a variable that the experiment names is not set.
    """
    missing = [source for source in wanted.values() if source not in os.environ]
    if missing:
        raise LoadError(f"the environment variables {', '.join(missing)} are not set; load.environment names them")
    passed = {name: os.environ[name] for name in PASSED if name in os.environ}
    return {**passed, "HOME": NO_HOME, **{name: os.environ[source] for name, source in wanted.items()}}


def program_for(driver: str, program: str, script: str, more: Mapping[str, Json]) -> Program:
    """The program of a driver.

    Args:
        driver: `k6` or `artillery`.
        program: its path.
        script: the script's path.
        more: what its driver found out: of k6 the scenarios that are `waiting` and `restless`, of Artillery the path of
            `node`.
    """
    if driver == "k6":
        waiting, restless = more.get("waiting", ()), more.get("restless", {})
        if not isinstance(waiting, list | tuple) or not isinstance(restless, Mapping):
            raise LoadError(f"{more!r} does not say which scenarios there are")
        return K6(
            program, script, [str(one) for one in waiting], {name: float(str(end)) for name, end in restless.items()}
        )
    if driver == "artillery":
        return Artillery(program, script, str(more["node"]))
    raise LoadError(f"{driver!r} runs no scripts")
