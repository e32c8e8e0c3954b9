"""The stack as declared, and the parts of one that runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How a stack runs the target: a command with the stack's addresses in its environment.

    The environment has `PORT`, `DATABASE_URL` (no password: it is in `PGPASSFILE`), `REDIS_URL` and whatever
    `environment` adds. `python` as the first word is this interpreter. Paths are relative to the experiment's folder's
    nearest ancestor with a `pyproject.toml`, or to the experiment's folder.

    Attributes:
        ready: HTTP path that answers 200 once it can serve.
        copies: how many run; with more than one they are the parts `service-1`, `service-2`, … behind a load balancer.
        own_clock: whether its clock can be moved, by `process.clock`; it is started with libfaketime then.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: str = "/ready"
    start_timeout_s: float = 20.0
    copies: int = 1
    own_clock: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A further program of the target, a part of the stack under its own name: a worker, a provider, a second service.

    It has the service's environment. With `ready` it listens on `PORT`, and every other program finds its address, by
    way of a proxy, in `<NAME>_URL` (`PROVIDER_URL`).

    Attributes:
        name: of the part.
        ready: HTTP path that answers 200 once it can serve; empty if it does not listen.
        own_clock: as of the service.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: str = ""
    start_timeout_s: float = 20.0
    own_clock: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSpec:
    """Which stack runs the target: `embedded`, `compose`, `kubernetes` or `external`.

    Attributes:
        service: the target itself.
        programs: what belongs to it besides.
        postgres_disk_mb: size of a small file system for PostgreSQL's data folder; 0 is the machine's disk.
        postgres_replica: whether a second PostgreSQL follows it, the part `postgres-replica`, which the service finds
            in `DATABASE_REPLICA_URL`.
    """

    use: str = "embedded"
    service: Service | None = None
    programs: tuple[Program, ...] = ()
    postgres_disk_mb: int = 0
    postgres_replica: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A process that cannot be mistaken for another with the same number.

    Attributes:
        pid: process number.
        start_ticks: start time since boot in clock ticks (field 22 of `/proc/PID/stat`).
        boot: the kernel's boot id, without which ticks mean nothing.
    """

    pid: int
    start_ticks: int
    boot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Everything needed to start a program again, from any process. Holds no secret: those are in files it names."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str
    log: str
    tag: str
    user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A part of the stack as faults and collectors see it.

    Attributes:
        name: `postgres`, `redis`, `toxiproxy`, `service`.
        host, port: where it listens itself.
        via_port: where the service reaches it, if through a proxy; else the same as `port`.
        proxy: name of the toxiproxy proxy in front of it; empty if there is none.
        control: base address of the toxiproxy API; empty if there is none.
        identity: its process, where the stack knows it (re-read at each use: a restart changes it).
        launch: how to start it again; None if the stack cannot.
        state: path of the stack's state file, in which a restart writes the new identity.
        url: HTTP base address, for the service.
        ready: HTTP path that answers 200 once it can serve.
        dsn: connection string without password, for PostgreSQL.
        passfile: path of the file with the password: of PostgreSQL in the format of `PGPASSFILE`, of Redis the
            password alone.
        user: the role as which the service connects to PostgreSQL, whose password is in the same file.
        protocol: what is spoken there: `redis`, `postgres`, `http`; empty if that is not known.
        wire: base address of the control API of our protocol proxy in the way to it, if one is there.
        wire_proxy: name of the proxy in it.
        container: name or id of the container that it is, for a Docker engine.
        context: of the Kubernetes configuration; with it,
        namespace, workload: where it runs there, and as what: `deployment/cart`.
    """

    name: str
    host: str
    port: int
    via_port: int
    proxy: str = ""
    control: str = ""
    identity: Identity | None = None
    launch: Launch | None = None
    state: str = ""
    url: str = ""
    dsn: str = ""
    passfile: str = ""
    user: str = ""
    ready: str = ""
    protocol: str = ""
    wire: str = ""
    wire_proxy: str = ""
    container: str = ""
    context: str = ""
    namespace: str = ""
    workload: str = ""
