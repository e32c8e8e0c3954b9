"""Strikes on a Redis server: all keys removed, all connections closed. They are not given back."""

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from resilience.errors import FaultError
from resilience.faults.effects import Seen
from resilience.faults.kinds import Kind, Setting, Settings
from resilience.faults.redis import needing
from resilience.faults.redis_server import NEEDS, Server, heard
from resilience.model import Place, Problem


class RedisStrike:
    """What strikes on a Redis server have in common."""

    kind: ClassVar[str]

    def __init__(self, settings: Settings, place: Place) -> None:
        """Nothing is looked at yet."""
        self._settings: Mapping[str, Any] = settings
        self._server = Server.of(place)

    def prepare(self) -> None:
        """It must answer."""
        look = self._server.ask("PING")
        if look.said != b"+PONG":
            raise FaultError(
                Problem(self._server.part, f"PING was {heard(look)}, expected PONG", "is it well already?")
            )


class Flush(RedisStrike):
    """All keys are removed, of all databases or of one: a cold cache.

    How it is undone: not at all; what was there is gone for good. What it needs: FLUSHALL, FLUSHDB. When it fails:
    there are no keys, or the server refuses.
    """

    kind = "redis.flush"

    def strike(self) -> str:
        """Remove them, counting before and after in the same transaction."""
        database = int(self._settings["database"])
        with self._server.session() as client:
            steps: Any = client.pipeline(transaction=True)
            if database >= 0:
                steps.select(database)
            steps.info("keyspace")
            steps.flushall(asynchronous=True) if database < 0 else steps.flushdb(asynchronous=True)
            steps.info("keyspace")
            began = time.monotonic()
            before, _, after = steps.execute()[-3:]
            took_ms = (time.monotonic() - began) * 1e3
        had, has = _count(before, database), _count(after, database)
        which = "all databases" if database < 0 else f"database {database}"
        if not had or has:
            raise FaultError(Problem(self._server.part, f"{which} had {had} keys before and {has} after"))
        return f"{which}: {had} keys before, {has} after, in {took_ms:.1f} ms"


class KillConnections(RedisStrike):
    """All connections of clients are closed by the server, but for the one that asks. They may come again at once.

    How it is undone: not at all; clients connect again themselves. What it needs: CLIENT KILL. When it fails: the
    server refuses.
    """

    kind = "redis.kill-connections"

    def strike(self) -> str:
        """Close them; a connection of our own among them says whether it was so."""
        with self._server.line() as witness:
            witness.ask("PING")
            with self._server.session() as client:
                before = len(client.client_list(_type="normal")) - 2
                killed = int(client.client_kill_filter(_type="normal", skipme=True)) - 1
            look = witness.ask("PING")
        if look.seen is not Seen.CLOSED:
            raise FaultError(Problem(self._server.part, f"a connection that should be closed was {heard(look)}"))
        return f"{killed} connections closed, of {before} that others had; one of our own was closed, too"


def _count(keyspace: Any, database: int) -> int:  # noqa: ANN401 - as the server's account is parsed
    return sum(found["keys"] for name, found in keyspace.items() if database < 0 or name == f"db{database}")


KINDS: tuple[Kind, ...] = (
    Kind(
        name=Flush.kind,
        build=Flush,
        revive=None,
        undo="not taken back: the keys of {on} are gone for good",
        needs=NEEDS,
        settings={
            "database": Setting(default=-1, minimum=-1, maximum=10_000, meaning="Which database; -1 is all."),
        },
        preflight=needing("flushall", "flushdb", "multi"),
        removes_data=True,
    ),
    Kind(
        name=KillConnections.kind,
        build=KillConnections,
        revive=None,
        undo="not taken back: the clients of {on} connect again themselves",
        needs=NEEDS,
        preflight=needing("client"),
    ),
)
"""The kinds of this mechanism."""
