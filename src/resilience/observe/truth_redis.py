"""The truth about writes in Redis: a stream, a list, a hash, or keys by their pattern; read in pages, never whole.

Redis gives no snapshot of many pages. That two looks in a row are equal is what makes their rows a truth (`truth`).
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from resilience.entry import parse_id
from resilience.errors import RecordError
from resilience.model import Json, Place, Problem, RedisTruth
from resilience.observe.values import Paths

PAGE = 1000
"""So many entries are asked for at once."""
BOUND_S = 10.0
"""One answer takes no longer."""

_SPECIAL = re.compile(r"([*?\[\]\\^])")
_INFO = {
    "redis_version": "version",
    "run_id": "run_id",
    "role": "role",
    "aof_enabled": "aof_enabled",
    "aof_last_write_status": "aof_last_write_status",
    "maxmemory_policy": "maxmemory_policy",
    "cluster_enabled": "cluster_enabled",
}

Row = tuple[str, str, int]
Client = Any


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where a Redis is: of a part of the stack its own port and the file with its password, or a whole address."""

    host: str = ""
    port: int = 0
    passfile: str = ""
    url: str = field(default="", repr=False)

    @classmethod
    def of(cls, place: Place) -> "RedisAddress":
        """The part itself, not the proxy in front of it."""
        return cls(place.host, place.port, place.passfile)

    def __str__(self) -> str:
        """Without anything secret."""
        if not self.url:
            return f"Redis {self.host}:{self.port}"
        with suppress(ValueError):
            parts = urlsplit(self.url)
            return f"Redis {parts.hostname or ''}:{parts.port or 6379}"
        return "Redis"

    def connect(self) -> Client:
        """A client that tries nothing twice and says nothing but what it is told to.

        Raises:
            ValueError: the address is none.
            OSError: the password's file cannot be read.
        """
        how: dict[str, Any] = {
            "socket_timeout": BOUND_S,
            "socket_connect_timeout": BOUND_S,
            "retry": Retry(NoBackoff(), 0),  # the default is ten
            "protocol": 2,
            "driver_info": None,
        }
        if self.url:
            return redis.Redis.from_url(self.url, **how)
        password = Path(self.passfile).read_text().strip() if self.passfile else ""
        return redis.Redis(host=self.host, port=self.port, password=password or None, **how)


