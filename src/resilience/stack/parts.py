"""Which parts an embedded stack has, and which ports they need: known before anything is started."""

from collections.abc import Iterable, Iterator, Sequence

from resilience.model import Problem, Program, Region, Service

SERVERS = ("postgres", "redis", "toxiproxy")
"""The parts that every embedded stack has."""

SERVICE = "service"
"""The part that clients talk to: the service itself, or the front of the load balancer before its copies."""

BALANCER = "balancer"
"""The load balancer's process, where there is one."""

REPLICA = "postgres-replica"
"""A PostgreSQL that follows the first one, where a replica is asked for."""

_FIXED = ("postgres", "postgres, proxied", "redis", "redis, proxied", "toxiproxy")
WIRE = "wire"
"""The proxy that understands protocols, where a fault needs one."""

WIRED = ("postgres", "redis")
"""The parts that it can stand in front of."""

_TAKEN = (*SERVERS, SERVICE, BALANCER, WIRE, REPLICA, "database", "database-replica")
"""Names that a program of the target cannot have: a part has it, or an address of the stack is called so."""


def copies(service: Service | None) -> tuple[str, ...]:
    """The parts that run the service: `service`, or `service-1`, `service-2`, … behind a load balancer."""
    if service is None:
        return ()
    if service.copies == 1:
        return (SERVICE,)
    return tuple(f"{SERVICE}-{number}" for number in range(1, service.copies + 1))


def balanced(service: Service | None) -> bool:
    """Whether there is a load balancer."""
    return service is not None and service.copies > 1


def ways(regions: Iterable[Region]) -> tuple[str, ...]:
    """The parts by which regions reach the service on ways of their own, each a proxy before it."""
    return tuple(f"{SERVICE}-{region.name}" for region in regions if region.latency_s is not None)


def names(
    service: Service | None,
    programs: Iterable[Program],
    wired: Sequence[str] = (),
    regions: Sequence[Region] = (),
    *,
    replica: bool = False,
) -> tuple[str, ...]:
    """The parts of a stack that runs a service and further programs; the rest as in `ports`."""
    front = (BALANCER, SERVICE) if balanced(service) else ()
    wire = (WIRE,) if wired else ()
    far = ways(regions) if service is not None else ()
    servers = (*SERVERS, REPLICA) if replica else SERVERS
    return (*servers, *wire, *(program.name for program in programs), *copies(service), *front, *far)


def proxied(programs: Iterable[Program], regions: Sequence[Region] = (), *, replica: bool = False) -> tuple[str, ...]:
    """The parts with a toxiproxy proxy in front of them, which has their name."""
    second = (REPLICA,) if replica else ()
    return ("postgres", *second, "redis", *(program.name for program in programs if program.ready), *ways(regions))


def via(name: str) -> str:
    """What the port of the proxy in front of a part is called in `ports`."""
    return f"{name}, proxied"


def before(name: str) -> str:
    """What the port of the proxy that understands protocols is called in `ports`, where it stands before a part."""
    return f"{name}, wired"


def ports(
    service: Service | None,
    programs: Iterable[Program],
    wired: Sequence[str] = (),
    regions: Sequence[Region] = (),
    *,
    replica: bool = False,
) -> tuple[str, ...]:
    """What ports are needed for.

    Args:
        service: the target itself.
        programs: what belongs to it besides.
        wired: the parts with a proxy that understands protocols before them.
        regions: those with a latency have a proxy before the service.
        replica: whether PostgreSQL has one that follows it.
    """
    second = (REPLICA, via(REPLICA)) if replica else ()
    listening = [program.name for program in programs if program.ready]
    front = (SERVICE,) if balanced(service) else ()
    wire = (WIRE, *(before(name) for name in wired)) if wired else ()
    far = tuple(via(name) for name in ways(regions))
    own = (*_FIXED, *second, *wire, *(word for name in listening for word in (name, via(name))))
    return (*own, *copies(service), *front, *far)


def clashes(service: Service | None, programs: Sequence[Program]) -> Iterator[Problem]:
    """What is wrong with the names of the programs."""
    taken = {*_TAKEN, *copies(service)}
    for program in programs:
        if program.name in taken:
            yield Problem(
                where=f"stack.programs, {program.name}",
                message=f"the name {program.name!r} is taken",
                hint="choose another name",
            )
        taken.add(program.name)
