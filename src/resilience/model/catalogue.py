"""Every metric that our own collectors read: name, unit, whether it is counted, what it means; and shares of two."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class Unit(StrEnum):
    """Units of series. What is counted is given per second."""

    CORES = "cores"
    BYTES = "bytes"
    BYTES_PER_S = "bytes_per_s"
    RATIO = "ratio"  # a share of 1
    COUNT = "count"
    PER_S = "per_s"
    SECONDS = "seconds"


class Metric(NamedTuple):
    """One metric.

    Attributes:
        unit: of a counter, that of its rate.
        counter: whether what is read only grows; the record's readers see its rate.
        limit: what the limit is; empty if there is none.
    """

    unit: Unit
    means: str
    limit: str = ""
    counter: bool = False


def _counted(unit: Unit, means: str, limit: str = "") -> Metric:
    return Metric(unit, means, limit, counter=True)


_CORES, _BYTES, _FLOW = Unit.CORES, Unit.BYTES, Unit.BYTES_PER_S
_COUNT, _RATE, _SHARE, _SECONDS = Unit.COUNT, Unit.PER_S, Unit.RATIO, Unit.SECONDS

SYSTEM: Mapping[str, Metric] = {
    "host.cpu": _counted(_CORES, "Processor time of the whole machine", "cores of the machine"),
    "host.cpu.waiting": _counted(_CORES, "Processors idle while something waits for a disk", "cores"),
    "host.cpu.stolen": _counted(_CORES, "Processor time that the hypervisor gave to others", "cores"),
    "host.memory.used": Metric(_BYTES, "Memory that is not available to a new program", "all memory"),
    "host.swap.used": Metric(_BYTES, "Swap space in use", "all swap space"),
    "host.disk.read": _counted(_FLOW, "Bytes read from the disks"),
    "host.disk.written": _counted(_FLOW, "Bytes written to the disks"),
    "host.disk.busy": _counted(_SHARE, "Share of the time that the busiest disk was busy", "1"),
    "host.disk.space.used": Metric(_BYTES, "Space used where runs are recorded", "size of that file system"),
    "host.network.received": _counted(_FLOW, "Bytes received, loopback included"),
    "host.network.sent": _counted(_FLOW, "Bytes sent, loopback included"),
    "process.cpu": _counted(
        _CORES, "Processor time of all processes of the part", "cores, or the quota of its control group"
    ),
    "process.memory": Metric(
        _BYTES, "Resident memory of all processes; what they share is counted once", "memory of its group"
    ),
    "process.count": Metric(_COUNT, "Processes of the part"),
    "process.threads": Metric(_COUNT, "Threads of all its processes"),
    "process.files": Metric(_COUNT, "Open files and sockets of all its processes", "of a single process, its own"),
    "process.read": _counted(_FLOW, "Bytes its processes had read from disks"),
    "process.written": _counted(_FLOW, "Bytes its processes had written to disks"),
    "process.switches.waited": _counted(_RATE, "Context switches because it waited (first threads)"),
    "process.switches.preempted": _counted(_RATE, "Context switches because it had to go (first threads)"),
    "cgroup.periods.throttled": _counted(_RATE, "Periods in which its control group had to wait for its quota"),
    "cgroup.periods.free": _counted(_RATE, "Periods in which it had not"),
    "cgroup.memory": Metric(_BYTES, "Memory of its control group, cache included", "of the group"),
    "cgroup.pids": Metric(_COUNT, "Processes and threads of its control group", "of the group"),
}

POSTGRES: Mapping[str, Metric] = {
    "postgres.connections": Metric(_COUNT, "Sessions of clients, without the collector's", "max_connections"),
    "postgres.connections.active": Metric(_COUNT, "Sessions that carry out a statement", "max_connections"),
    "postgres.connections.idle": Metric(_COUNT, "Sessions that wait for their client", "max_connections"),
    "postgres.connections.idle_in_transaction": Metric(
        _COUNT, "Sessions that wait for their client in a transaction", "max_connections"
    ),
    "postgres.waits.lock": Metric(_COUNT, "Active sessions that wait for a lock that another session holds"),
    "postgres.waits.lwlock": Metric(_COUNT, "Active sessions that wait for an internal lock"),
    "postgres.waits.io": Metric(_COUNT, "Active sessions that wait for the disk"),
    "postgres.waits.ipc": Metric(_COUNT, "Active sessions that wait for another process of the server"),
    "postgres.waits.client": Metric(_COUNT, "Active sessions that wait to send or receive"),
    "postgres.waits.other": Metric(_COUNT, "Active sessions that wait for anything else"),
    "postgres.queries.longest": Metric(_SECONDS, "How long the longest statement has been going on"),
    "postgres.queries.slow": Metric(_COUNT, "Statements that have been going on for more than a second"),
    "postgres.transactions.oldest": Metric(_SECONDS, "How long the oldest transaction has been open"),
    "postgres.transactions.committed": _counted(_RATE, "Transactions committed, the collector's among them"),
    "postgres.transactions.rolled_back": _counted(_RATE, "Transactions rolled back"),
    "postgres.blocks.hit": _counted(_RATE, "Pages found in the server's cache"),
    "postgres.blocks.read": _counted(_RATE, "Pages that were not, and had to be read"),
    "postgres.rows.returned": _counted(_RATE, "Rows read by scans"),
    "postgres.rows.fetched": _counted(_RATE, "Rows fetched by index"),
    "postgres.rows.written": _counted(_RATE, "Rows inserted, updated or deleted"),
    "postgres.scans.index": _counted(_RATE, "Scans of user tables by index"),
    "postgres.scans.sequential": _counted(_RATE, "Scans of whole user tables"),
    "postgres.rows.dead": Metric(_COUNT, "Dead rows in user tables, as estimated"),
    "postgres.deadlocks": _counted(_RATE, "Deadlocks"),
    "postgres.temp.files": _counted(_RATE, "Temporary files made by queries"),
    "postgres.temp.written": _counted(_FLOW, "Bytes written to temporary files"),
    "postgres.wal": _counted(_FLOW, "Write-ahead log written"),
    "postgres.size": Metric(_BYTES, "Size of the database, read every ten seconds"),
    "postgres.size.tables": Metric(_BYTES, "Size of the user tables, read every ten seconds"),
    "postgres.size.indexes": Metric(_BYTES, "Size of their indexes, read every ten seconds"),
    "postgres.replication.lag": Metric(_SECONDS, "On a replica: age of the last transaction replayed, 0 if none waits"),
    "postgres.replication.behind": Metric(_BYTES, "On a primary: log that the slowest replica has not replayed"),
    "postgres.replicas": Metric(_COUNT, "On a primary: replicas that are connected"),
}

REDIS: Mapping[str, Metric] = {
    "redis.memory.used": Metric(_BYTES, "Memory used by data and buffers", "maxmemory, if it is set"),
    "redis.memory.rss": Metric(_BYTES, "Resident memory of the process"),
    "redis.clients": Metric(_COUNT, "Connections, the collector's among them", "maxclients"),
    "redis.clients.blocked": Metric(_COUNT, "Connections that wait in a blocking command"),
    "redis.operations": _counted(_RATE, "Commands carried out"),
    "redis.connections": _counted(_RATE, "Connections accepted"),
    "redis.connections.rejected": _counted(_RATE, "Connections rejected at maxclients"),
    "redis.hits": _counted(_RATE, "Look-ups that found their key"),
    "redis.misses": _counted(_RATE, "Look-ups that did not"),
    "redis.evictions": _counted(_RATE, "Keys evicted at maxmemory"),
    "redis.expired": _counted(_RATE, "Keys expired"),
    "redis.keys": Metric(_COUNT, "Keys in all databases"),
    "redis.received": _counted(_FLOW, "Bytes received"),
    "redis.sent": _counted(_FLOW, "Bytes sent"),
    "redis.cpu": _counted(_CORES, "Processor time of the server"),
    "redis.slowlog": Metric(_COUNT, "Entries of the slow log"),
    "redis.stream.length": Metric(_COUNT, "Entries of a stream; of PART/STREAM"),
    "redis.stream.pending": Metric(_COUNT, "Entries given to a group and not acknowledged; of PART/STREAM/GROUP"),
    "redis.stream.backlog": Metric(_COUNT, "Entries not yet given to a group, as Redis says; of PART/STREAM/GROUP"),
}

TOXIPROXY: Mapping[str, Metric] = {
    "toxiproxy.proxies": Metric(_COUNT, "Proxies"),
    "toxiproxy.proxies.disabled": Metric(_COUNT, "Proxies that are switched off"),
    "toxiproxy.toxics": Metric(_COUNT, "Toxics, ours and others'"),
    "toxiproxy.toxics.foreign": Metric(_COUNT, "Toxics that are not ours"),
}

KUBERNETES: Mapping[str, Metric] = {
    "kubernetes.cpu": Metric(_CORES, "Processor time of a pod by metrics.k8s.io; of NAMESPACE/POD", "its limits"),
    "kubernetes.memory": Metric(_BYTES, "Memory of a pod by metrics.k8s.io; of NAMESPACE/POD", "its limits"),
    "kubernetes.pods": Metric(_COUNT, "Pods of which metrics are known; of NAMESPACE"),
}

COLLECTORS: Mapping[str, Mapping[str, Metric]] = {
    "system": SYSTEM,
    "postgres": POSTGRES,
    "redis": REDIS,
    "toxiproxy": TOXIPROXY,
    "kubernetes": KUBERNETES,
}
"""Collector → what it reads. What `metrics` and `prometheus` read is named in the file."""

METRICS: Mapping[str, Metric] = {name: one for group in COLLECTORS.values() for name, one in group.items()}

SHARES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "redis.hit_ratio": ("redis.hits", "redis.misses"),
        "postgres.cache.hit_ratio": ("postgres.blocks.hit", "postgres.blocks.read"),
        "postgres.index.use": ("postgres.scans.index", "postgres.scans.sequential"),
        "cgroup.throttled": ("cgroup.periods.throttled", "cgroup.periods.free"),
    }
)
"""Shares that are made of two rates a and b, as a / (a + b); there is none where both are 0.

Over a longer stretch it is Σa / (Σa + Σb), which the mean of the shares is not.
"""
