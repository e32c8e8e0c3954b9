"""The only place where faults talk to a Redis server: as its administrator, and as a client that notices everything.

`Server.session` is for looking and for changing. `Line` is for measuring: one connection on which nothing is retried,
nor opened again behind the scenes. It can be opened before a fault and asked during it.
"""

import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from resilience.errors import FaultError
from resilience.faults import presence
from resilience.faults.effects import Look, Seen
from resilience.faults.kinds import Settings
from resilience.model import Json, Place, Problem, Undo

BOUND_S = 1.0
"""A healthy server answers within this, also on a busy machine."""
LEAST = (6, 2)
"""Older servers pause clients in another way."""
OURS = "resilience:"
"""What the names of keys of ours begin with."""
PAUSE_MS = 1000
"""A pause lapses after this; whoever wants it to last renews it."""
HARMLESS = ("LPUSHX", f"{OURS}canary", "x")
"""A write that is refused when writes are refused, and else does nothing: nobody has that key, and it makes none."""
NEEDS = {"port": "an address of its own"}
"""What every kind needs of a part, see `Kind.needs`."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is, and which file has its password (empty if it has none)."""

    part: str
    host: str
    port: int
    passfile: str = ""

    @classmethod
    def of(cls, place: Place) -> "Server":
        """The server of a part."""
        return cls(place.name, place.host, place.port, place.passfile)

    @classmethod
    def to(cls, undo: Undo) -> "Server":
        """The server of an undo."""
        data: Mapping[str, Any] = undo.data
        return cls(data["part"], data["host"], data["port"], data["passfile"])

    def password(self) -> str:
        """Its password; empty if it has none.

        Raises:
            FaultError: the file cannot be read.
        """
        try:
            return Path(self.passfile).read_text().strip() if self.passfile else ""
        except OSError as error:
            raise FaultError(Problem(self.part, f"the file with its password cannot be read: {error}")) from error

    @contextmanager
    def session(self, bound_s: float = BOUND_S) -> Iterator["redis.Redis"]:
        """A connection of the administrator, for the length of a block.

        Raises:
            FaultError: it cannot be reached, does not answer in time, or refuses what the block asks of it.
        """
        client = connect(self.host, self.port, self.password(), bound_s)
        try:
            yield client
        except redis.RedisError as error:
            raise FaultError(Problem(self.part, f"Redis at {self.host}:{self.port}: {error}")) from error
        finally:
            client.close()

    def line(self) -> "Line":
        """A connection to measure with; it is opened when it is first asked."""
        return Line(self.host, self.port, self.password())

    def ask(self, *words: str, bound_s: float = BOUND_S) -> Look:
        """Ask on a connection of its own."""
        with self.line() as line:
            return line.ask(*words, bound_s=bound_s)


def connect(host: str, port: int, password: str, bound_s: float | None, name: str = "") -> "redis.Redis":
    """A client without retries, which says nothing but what it is told to."""
    return redis.Redis(
        host=host,
        port=port,
        password=password or None,
        socket_timeout=bound_s,
        socket_connect_timeout=BOUND_S,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        decode_responses=True,
        client_name=name or None,
        driver_info=None,
    )


def accepted(host: str, port: int, bound_s: float = BOUND_S) -> socket.socket | None:
    """A connection that the server has accepted; None if it is full.

    Raises:
        OSError: there is no server.
    """
    line = socket.create_connection((host, port), timeout=bound_s)
    try:
        line.sendall(b"PING\r\n")
        said = line.recv(128)
    except OSError:
        said = b""
    if said.startswith((b"+PONG", b"-NOAUTH")):
        return line
    line.close()
    return None


class Line:
    """One connection, for commands that are answered in one line. A late answer is waited for the next time."""

    def __init__(self, host: str, port: int, password: str) -> None:
        self._address, self._password = (host, port), password
        self._socket: socket.socket | None = None
        self._owed = 0
        self._read = b""
        self._closed = False

    def __enter__(self) -> Self:
        """For the length of a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closed."""
        self.close()

    def __del__(self) -> None:
        """A line that is forgotten is closed."""
        self.close()

    def close(self) -> None:
        """Close it, for good."""
        self._closed = True
        if self._socket is not None:
            self._socket.close()

    def ask(self, *words: str, bound_s: float = BOUND_S) -> Look:
        """Say a command, or wait on for the answer to the one before. The look has the line that came, whole."""
        began = time.monotonic()
        said: list[bytes] = []
        try:
            if self._closed:
                return Look(Seen.CLOSED, 0.0)
            connection = self._socket or self._open(bound_s)
            if not self._owed:
                connection.sendall(self._words(words))
            while self._owed:
                said.append(self._line(connection, began + bound_s))
                self._owed -= 1
            seen = Seen.ANSWERED
        except TimeoutError:
            seen = Seen.SILENT
        except ConnectionRefusedError:
            seen = Seen.REFUSED
        except OSError:
            self.close()
            seen = Seen.CLOSED
        return Look(seen, time.monotonic() - began, said[-1] if said else b"")

    def _open(self, bound_s: float) -> socket.socket:
        self._socket = socket.create_connection(self._address, timeout=bound_s)
        return self._socket

    def _words(self, words: Sequence[str]) -> bytes:
        """The command, with the password before the first one."""
        password, self._password = self._password, ""
        self._owed = 2 if password else 1
        return (encoded(("AUTH", password)) if password else b"") + encoded(words)

    def _line(self, connection: socket.socket, deadline: float) -> bytes:
        while b"\r\n" not in self._read:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            got = connection.recv(4096)
            if not got:
                raise ConnectionResetError
            self._read += got
        line, _, self._read = self._read.partition(b"\r\n")
        return line


