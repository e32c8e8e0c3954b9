"""Faults of a Redis server that a process of ours holds: hung, slow, always cold, full of connections.

The holder (`holders/redis.py`) names its connections after itself, so that they can be told from other people's. When
it ends, for whatever reason, so does what it does: a pause lapses within a second, connections are closed.
"""

import signal
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Any, cast

import redis

from resilience.errors import FaultError
from resilience.faults import holder
from resilience.faults.effects import Look, Seen
from resilience.faults.handover import Handover
from resilience.faults.kinds import LEASE, Kind, Setting, Settings, kind_of
from resilience.faults.redis import ConfigFault, config, needing, put_back
from resilience.faults.redis_server import (
    BOUND_S,
    NEEDS,
    OURS,
    RENEW,
    TAKE_BACK,
    RedisFault,
    Server,
    accepted,
    connect,
    gone,
    heard,
    pause_words,
)
from resilience.host import processes
from resilience.model import Identity, Json, Problem, Undo

SILENCE_S = 0.3
"""No answer for this long, where PONG took a millisecond before, is a hang."""
FULL = b"-ERR max number of clients reached"
RETRY_S = 0.005
REFUSED, APART_S, FILL_S = 3, 0.002, 0.3
"""So often in a row, so far apart, and for no longer than this is tried to find one more free place."""


class HeldFault(RedisFault):
    """What the faults with a holder have in common."""

    does: str
    """The function in `holders/redis.py`."""
    _held: Identity | None = None

    def prepare(self) -> Undo:
        """It must answer well."""
        server = self._server()
        with server.session() as client:
            return self._told(server, client.info("server")["run_id"])

    def inject(self, undo: Undo, /) -> None:
        """Start the holder."""
        self._start(undo)

    def _start(self, undo: Undo) -> Identity:
        data: Mapping[str, Any] = undo.data
        told = {name: data[name] for name in ("host", "port", "passfile", "orders", "changes") if name in data}
        self._held = holder.start(data["holder"], "redis", {"does": self.does, **told}, lease_s=data["lease_s"])
        return self._held

    def revert(self, undo: Undo, /) -> None:
        """End the holder; whoever started it knows it without looking for it."""
        if self._held is not None:
            processes.send(self._held, signal.SIGTERM)
        holder.end(str(undo.data["holder"]))

    def _told(self, server: Server, run_id: str, **more: Json) -> Undo:
        orders: dict[str, Json] = {name: value for name, value in self._settings.items() if name != LEASE}
        held: dict[str, Json] = {"holder": holder.new_name(), "lease_s": self._settings[LEASE], "orders": orders}
        return self._undo(server, run_id, **held, **more)

    def _torn(self, undo: Undo) -> FaultError:
        return FaultError(
            Problem(str(undo.data["part"]), f"it cannot be told whether {self.kind} is there: {self.proof}")
        )


class Hung(HeldFault):
    """The server accepts connections and answers nothing: it has paused its clients.

    `CLIENT PAUSE`, for a second at a time, renewed by a holder as long as it runs. How it is undone: the holder
    takes the pause back and ends; if it dies, the pause lapses within a second. What it needs: CLIENT and MONITOR
    (only a connection that monitors may speak while clients are paused; what it hears is thrown away). When it fails:
    the server does not answer already.
    """

    kind = "redis.hung"
    does = "pause"

    def inject(self, undo: Undo, /) -> None:
        """Pause the clients, then hand the connection that did to the holder."""
        server, name = Server.to(undo), str(undo.data["holder"])
        try:
            with Handover(name) as handover, socket.create_connection((server.host, server.port), BOUND_S) as line:
                line.sendall(pause_words(name, server.password()))
                try:
                    handover.give(self._start(undo), [line], lambda: line.sendall(RENEW))
                except FaultError:
                    line.sendall(TAKE_BACK)  # nobody else will, and the pause would last for another second
                    raise
        except OSError as error:
            raise FaultError(Problem(server.part, f"its clients cannot be paused: {error}")) from error

    def active(self, undo: Undo, /) -> bool:
        """Whether PING stays without an answer, on new and existing connections, while the holder runs.

        Raises:
            FaultError: only on some of them; or it hangs, and not by us.
        """
        if gone(undo):
            self.proof = "the server is gone"
            return False
        looks = {"a new connection": Server.to(undo).ask("PING", bound_s=SILENCE_S)}
        if (existing := self._existing("PING", bound_s=SILENCE_S)) is not None:
            looks["one from before"] = existing
        self.proof = "PING on " + ", on ".join(f"{which}: {heard(look)}" for which, look in looks.items())
        hangs = {look.seen is Seen.SILENT for look in looks.values()}
        held = bool(holder.holding(str(undo.data["holder"])))
        if hangs != {held} or any(look.seen not in {Seen.SILENT, Seen.ANSWERED} for look in looks.values()):
            self.proof += "; what holds it " + ("runs" if held else "does not run")
            raise self._torn(undo)
        return held


