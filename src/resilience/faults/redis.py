"""Faults of a Redis server: what it refuses, and what it gives up.

Settings of the server are changed at run time only and never written to its configuration file. What was there before
is put back exactly, unless somebody else has changed it meanwhile. A server that was started again has its own. Faults
that need a process to hold them are in `redis_held`.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import redis

from resilience.errors import FaultError
from resilience.faults.kinds import LEASE, Kind, Setting, kind_of
from resilience.faults.redis_server import HARMLESS, NEEDS, OURS, RedisFault, Server, gone, heard, lacking
from resilience.model import Json, Problem, Undo


class Readonly(RedisFault):
    """The server answers READONLY to writes, as one that lost its role in a failover; reads go on.

    It is made the replica of a server that cannot exist (port 0 of its own loopback address): nothing can ever listen
    there, so it never synchronises, and no data is lost. How it is undone: `REPLICAOF NO ONE`. What it needs: a master,
    not a cluster's node. When it fails: it is a replica already, or somebody makes it one meanwhile. Its own replicas
    are disconnected and come back by partial synchronisation. A Sentinel that watches it may interfere.
    """

    kind = "redis.readonly"
    NOWHERE: ClassVar = ("127.0.0.1", 0)

    def prepare(self) -> Undo:
        """It must be a master, and serve stale data as a replica."""
        server = self._server()
        with server.session() as client:
            role, *rest = _role(client)
            if role != "master":
                raise FaultError(Problem(server.part, f"is a {role} of {rest[:2]} already", "choose the master"))
            for name in ("replica-read-only", "replica-serve-stale-data"):
                if (value := config(client, name)) != "yes":
                    raise FaultError(Problem(server.part, f"has {name} {value}, expected yes", "set it"))
            return self._undo(server, client.info("server")["run_id"])

    def inject(self, undo: Undo, /) -> None:
        """Make it a replica of nothing."""
        with Server.to(undo).session() as client:
            client.replicaof(*self.NOWHERE)

    def revert(self, undo: Undo, /) -> None:
        """Make it a master again, if it is ours.

        Raises:
            FaultError: somebody else made it a replica of theirs.
        """
        if gone(undo):
            return
        with Server.to(undo).session() as client:
            role, *rest = _role(client)
            if role == "master":
                return
            if tuple(rest[:2]) != self.NOWHERE:
                message = f"was a master, was made a replica of {self.NOWHERE}, is a replica of {rest[:2]} now"
                raise FaultError(Problem(str(undo.data["part"]), message, "somebody else changed it: look yourself"))
            client.replicaof("NO", "ONE")

    def active(self, undo: Undo, /) -> bool:
        """Whether a write is refused with READONLY, and because it is a replica of nothing.

        Raises:
            FaultError: connections or the server's own account do not agree.
        """
        if gone(undo):
            self.proof = "the server is gone"
            return False
        refused, self.proof = _refused(self, undo, b"-READONLY")
        with Server.to(undo).session() as client:
            ours = tuple(_role(client)[1:3]) == self.NOWHERE
        return _agreed(self, undo, refused, ours)


class ConfigFault(RedisFault):
    """What the faults that change settings of the server have in common.

    An undo lists the changes in the order in which they are made; they are put back in the opposite order.
    """

    def inject(self, undo: Undo, /) -> None:
        """Make the changes."""
        with Server.to(undo).session() as client:
            for change in _listed(undo):
                client.config_set(change["name"], change["ours"])

    def revert(self, undo: Undo, /) -> None:
        """Put back what is still as we made it.

        Raises:
            FaultError: somebody else changed one of them meanwhile; nothing is put back then.
        """
        if not gone(undo):
            with Server.to(undo).session() as client:
                put_back(client, undo)

    def _ours(self, client: "redis.Redis", undo: Undo) -> bool:
        """Whether the settings are as we make them."""
        return all(config(client, change["name"]) == change["ours"] for change in _listed(undo))


def put_back(client: "redis.Redis", undo: Undo) -> None:
    """Put back the settings of an undo."""
    now = {change["name"]: config(client, change["name"]) for change in _listed(undo)}
    strange = [change for change in _listed(undo) if now[change["name"]] not in {change["before"], change["ours"]}]
    if strange and client.info("server")["run_id"] == undo.data["run_id"]:
        raise FaultError(
            Problem(
                str(undo.data["part"]),
                f"{change['name']} was {change['before']}, was set to {change['ours']}, is {now[change['name']]} now",
                "somebody else changed it: look yourself",
            )
            for change in strange
        )
    for change in reversed(_listed(undo)):
        if now[change["name"]] == change["ours"] != change["before"]:
            client.config_set(change["name"], change["before"])


class OutOfMemory(ConfigFault):
    """The server answers OOM to every write that needs memory; reads and removals go on, nothing is evicted.

    How it is undone: `maxmemory` and `maxmemory-policy` as they were, memory first, so that nothing is evicted on the
    way. What it needs: CONFIG. When it fails: it is out of memory already, or somebody else changes these settings.
    """

    kind = "redis.out-of-memory"

    def prepare(self) -> Undo:
        """No write may be refused yet."""
        server = self._server()
        look = server.ask(*HARMLESS)
        if look.said != b":0":
            raise FaultError(
                Problem(server.part, f"a write that does nothing was {heard(look)}", "is it well already?")
            )
        with server.session() as client:
            changes = planned(client, {"maxmemory-policy": "noeviction", "maxmemory": "1"})
            return self._undo(server, client.info("server")["run_id"], changes=changes)

    def active(self, undo: Undo, /) -> bool:
        """Whether a write is refused with OOM, and because of our settings.

        Raises:
            FaultError: connections or the server's own account do not agree.
        """
        if gone(undo):
            self.proof = "the server is gone"
            return False
        refused, self.proof = _refused(self, undo, b"-OOM")
        with Server.to(undo).session() as client:
            return _agreed(self, undo, refused, self._ours(client, undo))


class Eviction(ConfigFault):
    """The server has too little memory for its data: it evicts keys, and goes on evicting as new ones come.

    What is evicted is gone for good. A server with less than 4 MiB of data is filled with 4 MiB of keys of ours first:
    so little does not stand out from what its connections need. How it is undone: `maxmemory` and `maxmemory-policy` as
    they were, memory first; our keys are removed. What it needs: CONFIG. When it fails: it is at its limit of memory
    already, or somebody else changes these settings.
    """

    kind = "redis.eviction"
    LITTLE: ClassVar = 4 * 2**20
    FILLERS: ClassVar = 256

    def prepare(self) -> Undo:
        """Work out a limit that leaves a share of the data."""
        server = self._server()
        with server.session() as client:
            info: Any = client.info()
            used, data = info["used_memory"], info["used_memory_dataset"]
            little = data < self.LITTLE
            keep = int(self._settings["keep_percent"])
            limit = used + self.LITTLE * keep // 100 if little else used - data + data * keep // 100
            if 0 < info["maxmemory"] <= limit + self.LITTLE:
                message = f"has maxmemory {info['maxmemory']}, which leaves no room to go down to {limit}"
                raise FaultError(Problem(server.part, message, "lower keep_percent"))
            changes = planned(client, {"maxmemory-policy": str(self._settings["policy"]), "maxmemory": str(limit)})
            fillers: list[Json] = [
                f"{OURS}{secrets.token_hex(6)}:{number}" for number in range(self.FILLERS if little else 0)
            ]
            more: dict[str, Json] = {"fillers": fillers, "lease_s": self._settings[LEASE]}
            return self._undo(server, info["run_id"], changes=changes, evicted=info["evicted_keys"], **more)

    def inject(self, undo: Undo, /) -> None:
        """Fill it if it has little, then lower the limit."""
        data: Mapping[str, Any] = undo.data
        with Server.to(undo).session() as client:
            steps = client.pipeline(transaction=False)
            for filler in data["fillers"]:
                steps.set(filler, bytes(self.LITTLE // self.FILLERS), px=int(data["lease_s"] * 1e3))
            steps.execute()
        super().inject(undo)

    def revert(self, undo: Undo, /) -> None:
        """Lift the limit, then remove what it was filled with."""
        super().revert(undo)
        fillers: Any = undo.data["fillers"]
        if fillers and not gone(undo):
            with Server.to(undo).session() as client:
                client.delete(*fillers)

    def active(self, undo: Undo, /) -> bool:
        """Whether keys were evicted since, and our limit is in force."""
        if gone(undo):
            self.proof = "the server is gone"
            return False
        with Server.to(undo).session() as client:
            ours = self._ours(client, undo)
            info: Any = client.info()
        evicted = int(info["evicted_keys"]) - int(str(undo.data["evicted"]))
        self.proof = (
            f"{evicted} keys evicted since it was looked at first; "
            f"{info['used_memory']} bytes used, maxmemory {info['maxmemory']} ({info['maxmemory_policy']})"
        )
        return ours and evicted > 0


def _refused(fault: RedisFault, undo: Undo, word: bytes) -> tuple[bool, str]:
    """Whether a write that does nothing is refused with that word, on new and existing connections, and the figures.

    Raises:
        FaultError: they do not agree, or it was neither refused so nor done.
    """
    fresh = Server.to(undo).ask(*HARMLESS)
    looks = {"a new connection": fresh}
    if (existing := fault._existing(*HARMLESS)) is not None:  # noqa: SLF001 - its own base class's
        looks["one from before"] = existing
    words = "a write on " + ", on ".join(f"{which}: {heard(look)}" for which, look in looks.items())
    refused = {look.said.startswith(word) for look in looks.values()}
    odd = [look for look in looks.values() if not look.said.startswith((word, b":0"))]
    if odd or len(refused) > 1:
        raise FaultError(Problem(str(undo.data["part"]), f"it cannot be told whether {fault.kind} is there: {words}"))
    return refused.pop(), words


def _agreed(fault: RedisFault, undo: Undo, seen: bool, ours: bool) -> bool:
    if seen is not ours:
        message = f"{fault.kind} is {'seen' if seen else 'not seen'}, but the server has it {'on' if ours else 'not'}"
        raise FaultError(Problem(str(undo.data["part"]), f"{message}: {fault.proof}"))
    return seen


def _role(client: "redis.Redis") -> tuple[Any, ...]:
    answer: Any = client.execute_command("ROLE")  # type: ignore[no-untyped-call]
    return tuple(answer)


def config(client: "redis.Redis", name: str) -> str:
    """A setting of the server as it is now."""
    found: Any = client.config_get(name)
    if name not in found:
        raise FaultError(Problem(name, "is no setting of this server"))
    return str(found[name])


def planned(client: "redis.Redis", ours: Mapping[str, str]) -> list[Json]:
    """Changes for an undo: what each setting is now, and what it is to be."""
    return [{"name": name, "before": config(client, name), "ours": value} for name, value in ours.items()]


def _listed(undo: Undo) -> Sequence[Mapping[str, str]]:
    found: Any = undo.data["changes"]
    return tuple(found)


def needing(*commands: str, replicates: bool = False) -> Any:  # noqa: ANN401 - a preflight, see Kind
    """A preflight for a kind that needs those commands."""
    return lambda _settings, place: lacking(place, commands, replicates=replicates)


KINDS: tuple[Kind, ...] = (
    kind_of(
        Readonly,
        "{on} is made a master again (REPLICAOF NO ONE); it never had anything to synchronise with",
        NEEDS,
        preflight=needing("replicaof", "role", "config", "lpushx", replicates=True),
    ),
    kind_of(
        OutOfMemory,
        "maxmemory and maxmemory-policy of {on} are set to what they were",
        NEEDS,
        preflight=needing("config", "lpushx", replicates=True),
    ),
    kind_of(
        Eviction,
        "maxmemory and maxmemory-policy of {on} are set to what they were; what was evicted stays away",
        NEEDS,
        {
            "keep_percent": Setting(default=50, minimum=1, maximum=99, meaning="So much of the data finds room."),
            "policy": Setting(
                default="allkeys-lru",
                meaning="Which keys are evicted.",
                choices=("allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-ttl"),
            ),
        },
        preflight=needing("config", "info"),
        removes_data=True,
    ),
)
"""The kinds of this mechanism."""
