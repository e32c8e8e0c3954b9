"""One attempt to start the embedded stack: its servers together, then the target, each healthy before it counts."""

import functools
import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from resilience.host import files, processes
from resilience.model import Launch, Place
from resilience.stack import health, parts, postgres, programs, regions, replica
from resilience.stack.loopback import HOST, Reservation, proxies_ready
from resilience.stack.roster import Roster
from resilience.stack.target import TOKEN, Order, Target, own_launch, store_addresses

REDIS_PASSWORD = "redis.password"  # noqa: S105 - the name of the file that has it
"""The file in the stack's folder with Redis's password."""

PASSFILES = ("shop.pgpass", "admin.pgpass")
"""The files in the stack's folder with PostgreSQL's passwords, a line per user, the password last."""

_SERVER_S = 20.0
"""How long a server may take until it answers."""


def read_secrets(folder: Path) -> tuple[str, ...]:
    """The passwords of the stack in a folder, which must appear in no record; none if there is no such stack."""
    passfiles = [path for name in (*PASSFILES, replica.PASSFILE) if (path := folder / name).exists()]
    lines = [line for path in passfiles for line in path.read_text().splitlines()]
    found = list(dict.fromkeys(line.rpartition(":")[2] for line in lines))
    found += [
        path.read_text().strip() for path in (folder / REDIS_PASSWORD, *folder.glob(f"*{TOKEN}")) if path.exists()
    ]
    return tuple(secret for secret in found if secret)


