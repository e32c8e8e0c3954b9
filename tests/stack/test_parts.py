from resilience.model import Program, Service
from resilience.stack import parts

SHOP = Service(command=("shop",))
WORKER = Program(name="worker", command=("work",))
PROVIDER = Program(name="provider", command=("provide",), ready="/health")


def test_a_stack_has_its_servers_and_what_was_asked_for():
    """One copy is the part `service` itself; several have numbers, and the part `service` is their front."""
    assert parts.names(None, ()) == parts.SERVERS
    assert parts.names(SHOP, (WORKER, PROVIDER)) == (*parts.SERVERS, "worker", "provider", "service")
    two = Service(command=("shop",), copies=2)
    assert parts.names(two, ()) == (*parts.SERVERS, "service-1", "service-2", "balancer", "service")
    assert parts.names(None, (), ("redis",)) == (*parts.SERVERS, "wire")
    assert parts.names(None, (), replica=True) == (*parts.SERVERS, "postgres-replica")
    assert parts.copies(None) == ()


def test_every_port_is_needed_once():
    """Two for what is behind a proxy; none for what does not listen."""
    needed = parts.ports(Service(command=("shop",), copies=2), (WORKER, PROVIDER))
    assert len(set(needed)) == len(needed)
    assert set(needed[5:]) == {"provider", parts.via("provider"), "service-1", "service-2", "service"}
    assert len(parts.ports(SHOP, ())) == 6
    assert len(parts.ports(None, ())) == 5
    assert set(parts.proxied((WORKER, PROVIDER))) == {"postgres", "redis", "provider"}
    more = set(parts.ports(SHOP, (), replica=True)) - set(parts.ports(SHOP, ()))
    assert more == {"postgres-replica", parts.via("postgres-replica")}
    assert set(parts.proxied((), replica=True)) == {"postgres", "postgres-replica", "redis"}


def test_a_program_cannot_have_the_name_of_something_else():
    """Of a server, of a copy, of an address in the environment, or of another program."""
    names = ("redis", "database", "service-2", "balancer", "worker", "worker", "service-3")
    asked = [Program(name=name, command=("x",)) for name in names]
    found = list(parts.clashes(Service(command=("shop",), copies=2), asked))
    assert [problem.where.rpartition(" ")[2] for problem in found] == [
        "redis",
        "database",
        "service-2",
        "balancer",
        "worker",
    ]
