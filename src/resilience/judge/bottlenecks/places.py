"""Where a bottleneck can be, and what helps there."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Place(StrEnum):
    """Where a limit can be met."""

    CPU = "cpu"  # processor time of the service
    POOL = "pool"  # connections of the service to something
    DATABASE = "database"
    DISK = "disk"
    CACHE = "cache"
    PROVIDER = "provider"  # of a model
    NETWORK = "network"
    DEPENDENCY = "dependency"  # another service
    MEMORY = "memory"
    HOST = "host"  # the machine as a whole


TITLES: Mapping[Place, str] = MappingProxyType(
    {
        Place.CPU: "processor time of the service",
        Place.POOL: "pool of connections",
        Place.DATABASE: "database",
        Place.DISK: "disk of the database",
        Place.CACHE: "cache",
        Place.PROVIDER: "model provider",
        Place.NETWORK: "network to the database",
        Place.DEPENDENCY: "another service",
        Place.MEMORY: "memory",
        Place.HOST: "the machine",
    }
)

ADVICE: Mapping[Place, str] = MappingProxyType(
    {
        Place.CPU: "Give the service more processor time, or run more copies of it; a profile under this load shows "
        "what it spends it on.",
        Place.POOL: "Enlarge the pool, if the database has room for more connections, or keep each connection for a "
        "shorter time: nothing slow between taking it and giving it back.",
        Place.DATABASE: "Look at the statements that take most time (indexes, rows read), at who holds locks, and at "
        "the processor time of the database, before adding connections: they would wait there instead.",
        Place.DISK: "Give the database a faster disk, write less (fewer indexes, larger batches), or commit several "
        "writes together.",
        Place.CACHE: "Look for slow commands (SLOWLOG), for keys that everybody asks for, and at memory and evictions; "
        "one Redis has one thread, so several share the load.",
        Place.PROVIDER: "Ask the model less often (cache answers, batch questions), allow more calls at once if its "
        "quota does, or answer without it while it is slow.",
        Place.NETWORK: "Look at the bandwidth and losses between the service and the database, at the size of results, "
        "and at how many round trips a request makes.",
        Place.DEPENDENCY: "Look at that service under the same load; a limit on calls at once keeps it from holding up "
        "the rest.",
        Place.MEMORY: "Give it more memory, or find what keeps it.",
        Place.HOST: "Give the machine more processors, or move what else runs on it.",
    }
)

_WORDS: tuple[tuple[tuple[str, ...], Place], ...] = (
    (("postgres", "database", "mysql", "mariadb", "sql", "db"), Place.DATABASE),
    (("redis", "cache", "valkey", "memcache"), Place.CACHE),
    (("provider", "model", "llm", "openai", "inference"), Place.PROVIDER),
)


def place_of(name: str) -> Place | None:
    """What the name of a part or of a dependency says it is; None for one that says nothing."""
    name = name.lower()
    return next((place for words, place in _WORDS if any(word in name for word in words)), None)