def encoded(words: Sequence[str]) -> bytes:
    """A command as it is sent."""
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


RENEW = encoded(("CLIENT", "PAUSE", str(PAUSE_MS), "ALL"))
"""Pauses all clients, or does so for longer."""
TAKE_BACK = encoded(("CLIENT", "UNPAUSE"))


def pause_words(name: str, password: str) -> bytes:
    """What a connection says to pause all clients: it must monitor, or it would not be heard again meanwhile."""
    login = [["AUTH", password]] if password else []
    words = [*login, ["CLIENT", "SETNAME", name], ["MONITOR"]]
    return b"".join(encoded(word) for word in words) + RENEW


def heard(look: Look) -> str:
    """A look in words: what was said, or how it ended, and after how long."""
    took = f"{look.took_s * 1e3:.1f} ms"
    if look.seen is Seen.ANSWERED or look.said:
        return f"{look.said.decode(errors='replace')[:60]!r} in {took}"
    return f"{look.seen.value} after {took}"


def lacking(place: Place, commands: Sequence[str], *, replicates: bool = False) -> tuple[Problem, ...]:
    """What a server lacks for a fault that needs those commands. Looks only, raises nothing."""
    if place.protocol not in {"", "redis"}:
        return (Problem(place.name, f"speaks {place.protocol}, expected redis", "choose a Redis server"),)
    try:
        with Server.of(place).session() as client:
            found: Mapping[str, Any] = client.info("server")
            known: Any = client.command()
            cluster = found.get("redis_mode") == "cluster"
    except (FaultError, OSError) as error:
        hint = "it must be up, and its password in the file that the stack names"
        return (Problem(place.name, f"cannot be looked at: {error}", hint),)
    problems = []
    version = str(found.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2]) < LEAST:
        problems.append(Problem(place.name, f"is Redis {version}, expected 6.2 or newer", "use a newer server"))
    if missing := [command for command in commands if command not in known]:
        hint = "they are renamed or switched off in its configuration (rename-command)"
        problems.append(Problem(place.name, f"does not know {', '.join(missing)}", hint))
    if cluster and replicates:
        problems.append(Problem(place.name, "is a node of a cluster", "use a server without cluster mode"))
    return tuple(problems)


class RedisFault:
    """What the faults of a Redis server have in common.

    Args:
        settings: of the kind, complete; none to revert.
        place: the server; None to revert.
    """

    kind: ClassVar[str]

    def __init__(self, settings: Settings | None = None, place: Place | None = None) -> None:
        """Nothing is looked at yet."""
        self._settings: Mapping[str, Any] = settings or {}
        self._place = place
        self._before: Line | None = None
        self.proof = ""

    def _server(self) -> Server:
        """The server of the part; a connection is opened to be measured on later.

        Raises:
            FaultError: there is none, or it does not answer.
        """
        server = Server.of(self._part())
        self._before = server.line()
        look = self._before.ask("PING")
        if look.said != b"+PONG":
            raise FaultError(Problem(server.part, f"PING was {heard(look)}, expected PONG", "is it well already?"))
        return server

    def _part(self) -> Place:
        if self._place is None:
            raise FaultError(Problem(self.kind, "needs a part of a stack"))
        return self._place

    def _undo(self, server: Server, run_id: str, **more: Json) -> Undo:
        """The undo: where the server is and which one it is, and what the kind adds."""
        common: dict[str, Json] = {**asdict(server), **presence.known(self._part()), "run_id": run_id}
        return Undo(kind=self.kind, data={**common, **more})

    def _existing(self, *words: str, bound_s: float = BOUND_S) -> Look | None:
        """Ask on the connection from before; None if this process has none, or it was closed."""
        look = None if self._before is None else self._before.ask(*words, bound_s=bound_s)
        if look is not None and look.seen is Seen.CLOSED:
            self._before = None
            return None
        return look


def gone(undo: Undo) -> bool:
    """Whether the server of the undo is known not to run any more.

    What was changed in it is gone with it: nothing here is written to a configuration file.
    """
    return presence.gone(undo.data)
