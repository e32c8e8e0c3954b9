"""The embedded stack: PostgreSQL, Redis, toxiproxy and the service as real processes on this machine.

Everything lives in one private folder and carries one tag, both known before anything is started, so that `settle` can
end it all from another process, whatever happened to this one.
"""

import json
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from resilience.codec import decode, encode
from resilience.errors import EnvironmentNotReady
from resilience.host import files, processes
from resilience.model import Json, Launch, Place, Problem, Service
from resilience.stack import health, postgres, programs
from resilience.stack.loopback import HOST, Reservation, proxies_ready
from resilience.stack.settle import PREFIX, STATE, is_tag, settle

__all__ = ["EmbeddedStack", "project_folder", "read_places", "settle"]

REDIS_PASSWORD = "redis.password"  # noqa: S105 - the name of the file that has it
"""The file in the stack's folder with Redis's password."""

_ATTEMPTS = 3
_SERVER_S = 20.0
"""How long a server may take until it answers."""

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
    """PostgreSQL, Redis, toxiproxy and the service, started for one run.

    Args:
        service: how the target is run; None starts the servers only.
        tag: carried by every process of the stack and by nothing else, new for each stack.
        bugs: planted bugs to switch on, as in `TARGET_BUGS`.
        experiment_folder: where relative names of the service's command start from, see `model.Service`.
        folder_root: where the private folder is made; the system's temporary folder unless given.
        environment: stands for this process's environment variables when programs are looked for.
        notify: told about something that takes a while.
        reserve: takes free ports.
    """

    name: ClassVar[str] = "embedded"

    def __init__(
        self,
        service: Service | None,
        *,
        tag: str,
        experiment_folder: Path | str,
        bugs: str = "",
        folder_root: Path | None = None,
        environment: Mapping[str, str] | None = None,
        notify: programs.Notify = lambda _: None,
        reserve: Reserve = Reservation,
    ) -> None:
        if not is_tag(tag):
            raise ValueError(f"a stack's tag is 4 to 63 letters, digits, '_', '.', '-', not {tag!r}")
        self.service = service
        self.tag = tag
        self.bugs = bugs
        self.project = project_folder(Path(experiment_folder))
        self.folder = Path(folder_root or tempfile.gettempdir()).resolve() / f"{PREFIX}{tag}"
        self.environment = environment
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
        found = programs.find_all(environment=self.environment, notify=self._notify)
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

    def _start(self, found: Mapping[str, programs.Program]) -> None:
        try:
            self.folder.mkdir(mode=0o700)
        except FileExistsError:
            raise EnvironmentNotReady(
                f"{self.folder} is there already; is a stack with tag {self.tag!r} running?"
            ) from None
        except OSError as error:
            raise EnvironmentNotReady(f"{self.folder} cannot be made: {error}") from error
        self.leave()
        self._ports = self._reserve(6)
        try:
            _Start(self, found, self._ports).run()
        except OSError as error:
            raise EnvironmentNotReady(f"the stack's folder {self.folder} cannot be used: {error}") from error


@dataclass(frozen=True, slots=True)
class _Ports:
    postgres: int
    postgres_via: int
    redis: int
    redis_via: int
    control: int
    service: int