class Slow(HeldFault):
    """Slow commands: the server's one thread is busy for `busy_ms` in every `interval_ms`, and all others wait.

    A script that counts time, as a large KEYS or SORT would take it. How it is undone: the holder ends; a script that
    runs ends by itself. What it needs: EVAL. When it fails: scripts are not allowed.
    """

    kind = "redis.slow"
    does = "busy"

    def active(self, undo: Undo, /) -> bool:
        """Whether PING has to wait for half of the busy time at least, on a new and on an existing connection.

        Raises:
            FaultError: what is measured and what the server lists do not agree.
        """
        if gone(undo):
            self.proof = "the server is gone"
            return False
        orders: Mapping[str, Any] = undo.data["orders"]  # type: ignore[assignment]
        late_s, turn_s = orders["busy_ms"] / 2e3, (orders["interval_ms"] + orders["busy_ms"]) / 1e3
        server = Server.to(undo)
        listed = _listed(server, undo, BUSY_S)
        deadline = time.monotonic() + (turn_s if listed else 0.02)
        worst: dict[str, Look] = {}
        while True:
            looks = {"a new connection": server.ask("PING", bound_s=BUSY_S)}
            if (existing := self._existing("PING", bound_s=BUSY_S)) is not None:
                looks["one from before"] = existing
            for which, look in looks.items():
                worst[which] = max(worst.get(which, look), look, key=lambda one: one.took_s)
            late = [look.took_s >= late_s for look in worst.values()]
            if any(late) or time.monotonic() >= deadline:
                break
        self.proof = "the slowest PING on " + ", on ".join(f"{which}: {heard(look)}" for which, look in worst.items())
        if any(late) is not listed:
            raise self._torn(undo)
        return listed


class Misses(HeldFault):
    """A storm of cache misses: all keys are removed again and again, every `interval_ms`, or made to expire.

    What was there is gone for good. How it is undone: the holder ends; what removes keys ends with it. What it needs:
    FLUSHALL, or SCAN and PEXPIRE. When it fails: the server refuses.
    """

    kind = "redis.misses"
    does = "forget"
    KEPT_S = 0.05
    """A key that stays for this long, with nobody listed who removes it, stays."""

    def prepare(self) -> Undo:
        """Note how many misses the server has counted."""
        server = self._server()
        with server.session() as client:
            info: Any = client.info()
            return self._told(server, info["run_id"], misses=info["keyspace_misses"])

    def active(self, undo: Undo, /) -> bool:
        """Whether a key of ours is gone within two intervals.

        Raises:
            FaultError: what is measured and what the server lists do not agree.
        """
        if gone(undo):
            self.proof = "the server is gone"
            return False
        orders: Mapping[str, Any] = undo.data["orders"]  # type: ignore[assignment]
        server, name = Server.to(undo), f"{OURS}{undo.data['holder']}"
        listed = _listed(server, undo)
        bound_s = 2 * orders["interval_ms"] / 1e3 + self.KEPT_S if listed else self.KEPT_S
        with server.session() as client:
            client.set(name, "canary", px=60_000)
            began = time.monotonic()
            while (there := bool(client.exists(name))) and time.monotonic() - began < bound_s:
                time.sleep(RETRY_S)
            took_ms = (time.monotonic() - began) * 1e3
            client.delete(name)
            info: Any = client.info()
            keys = sum(found["keys"] for found in info.values() if isinstance(found, dict) and "expires" in found)
        misses = info["keyspace_misses"] - int(str(undo.data["misses"]))
        words = f"was {'still there' if there else 'gone'} after {took_ms:.0f} ms"
        self.proof = f"a key {words}; {keys} keys; {misses} misses since it was looked at first"
        if there is listed:
            raise self._torn(undo)
        return listed


