"""The embedded stack: PostgreSQL, Redis, toxiproxy and the target as real processes on this machine.

Everything lives in one private folder and carries one tag, both known before anything is started, so that `settle` can
end it all from another process, whatever happened to this one.
"""

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

from resilience.codec import decode
from resilience.errors import EnvironmentNotReady
from resilience.model import Json, Place, Program, Region, Service
from resilience.stack import health, parts
from resilience.stack.loopback import Reservation
from resilience.stack.programs import BALANCER, NAMES, Notify, find_all, own_proxy
from resilience.stack.programs import Program as Found
from resilience.stack.settle import PREFIX, STATE, is_tag, settle
from resilience.stack.starting import Start, read_secrets
from resilience.stack.target import Order
from resilience.stack.variants import SLOW

__all__ = ["EmbeddedStack", "project_folder", "read_places", "settle"]

_ATTEMPTS = 3

Reserve = Callable[[int], Reservation]


def project_folder(experiment_folder: Path) -> Path:
    """Where the service's command runs: the nearest ancestor with a `pyproject.toml`, or the folder itself."""
    start = experiment_folder.resolve()
    return next((folder for folder in (start, *start.parents) if (folder / "pyproject.toml").is_file()), start)


def read_places(folder: Path) -> dict[str, Place]:
    """The parts of the stack in a folder, as its state file has them now; none if there is no such stack."""
    try:
        document = json.loads((folder / STATE).read_bytes())
    except FileNotFoundError:
        return {}
    return {name: decode(Place, place) for name, place in document["places"].items()}


class EmbeddedStack:
    """PostgreSQL, Redis, toxiproxy, the service and its programs, started for one run.

    Args:
        service: how the target is run; None starts the servers only.
        programs: what belongs to the target besides.
        wired: parts (`parts.WIRED`) that get a proxy that understands protocols between toxiproxy and them.
        postgres_disk_mb, postgres_replica: as in `model.StackSpec`.
        regions: those with a latency get a way of their own to the service, a part `service-NAME`.
        tag: carried by every process of the stack and by nothing else, new for each stack.
        bugs: planted bugs to switch on, as in `TARGET_BUGS`.
        experiment_folder: where relative names of the service's command start from, see `model.Service`.
        folder_root: where the private folder is made; the system's temporary folder unless given.
        environment: stands for this process's environment variables when programs are looked for.
        notify: told about something that takes a while.
        reserve: takes free ports.

    Attributes:
        found: server program → version and where it came from, once it was started: `2.12.0-resilience, own proxy`;
            and `wire`, the protocol proxy, with the parts it stands before, if any.
    """

    name: ClassVar[str] = "embedded"

    def __init__(  # noqa: PLR0913 - all but the first are named, and most are for tests
        self,
        service: Service | None,
        *,
        programs: tuple[Program, ...] = (),
        wired: tuple[str, ...] = (),
        postgres_disk_mb: int = 0,
        postgres_replica: bool = False,
        regions: tuple[Region, ...] = (),
        tag: str,
        experiment_folder: Path | str,
        bugs: str = "",
        folder_root: Path | None = None,
        environment: Mapping[str, str] | None = None,
        notify: Notify = lambda _: None,
        reserve: Reserve = Reservation,
    ) -> None:
        if not is_tag(tag):
            raise ValueError(f"a stack's tag is 4 to 63 letters, digits, '_', '.', '-', not {tag!r}")
        self.service = service
        self.programs = programs
        self.wired = tuple(name for name in parts.WIRED if name in wired)
        self.postgres_disk_mb = postgres_disk_mb
        self.postgres_replica = postgres_replica
        self.regions = regions if service is not None else ()
        self.tag = tag
        self.bugs = bugs
        self.project = project_folder(Path(experiment_folder))
        self.folder = Path(folder_root or tempfile.gettempdir()).resolve() / f"{PREFIX}{tag}"
        self.environment = environment
        self.found: Mapping[str, str] = {}
        self._notify = notify
        self._reserve = reserve
        self._ports: Reservation | None = None

    def debt_data(self) -> dict[str, Json]:
        """What `settle` must be told; known before anything is started."""
        return {"folder": str(self.folder), "tag": self.tag}

    def start(self) -> None:
        """Start everything and return when it is healthy; nothing is left if it cannot be.

        Raises:
            EnvironmentNotReady: with every problem found, and the last lines of the log of what failed.
        """
        if problems := tuple(parts.clashes(self.service, self.programs)):
            raise EnvironmentNotReady(problems)
        wanted = (*NAMES, BALANCER) if parts.balanced(self.service) else NAMES
        found = find_all(wanted, environment=self.environment, notify=self._notify)
        self.found = {name: f"{program.version}, {program.origin}" for name, program in found.items()}
        if self.service is not None and (slow := self.service.environment.get(SLOW, "")):
            self.found = {**self.found, "target": f"slow variant: {slow}"}
        if self.wired:
            own = own_proxy()
            self.found = {**self.found, parts.WIRE: f"{own.version}, {own.origin}, before {' and '.join(self.wired)}"}
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._start(found)
            except EnvironmentNotReady as error:
                self.stop()
                if attempt == _ATTEMPTS or not any(health.is_clash(problem) for problem in error.problems):
                    raise
            except BaseException:
                self.stop()
                raise
            else:
                return

    def places(self) -> dict[str, Place]:
        """The parts of the running stack by name, read anew: a fault may have started one again."""
        return read_places(self.folder)

    def secrets(self) -> tuple[str, ...]:
        """The passwords of the running stack."""
        return read_secrets(self.folder)

    def stop(self) -> None:
        """End everything this stack started and remove its folder. Idempotent."""
        try:
            settle(self.debt_data())
        finally:
            self.leave()

    def leave(self) -> None:
        """Let the stack stay when this process ends: only the hold on its ports is given up."""
        if self._ports is not None:
            self._ports.close()

    def _start(self, found: Mapping[str, Found]) -> None:
        try:
            self.folder.mkdir(mode=0o700)
        except FileExistsError:
            raise EnvironmentNotReady(
                f"{self.folder} is there already; is a stack with tag {self.tag!r} running?"
            ) from None
        except OSError as error:
            raise EnvironmentNotReady(f"{self.folder} cannot be made: {error}") from error
        self.leave()
        wanted = parts.ports(self.service, self.programs, self.wired, self.regions, replica=self.postgres_replica)
        self._ports = self._reserve(len(wanted))
        try:
            order = Order(
                service=self.service,
                programs=self.programs,
                tag=self.tag,
                bugs=self.bugs,
                project=self.project,
                folder=self.folder,
                environment=self.environment,
                wired=self.wired,
                postgres_disk_mb=self.postgres_disk_mb,
                postgres_replica=self.postgres_replica,
                regions=self.regions,
            )
            Start(order, found, self._ports).run()
        except OSError as error:
            raise EnvironmentNotReady(f"the stack's folder {self.folder} cannot be used: {error}") from error