class _Start:
    """One attempt to start a stack in its new, empty folder. Whoever called cleans up after a failure."""

    def __init__(self, stack: EmbeddedStack, found: Mapping[str, programs.Program], reservation: Reservation) -> None:
        self._stack = stack
        self._found = found
        self._reservation = reservation
        self._port = _Ports(*reservation.ports)
        self._folder = stack.folder
        self._places: dict[str, Place] = {}
        self._problems: list[Problem] = []
        self._started = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._redis_password = secrets.token_urlsafe(24)
        self._base = {"PATH": programs.search_path(stack.environment), "LANG": "C.UTF-8", "HOME": str(Path.home())}

    def run(self) -> None:
        """Servers together, then the service, each healthy before it counts."""
        shop, admin = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        shop_file = postgres.passfile(self._folder / "shop.pgpass", postgres.SHOP, shop)
        admin_file = postgres.passfile(self._folder / "admin.pgpass", postgres.ADMIN, admin)
        self._attempt(self._redis)
        self._attempt(self._toxiproxy)
        server = postgres.Server(
            self._found["postgres"],
            postgres.server_user(),
            self._folder,
            {**self._base, processes.TAG: self._stack.tag},
        )
        present: list[str] = []
        self._attempt(lambda: present.append(self._postgres(server, admin_file)))
        self._await_servers(present[0] if present else "")
        if self._problems:
            if any(problem.where == "postgres" and not health.is_clash(problem) for problem in self._problems):
                server.discard_template()
            raise EnvironmentNotReady(self._problems)
        postgres.furnish(self._port.postgres, present[0], admin=admin, shop=shop)
        self._serve(shop_file)

    def _attempt(self, step: Callable[[], object]) -> None:
        """Do a step; what is wrong is kept, so that all problems are shown and not the first."""
        try:
            step()
        except EnvironmentNotReady as error:
            self._problems += error.problems

    def _begin(self, place: Place) -> None:
        """Start a part and write it down."""
        if place.launch is None:
            raise ValueError(place)
        try:
            identity = processes.start(place.launch)
        except EnvironmentNotReady as error:
            # The log goes away with the folder: what matters of it must be in the message.
            message = f"{str(error).removeprefix(f'{place.name}: ')}; {health.last_lines(place.launch.log)}"
            raise EnvironmentNotReady(Problem(where=place.name, message=message)) from error
        self._places[place.name] = replace(place, identity=identity, state=str(self._folder / STATE))
        document = {
            "tag": self._stack.tag,
            "bugs": self._stack.bugs,
            "started": self._started,
            "places": {name: encode(place) for name, place in self._places.items()},
        }
        files.write_json(self._folder / STATE, document)

    def _launch(self, name: str, argv: tuple[str, ...]) -> Launch:
        """How one of our own servers is started, in a folder of its own."""
        (self._folder / name).mkdir(exist_ok=True)
        return Launch(
            name=name,
            argv=argv,
            environment=self._base,
            folder=str(self._folder / name),
            log=str(self._folder / f"{name}.log"),
            tag=self._stack.tag,
        )

    def _redis(self) -> None:
        config = self._folder / "redis.conf"
        lines = (
            f"bind {HOST}",
            f"port {self._port.redis}",
            "protected-mode yes",
            f"requirepass {self._redis_password}",
            'save ""',
            "appendonly no",
            "daemonize no",
        )
        files.write_durably(config, "\n".join((*lines, "")).encode())
        files.write_durably(self._folder / REDIS_PASSWORD, self._redis_password.encode())
        launch = self._launch("redis", (str(self._found["redis-server"].path), str(config)))
        self._begin(self._behind_proxy("redis", self._port.redis, self._port.redis_via, launch))

    def _toxiproxy(self) -> None:
        port = self._port
        proxies = [
            {"name": name, "listen": f"{HOST}:{via}", "upstream": f"{HOST}:{direct}", "enabled": True}
            for name, via, direct in (
                ("postgres", port.postgres_via, port.postgres),
                ("redis", port.redis_via, port.redis),
            )
        ]
        config = self._folder / "proxies.json"
        files.write_json(config, proxies)
        told = ("-host", HOST, "-port", str(port.control), "-config", str(config))
        launch = self._launch("toxiproxy", (str(self._found["toxiproxy-server"].path), *told))
        control = f"http://{HOST}:{port.control}"
        self._begin(
            Place(name="toxiproxy", host=HOST, port=port.control, via_port=port.control, control=control, launch=launch)
        )

    def _postgres(self, server: postgres.Server, passfile: Path) -> str:
        """Start PostgreSQL; return the superuser's present password."""
        program, password = server.prepare()
        launch = server.launch(program, self._port.postgres, self._stack.tag)
        place = self._behind_proxy("postgres", self._port.postgres, self._port.postgres_via, launch)
        dsn = f"postgresql://{postgres.ADMIN}@{HOST}:{self._port.postgres}/{postgres.SHOP}"
        self._begin(replace(place, dsn=dsn, passfile=str(passfile)))
        return password

    def _behind_proxy(self, name: str, port: int, via: int, launch: Launch) -> Place:
        control = f"http://{HOST}:{self._port.control}"
        return Place(name=name, host=HOST, port=port, via_port=via, proxy=name, control=control, launch=launch)

    def _await_servers(self, password: str) -> None:
        """Wait for the servers that were started, each as the service will reach it."""
        port = self._port
        checks: dict[str, health.Check] = {
            "toxiproxy": lambda: proxies_ready(port.control, ("postgres", "redis")),
            # Not through a toxiproxy that does not work: Redis would be blamed for it.
            "redis": lambda: health.redis_answers(
                port.redis if any(one.where == "toxiproxy" for one in self._problems) else port.redis_via,
                self._redis_password,
            ),
            "postgres": lambda: postgres.answers(port.postgres, password=password),
        }
        for name, check in checks.items():
            if name in self._places:
                self._await(name, check, _SERVER_S)

    def _await(self, name: str, check: health.Check, timeout_s: float) -> None:
        place = self._places[name]
        if place.launch is not None and place.identity is not None:
            problem = health.await_healthy(place.launch, place.identity, check, timeout_s)
            self._problems += [problem] if problem else []

    def _serve(self, passfile: Path) -> None:
        """Start the service and wait until it says that it is ready."""
        service, port = self._stack.service, self._port
        if service is None:
            return
        own = self._launch("service", self._command(service))
        environment = {
            **self._base,
            "HOST": HOST,
            "PORT": str(port.service),
            "DATABASE_URL": f"postgresql://{postgres.SHOP}@{HOST}:{port.postgres_via}/{postgres.SHOP}",
            "PGPASSFILE": str(passfile),
            "REDIS_URL": f"redis://{HOST}:{port.redis_via}/0",
            "REDIS_PASSWORD_FILE": str(self._folder / REDIS_PASSWORD),
            "TARGET_BUGS": self._stack.bugs,
            "PYTHONPATH": str(self._stack.project),
            "TMPDIR": own.folder,
            **service.environment,
        }
        launch = replace(own, environment=environment, folder=str(self._stack.project))
        self._reservation.release(port.service)  # it may not ask for reuse
        url = f"http://{HOST}:{port.service}"
        place = Place(
            name="service",
            host=HOST,
            port=port.service,
            via_port=port.service,
            url=url,
            ready=service.ready,
            launch=launch,
        )
        self._begin(place)
        self._await("service", lambda: health.service_ready(port.service, service.ready), service.start_timeout_s)
        if self._problems:
            raise EnvironmentNotReady(self._problems)

    def _command(self, service: Service) -> tuple[str, ...]:
        first, *rest = service.command
        if first == "python":
            first = sys.executable
        elif "/" in first:
            first = str(self._stack.project / first)
        else:
            first = shutil.which(first, path=self._base["PATH"]) or first
        return (first, *rest)