class RedisReader:
    """Reads entries row by row.

    Args:
        address: of the primary.
        source: what is stored there, and how.
        timeout_s: for a whole read.
    """

    def __init__(self, address: RedisAddress, source: RedisTruth, *, timeout_s: float = 60.0) -> None:
        self._address = address
        self._source = source
        self._paths = Paths(f"{address} {source.key}", source.id, source.body, source.position)
        self._timeout_s = timeout_s
        self._deadline = float("inf")
        self._facts: dict[str, str] | None = None

    def facts(self) -> dict[str, str]:
        """What the server says of itself: at the last read, or now if there was none.

        Raises:
            RecordError: it cannot be reached, or is a replica.
        """
        if self._facts is None:
            with self._session() as client:
                self._facts = self._read_facts(client)
        return self._facts

    def read(self, prefix: str) -> Iterator[Row]:
        """All entries whose id starts with the prefix.

        Raises:
            RecordError: the server cannot be reached, is a replica or too slow, or has something else under that key.
        """
        ways: Mapping[str, Callable[[Client, str], Iterator[Row]]] = {
            "stream": self._stream,
            "list": self._list,
            "hash": self._hash,
            "keys": self._keys,
        }
        self._deadline = time.monotonic() + self._timeout_s
        with self._session() as client:
            self._facts = self._read_facts(client)
            yield from ways[self._source.type](client, prefix)
            if self._read_facts(client) != self._facts:
                raise self._problem("was another server at the end of the read than at its beginning", "it restarts")
            self._facts |= self._removed(client)

    def _stream(self, client: Client, prefix: str) -> Iterator[Row]:
        return self._paths.ours(self._entries(client), prefix)

    def _entries(self, client: Client) -> Iterator[Json]:
        first = "-"
        while page := client.xrange(self._source.key, first, "+", PAGE):
            for _, fields in page:
                yield {_text(name): _text(value) for name, value in (fields or {}).items()}
            first = f"({_text(page[-1][0])}"
            self._in_time()

    def _list(self, client: Client, prefix: str) -> Iterator[Row]:
        return self._paths.ours(self._elements(client), prefix, -1 if self._source.newest_first else 1)

    def _elements(self, client: Client) -> Iterator[Json]:
        begin = 0
        while page := client.lrange(self._source.key, begin, begin + PAGE - 1):
            yield from map(_text, page)
            begin += len(page)
            self._in_time()

    def _hash(self, client: Client, prefix: str) -> Iterator[Row]:
        cursor, known = 0, Known(prefix)
        while True:
            cursor, page = client.hscan(self._source.key, cursor, match=f"{escaped(prefix)}*", count=PAGE)
            for name, value in page.items():
                if known.first(entry_id := _text(name)):
                    yield self._paths.named(entry_id, _text(value))
            self._in_time()
            if not int(cursor):
                return

    def _keys(self, client: Client, prefix: str) -> Iterator[Row]:
        head, _, tail = self._source.key.partition("{id}")
        cursor, known = 0, Known(prefix)
        while True:
            cursor, page = client.scan(cursor, match=f"{escaped(head + prefix)}*{escaped(tail)}", count=PAGE)
            named = [(key, _text(key)[len(head) : len(_text(key)) - len(tail)]) for key in page]
            new = [(key, entry_id) for key, entry_id in named if known.first(entry_id)]
            values = client.mget([key for key, _ in new]) if new else []
            for (key, entry_id), value in zip(new, values, strict=True):
                if value is not None:
                    yield self._paths.named(entry_id, _text(value))
                elif (kind := _text(client.type(key))) not in {"none", "string"}:  # none: it is gone by now
                    raise self._problem(f"{_text(key)!r:.80} is a {kind}, a string was expected", "name what it is")
            self._in_time()
            if not int(cursor):
                return

    def _in_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise self._problem(f"was not read within {self._timeout_s:g} s", "is it the right key?")

    @contextmanager
    def _session(self) -> Iterator[Client]:
        try:
            with closing(self._address.connect()) as client:
                yield client
        except redis.ResponseError as error:
            hint = f"the truth is said to be a {self._source.type} there" if "WRONGTYPE" in str(error) else ""
            raise self._problem(f"the truth cannot be read: {error}", hint) from error
        except (redis.RedisError, OSError, ValueError) as error:
            # Of an address, an error may say all of it, password included.
            what = type(error).__name__ if self._address.url else str(error)
            hint = f"Redis itself must be reachable for the truth, and give each answer within {BOUND_S:g} s"
            raise self._problem(f"the truth cannot be read: {what}", hint) from None

    def _read_facts(self, client: Client) -> dict[str, str]:
        info: Mapping[str, Any] = client.info()
        facts = {"store": "redis"} | {name: str(info[said]) for said, name in _INFO.items() if said in info}
        with suppress(redis.ResponseError):  # it may be forbidden
            facts |= {_text(name): _text(value) for name, value in client.config_get("appendfsync").items()}
        if self._source.volatile:
            facts["volatile"] = "declared"
        if facts.get("role") != "master":
            message = f"is a replica (role {facts.get('role')}), the primary was expected"
            raise self._problem(message, "name the primary")
        if facts.pop("cluster_enabled", "0") != "0":
            raise self._problem("is one node of a cluster, which holds a part of the keys", "name a single server")
        return facts

    def _removed(self, client: Client) -> dict[str, str]:
        """How many entries a stream has had and has no more, where the server says so (since Redis 7)."""
        if self._source.type != "stream" or not client.exists(self._source.key):
            return {}
        info: Mapping[str, Any] = client.xinfo_stream(self._source.key)
        added = info.get("entries-added")
        return {} if added is None else {"removed_entries": str(int(added) - int(info["length"]))}

    def _problem(self, message: str, hint: str) -> RecordError:
        return RecordError(Problem(f"{self._address} {self._source.key}", message, hint))


class Known:
    """Which entries were there before: a scan may name one twice. A bit for each, where entries are dense."""

    def __init__(self, prefix: str) -> None:
        self._run = prefix.removesuffix("-")
        self._blocks: dict[tuple[int, int, int], bytearray] = {}
        self._others: set[str] = set()

    def first(self, entry_id: str) -> bool:
        """Whether it is there for the first time."""
        parsed = parse_id(entry_id, self._run)
        if parsed is None:
            new = entry_id not in self._others
            self._others.add(entry_id)
            return new
        writer, epoch, seq = parsed
        block = self._blocks.setdefault((writer, epoch, seq >> 10), bytearray(128))
        place, bit = (seq & 1023) >> 3, 1 << (seq & 7)
        new = not block[place] & bit
        block[place] |= bit
        return new


def escaped(text: str) -> str:
    """A text as a pattern of Redis that only matches it."""
    return _SPECIAL.sub(r"\\\1", text)


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode(errors="replace")
