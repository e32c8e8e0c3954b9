"""Removing what a run wrote to Redis: keys, or entries of a stream, a list or a hash. Nothing else is removed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from typing import Any

import redis

from resilience.errors import RecordError
from resilience.model import Json, Problem, RedisTruth
from resilience.observe.truth_redis import RedisAddress, escaped
from resilience.observe.values import Paths

BATCH = 1000
_PREFIX = "{prefix}"


class RedisRemover:
    """Keys of Redis: found by SCAN, removed by UNLINK.

    Args:
        address: of the server.
        pattern: of keys, with `{prefix}`.
        prefix: of the run's ids.
    """

    def __init__(self, address: RedisAddress, pattern: str, prefix: str) -> None:
        self._address, self._prefix = address, prefix
        self._pattern = pattern.replace(_PREFIX, prefix)
        self.where = f"{address}: keys {self._pattern}"

    def count(self) -> int:
        """Keys, each counted once."""
        return len(self._walk(remove=False))

    def remove(self) -> int:
        """Keys that are gone."""
        return len(self._walk(remove=True))

    def _walk(self, *, remove: bool) -> set[bytes]:
        found: set[bytes] = set()
        with _session(self._address, self.where) as client:
            keys = (key for key in client.scan_iter(match=self._pattern, count=BATCH) if self._ours(key))
            while batch := list(islice(keys, BATCH)):
                found.update(batch)
                if remove:
                    client.unlink(*batch)
        return found

    def _ours(self, key: bytes) -> bool:
        return self._prefix.encode() in key


class RedisEntriesRemover:
    """Entries of a stream (XDEL), a list (LREM, which goes through all of it for each) or a hash (HDEL).

    What others store there meanwhile stays: an entry is removed by its own name, or as the very element that it is.

    Args:
        address: of the server.
        source: what is stored there, and how: the truth's.
        prefix: of the run's ids.
    """

    def __init__(self, address: RedisAddress, source: RedisTruth, prefix: str) -> None:
        self._address, self._source, self._prefix = address, source, prefix
        self.where = f"{address}: entries of the {source.type} {source.key}"
        self._paths = Paths(self.where, source.id, source.body, source.position)

    def count(self) -> int:
        """Entries that are there."""
        with _session(self._address, self.where) as client:
            return len(self._found(client))

    def remove(self) -> int:
        """Entries that are gone."""
        key = self._source.key
        with _session(self._address, self.where) as client:
            names = self._found(client)
            if self._source.type == "list":
                return sum(int(client.lrem(key, 0, one)) for one in dict.fromkeys(names))
            by_name = client.xdel if self._source.type == "stream" else client.hdel
            return sum(int(by_name(key, *names[at : at + BATCH])) for at in range(0, len(names), BATCH))

    def _found(self, client: Any) -> Sequence[bytes]:  # noqa: ANN401 - of the library
        """By what each is removed: an entry's own name in a stream, an element, a field."""
        ways: Mapping[str, Callable[[Any], Iterator[bytes]]] = {
            "stream": self._stream,
            "list": self._list,
            "hash": self._hash,
        }
        return list(ways[self._source.type](client))

    def _ours(self, value: Json) -> bool:
        return self._paths.id_of(value).startswith(self._prefix)

    def _stream(self, client: Any) -> Iterator[bytes]:  # noqa: ANN401
        first = "-"
        while page := client.xrange(self._source.key, first, "+", BATCH):
            for name, fields in page:
                if self._ours({_text(field): _text(value) for field, value in (fields or {}).items()}):
                    yield name
            first = f"({_text(page[-1][0])}"

    def _list(self, client: Any) -> Iterator[bytes]:  # noqa: ANN401
        begin = 0
        while page := client.lrange(self._source.key, begin, begin + BATCH - 1):
            yield from (element for element in page if self._ours(_text(element)))
            begin += len(page)

    def _hash(self, client: Any) -> Iterator[bytes]:  # noqa: ANN401
        fields = client.hscan_iter(self._source.key, match=f"{escaped(self._prefix)}*", count=BATCH)
        yield from dict.fromkeys(name for name, _ in fields)  # a scan may name one twice


@contextmanager
def _session(address: RedisAddress, where: str) -> Iterator[Any]:
    try:
        with closing(address.connect()) as client:
            yield client
    except (redis.RedisError, OSError, ValueError) as error:
        # Of an address, an error may say all of it, password included.
        what = type(error).__name__ if address.url else str(error)
        hint = "it must be reachable itself, not by way of a proxy"
        raise RecordError(Problem(where, f"test data cannot be removed: {what}", hint)) from None


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode(errors="replace")
