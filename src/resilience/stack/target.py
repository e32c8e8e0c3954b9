"""Starts what is tested: the service, in one copy or several behind a load balancer, and the programs beside it."""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from resilience.errors import EnvironmentNotReady
from resilience.host import clocks, files
from resilience.model import Launch, Place, Program, Region, Service
from resilience.stack import balancer, health, parts, postgres
from resilience.stack.loopback import HOST, Reservation
from resilience.stack.programs import Program as Found
from resilience.stack.regions import lead
from resilience.stack.roster import Roster

TOKEN = ".token"  # noqa: S105 - how the name of a file ends
"""A program that is steered by a token of its own writes it in the file `<name>.token` of the stack's folder."""

_BALANCER_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be started.

    Attributes:
        service: how the target is run; None starts the servers only.
        programs: what belongs to the target besides.
        tag: carried by every process.
        bugs: `TARGET_BUGS` of the service.
        project: where the commands run.
        folder: the stack's own, new and empty.
        environment: stands for this process's environment variables; None is those.
        wired: the parts with a proxy that understands protocols between toxiproxy and them.
        postgres_disk_mb, postgres_replica: as in `model.StackSpec`.
        regions: those with a latency have a way of their own to the service.
    """

    service: Service | None
    programs: tuple[Program, ...]
    tag: str
    bugs: str
    project: Path
    folder: Path
    environment: Mapping[str, str] | None
    wired: tuple[str, ...] = ()
    postgres_disk_mb: int = 0
    regions: tuple[Region, ...] = ()
    postgres_replica: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The programs of the target, beside servers that run.

    Attributes:
        ports: what for → port, as `parts.ports` lists them.
        reservation: holds these ports.
        base: the environment variables that every process of the stack has.
        stores: how PostgreSQL and Redis are reached.
        found: the server programs; `haproxy` if there are several copies.
    """

    order: Order
    ports: Mapping[str, int]
    reservation: Reservation
    roster: Roster
    base: Mapping[str, str]
    stores: Mapping[str, str]
    found: Mapping[str, Found]

    def start(self) -> None:
        """Start the programs that listen, then the service, then the other programs; each is healthy before it counts.

        Raises:
            EnvironmentNotReady: with everything that is wrong.
        """
        listening = [program for program in self.order.programs if program.ready]
        for program in listening:
            self.roster.attempt(self._begin_listening, program)
        for program in listening:
            self._await(program.name, program.ready, program.start_timeout_s)
        self.roster.refuse()
        if self.order.service is not None:
            self._serve(self.order.service)
        for program in self.order.programs:
            if not program.ready:
                self.roster.attempt(self._begin_alone, program)
        self.roster.refuse()

    def _serve(self, service: Service) -> None:
        copies = parts.copies(service)
        for name in copies:
            self.roster.attempt(self._begin_copy, service, name)
        for name in copies:
            self._await(name, service.ready, service.start_timeout_s)
        self.roster.refuse()
        if parts.balanced(service):
            self._balance(service, copies)
        lead(self.order.regions, self.ports, self.roster)

    def _balance(self, service: Service, copies: tuple[str, ...]) -> None:
        """Start the load balancer; the part `service` is its front."""
        port = self.ports[parts.SERVICE]
        config = self.order.folder / "haproxy.cfg"
        text = balancer.config(port, {name: self.ports[name] for name in copies}, service.ready)
        files.write_durably(config, text.encode())
        argv = (str(self.found["haproxy"].path), "-db", "-f", str(config))
        front = Place(
            name=parts.SERVICE,
            host=HOST,
            port=port,
            via_port=port,
            url=f"http://{HOST}:{port}",
            ready=service.ready,
            protocol="http",
        )
        own = own_launch(self.order, self.base, parts.BALANCER, argv)
        self.roster.begin(replace(front, name=parts.BALANCER, url="", launch=own))
        self._await(parts.BALANCER, service.ready, _BALANCER_S)
        self.roster.refuse()
        self.roster.note(front)

    def _begin_copy(self, service: Service, name: str) -> None:
        port = self.ports[name]
        place = Place(
            name=name,
            host=HOST,
            port=port,
            via_port=port,
            url=f"http://{HOST}:{port}",
            ready=service.ready,
            protocol="http",
        )
        own = {"PORT": str(port), **self._clock(name, own=service.own_clock)}
        self._begin(place, service.command, {**service.environment, **own})

    def _begin_listening(self, program: Program) -> None:
        port = self.ports[program.name]
        token = str(self.order.folder / f"{program.name}{TOKEN}") if _is_provider(program) else ""
        place = Place(
            name=program.name,
            host=HOST,
            port=port,
            via_port=self.ports[parts.via(program.name)],
            proxy=program.name,
            control=f"http://{HOST}:{self.ports['toxiproxy']}",
            url=f"http://{HOST}:{port}",
            ready=program.ready,
            protocol="http",
            passfile=token,
        )
        own = {"PORT": str(port), **({"RESILIENCE_PROVIDER_TOKEN_FILE": token} if token else {})}
        own |= self._clock(program.name, own=program.own_clock)
        self._begin(place, program.command, {**self._inherited(), **program.environment, **own})

    def _begin_alone(self, program: Program) -> None:
        place = Place(name=program.name, host=HOST, port=0, via_port=0)
        own = self._clock(program.name, own=program.own_clock)
        self._begin(place, program.command, {**self._inherited(), **program.environment, **own})

    def _clock(self, name: str, *, own: bool) -> Mapping[str, str]:
        """What starts a part with a clock of its own, if it is to have one; that is right at first."""
        if not own:
            return {}
        found = clocks.faketime()
        if found is None:
            raise EnvironmentNotReady(clocks.lacking() or name)
        file = self.order.folder / f"{name}.clock"
        clocks.move(file, clocks.REAL)
        return clocks.environment(found, file)

    def _inherited(self) -> Mapping[str, str]:
        return {} if self.order.service is None else self.order.service.environment

    def _begin(self, place: Place, command: tuple[str, ...], own: Mapping[str, str]) -> None:
        """Start a program of the target with the addresses of the stack in its environment, and write it down."""
        launch = own_launch(self.order, self.base, place.name, self._resolved(command))
        addresses = {
            f"{name.upper().replace('-', '_')}_URL": f"http://{HOST}:{self.ports[parts.via(name)]}"
            for name in (program.name for program in self.order.programs if program.ready)
        }
        environment = {
            **self.base,
            "HOST": HOST,
            **self.stores,
            **addresses,
            "TARGET_BUGS": self.order.bugs,
            "PYTHONPATH": str(self.order.project),
            "TMPDIR": launch.folder,
            **own,
        }
        if place.port:
            self.reservation.release(place.port)  # it may not ask for reuse
        self.roster.begin(
            replace(place, launch=replace(launch, environment=environment, folder=str(self.order.project)))
        )

    def _await(self, name: str, ready: str, timeout_s: float) -> None:
        if name in self.roster.places:
            place = self.roster.places[name]
            self.roster.wait(name, lambda: health.service_ready(place.port, ready), timeout_s)

    def _resolved(self, command: tuple[str, ...]) -> tuple[str, ...]:
        """A command as it was written, with its program's path."""
        first, *rest = command
        if first == "python":
            first = sys.executable
        elif "/" in first:
            first = str(self.order.project / first)
        else:
            first = shutil.which(first, path=self.base["PATH"]) or first
        return (first, *rest)


