"""One attempt to start the embedded stack: its servers together, then the service, each healthy before it counts."""

import secrets
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from resilience.codec import encode
from resilience.errors import EnvironmentNotReady
from resilience.host import files, processes
from resilience.model import Launch, Place, Problem, Service
from resilience.stack import health, postgres, programs
from resilience.stack.loopback import HOST, Reservation, proxies_ready
from resilience.stack.settle import STATE

REDIS_PASSWORD = "redis.password"  # noqa: S105 - the name of the file that has it
"""The file in the stack's folder with Redis's password."""

PASSFILES = ("shop.pgpass", "admin.pgpass")
"""The files in the stack's folder with PostgreSQL's passwords, a line per user, the password last."""

_SERVER_S = 20.0
"""How long a server may take until it answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be started.

    Attributes:
        service: how the target is run; None starts the servers only.
        tag: carried by every process.
        bugs: `TARGET_BUGS` of the service.
        project: where the service's command runs.
        folder: the stack's own, new and empty.
        environment: stands for this process's environment variables; None is those.
    """

    service: Service | None
    tag: str
    bugs: str
    project: Path
    folder: Path
    environment: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class _Ports:
    postgres: int
    postgres_via: int
    redis: int
    redis_via: int
    control: int
    service: int


def read_secrets(folder: Path) -> tuple[str, ...]:
    """The passwords of the stack in a folder, which must appear in no record; none if there is no such stack."""
    passfiles = [folder / name for name in PASSFILES if (folder / name).exists()]
    lines = [line for path in passfiles for line in path.read_text().splitlines()]
    found = list(dict.fromkeys(line.rpartition(":")[2] for line in lines))
    if (folder / REDIS_PASSWORD).exists():
        found.append((folder / REDIS_PASSWORD).read_text().strip())
    return tuple(found)


class Start:
    """One attempt to start a stack in its new, empty folder. Whoever called cleans up after a failure."""

    def __init__(self, order: Order, found: Mapping[str, programs.Program], reservation: Reservation) -> None:
        self._order = order
        self._found = found
        self._reservation = reservation
        self._port = _Ports(*reservation.ports)
        self._folder = order.folder
        self._places: dict[str, Place] = {}
        self._problems: list[Problem] = []
        self._started = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._redis_password = secrets.token_urlsafe(24)
        self._base = {"PATH": programs.search_path(order.environment), "LANG": "C.UTF-8", "HOME": str(Path.home())}

    def run(self) -> None:
        """Servers together, then the service, each healthy before it counts."""
        shop, admin = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        shop_file = postgres.passfile(self._folder / PASSFILES[0], {postgres.SHOP: shop})
        # Who gives faults also looks as the service does.
        both = {postgres.ADMIN: admin, postgres.SHOP: shop}
        admin_file = postgres.passfile(self._folder / PASSFILES[1], both)
        self._attempt(self._redis)
        self._attempt(self._toxiproxy)
        server = postgres.Server(
            self._found["postgres"],
            postgres.server_user(),
            self._folder,
            {**self._base, processes.TAG: self._order.tag},
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
            "tag": self._order.tag,
            "bugs": self._order.bugs,
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
            tag=self._order.tag,
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
        place = self._behind_proxy("redis", self._port.redis, self._port.redis_via, launch)
        self._begin(replace(place, protocol="redis", passfile=str(self._folder / REDIS_PASSWORD)))

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
        launch = server.launch(program, self._port.postgres, self._order.tag)
        place = self._behind_proxy("postgres", self._port.postgres, self._port.postgres_via, launch)
        dsn = f"postgresql://{postgres.ADMIN}@{HOST}:{self._port.postgres}/{postgres.SHOP}"
        self._begin(replace(place, dsn=dsn, passfile=str(passfile), protocol="postgres"))
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
        service, port = self._order.service, self._port
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
            "TARGET_BUGS": self._order.bugs,
            "PYTHONPATH": str(self._order.project),
            "TMPDIR": own.folder,
            **service.environment,
        }
        launch = replace(own, environment=environment, folder=str(self._order.project))
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
            protocol="http",
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
            first = str(self._order.project / first)
        else:
            first = shutil.which(first, path=self._base["PATH"]) or first
        return (first, *rest)