class Start:
    """One attempt to start a stack in its new, empty folder. Whoever called cleans up after a failure."""

    def __init__(self, order: Order, found: Mapping[str, programs.Program], reservation: Reservation) -> None:
        self._order = order
        self._found = found
        self._reservation = reservation
        second = order.postgres_replica
        wanted = parts.ports(order.service, order.programs, order.wired, order.regions, replica=second)
        self._port = dict(zip(wanted, reservation.ports, strict=True))
        self._folder = order.folder
        self._roster = Roster(order.folder, tag=order.tag, bugs=order.bugs)
        self._redis_password = secrets.token_urlsafe(24)
        self._base = {"PATH": programs.search_path(order.environment), "LANG": "C.UTF-8", "HOME": str(Path.home())}

    def run(self) -> None:
        """Servers together, then the target, each healthy before it counts."""
        shop, admin = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        shop_file = postgres.passfile(self._folder / PASSFILES[0], {postgres.SHOP: shop})
        # Who gives faults also looks as the service does.
        both = {postgres.ADMIN: admin, postgres.SHOP: shop}
        admin_file = postgres.passfile(self._folder / PASSFILES[1], both)
        self._roster.attempt(self._redis)
        if self._order.wired:
            self._roster.attempt(self._wire)
        self._roster.attempt(self._toxiproxy)
        server = postgres.Server(
            self._found["postgres"],
            postgres.server_user(),
            self._folder,
            {**self._base, processes.TAG: self._order.tag},
            self._order.postgres_disk_mb,
            replica.kept(self._order.postgres_disk_mb) if self._order.postgres_replica else {},
        )
        present: list[tuple[Path, str]] = []
        self._roster.attempt(lambda: present.append(self._postgres(server, admin_file)))
        self._await_servers(present[0][1] if present else "")
        if any(problem.where == "postgres" and not health.is_clash(problem) for problem in self._roster.problems):
            server.discard_template()
        self._roster.refuse()
        postgres.furnish(self._port["postgres"], present[0][1], admin=admin, shop=shop)
        if self._order.postgres_replica:
            self._roster.attempt(self._replica, replica.Replica(server), present[0][0], admin_file)
            self._roster.refuse()
        redis_password = self._folder / REDIS_PASSWORD
        Target(
            order=self._order,
            ports=self._port,
            reservation=self._reservation,
            roster=self._roster,
            base=self._base,
            stores=store_addresses(self._port, passfile=shop_file, redis_password=redis_password),
            found=self._found,
        ).start()

    def _launch(self, name: str, argv: tuple[str, ...]) -> Launch:
        return own_launch(self._order, self._base, name, argv)

    def _redis(self) -> None:
        config = self._folder / "redis.conf"
        lines = (
            f"bind {HOST}",
            f"port {self._port['redis']}",
            "protected-mode yes",
            f"requirepass {self._redis_password}",
            'save ""',
            "appendonly no",
            "daemonize no",
        )
        files.write_durably(config, "\n".join((*lines, "")).encode())
        files.write_durably(self._folder / REDIS_PASSWORD, self._redis_password.encode())
        launch = self._launch("redis", (str(self._found["redis-server"].path), str(config)))
        place = self._behind_proxy("redis", launch)
        self._roster.begin(replace(place, protocol="redis", passfile=str(self._folder / REDIS_PASSWORD)))

    def _wire(self) -> None:
        """The proxy that understands protocols, between toxiproxy and the parts that have faults of that kind."""
        port = self._port
        proxies = [
            {
                "name": name,
                "listen": f"{HOST}:{port[parts.before(name)]}",
                "upstream": f"{HOST}:{port[name]}",
                "protocol": name,
            }
            for name in self._order.wired
        ]
        config = self._folder / "wire.json"
        files.write_json(config, proxies)
        own = port[parts.WIRE]
        told = ("-host", HOST, "-port", str(own), "-config", str(config))
        launch = self._launch(parts.WIRE, (*programs.own_proxy().argv, *told))
        control = f"http://{HOST}:{own}"
        self._roster.begin(Place(name=parts.WIRE, host=HOST, port=own, via_port=own, control=control, launch=launch))

    def _toxiproxy(self) -> None:
        port = self._port
        proxies = [
            {
                "name": name,
                "listen": f"{HOST}:{port[parts.via(name)]}",
                "upstream": f"{HOST}:{port[parts.before(name) if name in self._order.wired else name]}",
                "enabled": True,
            }
            for name in parts.proxied(self._order.programs, replica=self._order.postgres_replica)
        ]
        proxies += regions.proxies(self._order.regions, port)
        config = self._folder / "proxies.json"
        files.write_json(config, proxies)
        told = ("-host", HOST, "-port", str(port["toxiproxy"]), "-config", str(config))
        launch = self._launch("toxiproxy", (*self._found["toxiproxy-server"].argv, *told))
        control = f"http://{HOST}:{port['toxiproxy']}"
        own = port["toxiproxy"]
        self._roster.begin(Place(name="toxiproxy", host=HOST, port=own, via_port=own, control=control, launch=launch))

    def _postgres(self, server: postgres.Server, passfile: Path) -> tuple[Path, str]:
        """Start PostgreSQL; return its program, and the superuser's present password."""
        program, password = server.prepare()
        if self._order.postgres_replica:
            replica.Replica(server).prepare()  # while nobody writes there
        launch = server.launch(program, self._port["postgres"], self._order.tag)
        self._begin_postgres(launch, passfile)
        return program, password

    def _replica(self, second: replica.Replica, program: Path, passfile: Path) -> None:
        """Start what follows PostgreSQL, once that one serves and lets it in."""
        port, password = self._port, secrets.token_urlsafe(24)
        replica.admit(port["postgres"], str(passfile), password)
        second.keep(password)
        launch = second.launch(program, port[parts.REPLICA], port["postgres"], self._order.tag)
        self._begin_postgres(launch, passfile)
        follows = functools.partial(replica.follows, port[parts.REPLICA], port["postgres"], str(passfile))
        self._roster.wait(parts.REPLICA, follows, _SERVER_S)

    def _begin_postgres(self, launch: Launch, passfile: Path) -> None:
        place = self._behind_proxy(launch.name, launch)
        dsn = f"postgresql://{postgres.ADMIN}@{HOST}:{place.port}/{postgres.SHOP}"
        self._roster.begin(replace(place, dsn=dsn, passfile=str(passfile), user=postgres.SHOP, protocol="postgres"))

    def _behind_proxy(self, name: str, launch: Launch) -> Place:
        port, via = self._port[name], self._port[parts.via(name)]
        control = f"http://{HOST}:{self._port['toxiproxy']}"
        place = Place(name=name, host=HOST, port=port, via_port=via, proxy=name, control=control, launch=launch)
        if name in self._order.wired:
            return replace(place, wire=f"http://{HOST}:{self._port[parts.WIRE]}", wire_proxy=name)
        return place

    def _await_servers(self, password: str) -> None:
        """Wait for the servers that were started, each as the service will reach it."""
        port, ill = self._port, {problem.where for problem in self._roster.problems}
        # Not through a toxiproxy that does not work: Redis would be blamed for it.
        redis = port["redis" if "toxiproxy" in ill else parts.via("redis")]
        checks: dict[str, health.Check] = {
            parts.WIRE: lambda: proxies_ready(port[parts.WIRE], self._order.wired),
            "toxiproxy": lambda: proxies_ready(
                port["toxiproxy"],
                parts.proxied(self._order.programs, self._order.regions, replica=self._order.postgres_replica),
            ),
            "redis": lambda: health.redis_answers(redis, self._redis_password),
            "postgres": lambda: postgres.answers(port["postgres"], password=password),
        }
        for name, check in checks.items():
            if name in self._roster.places:
                self._roster.wait(name, check, _SERVER_S)
