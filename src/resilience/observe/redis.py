"""Redis, asked what it says of itself: `INFO`, the length of its slow log, and streams that the file names."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import redis

from resilience.model import Json, Place
from resilience.model.resources import Reading
from resilience.observe.catalogue import reading
from resilience.observe.connections import to_redis
from resilience.observe.watcher import FAILURES

NAME = "resilience-resources"

_FIELDS: Mapping[str, str] = {
    "redis.memory.rss": "used_memory_rss",
    "redis.clients.blocked": "blocked_clients",
    "redis.operations": "total_commands_processed",
    "redis.connections": "total_connections_received",
    "redis.connections.rejected": "rejected_connections",
    "redis.hits": "keyspace_hits",
    "redis.misses": "keyspace_misses",
    "redis.evictions": "evicted_keys",
    "redis.expired": "expired_keys",
    "redis.received": "total_net_input_bytes",
    "redis.sent": "total_net_output_bytes",
}


class Redis:
    """Reads one server over one connection.

    Args:
        place: the server.
        streams: names of streams whose length and groups are read.
    """

    collector = "redis"

    def __init__(self, place: Place, streams: Sequence[str] = ()) -> None:
        self.of = place.name
        self._place, self._streams = place, tuple(streams)
        self._client: Any = None
        self._run_id = ""

    def read(self) -> Sequence[Reading]:
        """What it says now."""
        try:
            if self._client is None:
                self._client = to_redis(self._place, NAME)
            with self._client.pipeline(transaction=False) as pipeline:
                pipeline.info("default")
                pipeline.slowlog_len()
                for name in self._streams:
                    pipeline.xinfo_stream(name)
                    pipeline.xinfo_groups(name)
                info, slow, *streams = pipeline.execute(raise_on_error=False)
            for answer in (info, slow):
                if isinstance(answer, Exception):
                    raise answer
        except FAILURES:
            self.close()
            raise
        anew, self._run_id = self._run_id not in {"", info["run_id"]}, info["run_id"]
        found = [*_readings(self.of, info, anew=anew), reading("redis.slowlog", self.of, slow)]
        for name, stream, groups in zip(self._streams, streams[::2], streams[1::2], strict=True):
            found += _stream(f"{self.of}/{name}", stream, groups)
        return found

    def close(self) -> Mapping[str, Json]:
        """Close the connection."""
        if self._client is not None:
            with suppress(*FAILURES):
                self._client.close()
            self._client = None
        return {}


def _readings(of: str, info: Mapping[str, Any], *, anew: bool) -> Iterator[Reading]:
    """What `INFO` says; a field that an older server does not have is left out."""
    most = float(info.get("maxmemory", 0)) or None
    yield reading("redis.memory.used", of, info["used_memory"], most)
    yield reading("redis.clients", of, info["connected_clients"], float(info.get("maxclients", 0)) or None)
    for name, field in _FIELDS.items():
        if field in info:
            yield reading(name, of, info[field], anew=anew)
    keys = [value["keys"] for name, value in info.items() if name.startswith("db") and isinstance(value, Mapping)]
    yield reading("redis.keys", of, sum(keys))
    if "used_cpu_sys" in info:
        yield reading("redis.cpu", of, float(info["used_cpu_sys"]) + float(info["used_cpu_user"]), 1.0, anew=anew)


def _stream(of: str, stream: Any, groups: Any) -> Iterator[Reading]:  # noqa: ANN401 - answers, or errors
    """A stream and its groups; one that is not there yet is empty."""
    if isinstance(stream, redis.ResponseError):
        yield reading("redis.stream.length", of, 0.0)
        return
    yield reading("redis.stream.length", of, stream["length"])
    for group in groups if isinstance(groups, list) else []:
        which = f"{of}/{group['name']}"
        yield reading("redis.stream.pending", which, group["pending"])
        if group.get("lag") is not None:  # since 7.0, and not where entries were deleted in between
            yield reading("redis.stream.backlog", which, group["lag"])