def own_launch(order: Order, base: Mapping[str, str], name: str, argv: tuple[str, ...]) -> Launch:
    """How a program of the stack is started, in a folder of its own."""
    (order.folder / name).mkdir(exist_ok=True)
    return Launch(
        name=name,
        argv=argv,
        environment=base,
        folder=str(order.folder / name),
        log=str(order.folder / f"{name}.log"),
        tag=order.tag,
    )


def store_addresses(ports: Mapping[str, int], *, passfile: Path, redis_password: Path) -> dict[str, str]:
    """How the target reaches PostgreSQL and Redis: by way of the proxies, with the passwords in files."""
    names = {"DATABASE_URL": "postgres", "DATABASE_REPLICA_URL": parts.REPLICA}
    return {
        **{
            name: f"postgresql://{postgres.SHOP}@{HOST}:{ports[parts.via(part)]}/{postgres.SHOP}"
            for name, part in names.items()
            if part in ports
        },
        "PGPASSFILE": str(passfile),
        "REDIS_URL": f"redis://{HOST}:{ports[parts.via('redis')]}/0",
        "REDIS_PASSWORD_FILE": str(redis_password),
    }


def _is_provider(program: Program) -> bool:
    """Whether a program is our stand-in for a provider, which is steered by a token."""
    return "resilience.provider" in program.command
