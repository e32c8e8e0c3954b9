"""A case for every kind of fault, a module per mechanism."""

from tests.faults.case import Case
from tests.faults.cases import (
    cgroup,
    docker,
    kubernetes,
    network,
    postgres,
    process,
    protocol,
    provider,
    redis,
    toxiproxy,
)

CASES: dict[str, Case] = {
    **toxiproxy.CASES,
    **process.CASES,
    **cgroup.CASES,
    **docker.CASES,
    **kubernetes.CASES,
    **postgres.CASES,
    **redis.CASES,
    **provider.CASES,
    **network.CASES,
    **protocol.CASES,
}