class MaxClients(HeldFault, ConfigFault):
    """The server refuses new connections: it has as many as it may have. Those that are open go on.

    `maxclients` is lowered so that `connections` places are left, and a holder really takes them. How it is undone: the
    holder ends, which makes room, and `maxclients` is what it was. Should the holder die, so many places are free. What
    it needs: CONFIG. When it fails: it is full already, or somebody else changes `maxclients`.
    """

    kind = "redis.max-clients"
    does = "connections"
    _admin: "redis.Redis | None" = None
    """A connection from before, on which the limit is lifted at once; another process has to find a place first."""

    def prepare(self) -> Undo:
        """Work out how many connections it is to have."""
        server = self._server()
        with server.session() as client:
            info: Any = client.info()
            before = config(client, "maxclients")
            ours = str(min(int(before), info["connected_clients"] + int(self._settings["connections"])))
            changes: Json = [{"name": "maxclients", "before": before, "ours": ours}]
            return self._told(server, info["run_id"], changes=changes)

    def inject(self, undo: Undo, /) -> None:
        """Lower the limit, take what is left, and hand that to the holder."""
        there = Server.to(undo)
        self._admin = self._admin or connect(there.host, there.port, there.password(), BOUND_S)
        ConfigFault.inject(self, undo)
        server, orders = Server.to(undo), cast("Mapping[str, int]", undo.data["orders"])
        try:
            with Handover(str(undo.data["holder"])) as handover, ExitStack() as opened:
                lines = [
                    opened.enter_context(socket.create_connection((server.host, server.port), BOUND_S))
                    for _ in range(orders["connections"])
                ]
                _fill(server, lines, opened)
                handover.give(self._start(undo), lines, lambda: None)
        except OSError as error:
            raise FaultError(Problem(server.part, f"its places cannot be taken: {error}")) from error

    def revert(self, undo: Undo, /) -> None:
        """Make room, then lift the limit: clients that want in are many, so it is tried until there is a place.

        Raises:
            FaultError: there was none within half a second; or somebody else changed the limit.
        """
        if self._admin is not None:
            with suppress(FaultError, redis.RedisError):  # then as another process would
                put_back(self._admin, undo)
            self._admin.close()
            self._admin = None
        HeldFault.revert(self, undo)
        deadline = time.monotonic() + 0.5
        while not gone(undo):
            try:
                with Server.to(undo).session() as client:
                    put_back(client, undo)
                    return
            except FaultError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(RETRY_S)

    def active(self, undo: Undo, /) -> bool:
        """Whether a new connection is refused for want of a place, while the holder runs.

        Raises:
            FaultError: it was neither refused so nor served, or it is refused and not by us.
        """
        if gone(undo):
            self.proof = "the server is gone"
            return False
        look = Server.to(undo).ask("PING")
        held = bool(holder.holding(str(undo.data["holder"])))
        existing = self._existing("PING")
        other = "" if existing is None else f", PING on one from before: {heard(existing)}"
        self.proof = f"a new connection: {heard(look)}{other}"
        full, well = look.said.startswith(FULL), look.said == b"+PONG"
        if full is not held or not (full or well):
            raise self._torn(undo)
        return held


def _fill(server: Server, lines: list[socket.socket], opened: ExitStack) -> None:
    """Take what is still free: the limit was worked out from how many there were, and some of those have left since.

    It is full once several in a row were refused, some time apart: whoever is served holds a place for a moment.
    """
    refused, deadline = 0, time.monotonic() + FILL_S
    while refused < REFUSED and time.monotonic() < deadline:
        more = accepted(server.host, server.port)
        if more is None:
            refused += 1
            time.sleep(APART_S)
        else:
            refused = 0
            lines.append(opened.enter_context(more))


BUSY_S = 2.0
"""More than the server can be busy for at a time."""


def _listed(server: Server, undo: Undo, bound_s: float = 1.0) -> bool:
    """Whether the server lists a connection of the holder."""
    with server.session(bound_s) as client:
        return any(found["name"] == undo.data["holder"] for found in client.client_list())


def _leaves_time(settings: Settings) -> tuple[Problem, ...]:
    busy, interval = settings["busy_ms"], settings["interval_ms"]
    if isinstance(busy, int) and isinstance(interval, int) and busy > 0.9 * interval:
        hint = "a server that is never free is what redis.hung is for"
        return (Problem("busy_ms", f"{busy} is more than 90 % of interval_ms {interval}", hint),)
    return ()


KINDS: tuple[Kind, ...] = (
    kind_of(
        Hung,
        "the pause of the clients of {on} is taken back; it lapses by itself within a second",
        NEEDS,
        preflight=needing("client", "monitor"),
    ),
    kind_of(
        Slow,
        "what keeps {on} busy is ended",
        NEEDS,
        {
            "busy_ms": Setting(default=100, minimum=20, maximum=500, meaning="So long nobody else is served."),
            "interval_ms": Setting(default=200, minimum=25, maximum=1000, meaning="From one such time to the next."),
        },
        together=_leaves_time,
        preflight=needing("eval", "time", "client"),
    ),
    kind_of(
        Misses,
        "what removes the keys of {on} is ended; those that were removed stay away",
        NEEDS,
        {
            "interval_ms": Setting(default=100, minimum=20, maximum=500, meaning="From one removal to the next."),
            "how": Setting(
                default="flush", meaning="All removed at once, or each made to expire.", choices=("flush", "expire")
            ),
        },
        preflight=needing("flushall", "scan", "pexpire", "client"),
        removes_data=True,
    ),
    kind_of(
        MaxClients,
        "the connections that fill {on} are closed, and maxclients is what it was",
        NEEDS,
        {
            "connections": Setting(
                default=50, minimum=10, maximum=500, meaning="So many places are left and taken; room for the undo."
            ),
        },
        preflight=needing("config", "client"),
    ),
)
"""The kinds of this mechanism."""
