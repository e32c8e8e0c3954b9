"""Redis and PostgreSQL with the proxy that understands protocols before them, and ways to talk to them."""

import contextlib
import itertools
import os
import socket
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from resilience.stack.embedded import EmbeddedStack
from tests.wire import twins

NUMBER = itertools.count()


@dataclass
class Stores:
    """A stack of servers alone."""

    stack: EmbeddedStack

    @property
    def wire(self) -> twins.Server:
        """The proxy's control API."""
        return twins.Server(self.stack.places()["wire"].port)

    def port(self, name, *, direct=False):
        """Where a store is reached, past the proxy or through it."""
        if direct:
            return self.stack.places()[name].port
        return int(self.wire.json("GET", f"/proxies/{name}")["listen"].rpartition(":")[2])

    @contextlib.contextmanager
    def rule(self, kind, **attributes):
        """A rule for a while; yields its name."""
        name = f"rule{next(NUMBER)}"
        self.wire.json("POST", f"/proxies/{kind}/toxics", {"name": name, "type": kind, "attributes": attributes})
        try:
            yield name
        finally:
            self.wire.ask("DELETE", f"/proxies/{kind}/toxics/{name}")

    def counted(self, kind, name):
        """Matched, hits, canaries."""
        shown = self.wire.json("GET", f"/proxies/{kind}/toxics/{name}")["attributes"]
        return shown["matched"], shown["hits"], shown["canaries"]

    def redis(self, *, direct=False):
        """A connection to Redis, logged in."""
        place = self.stack.places()["redis"]
        speaker = Speaker(socket.create_connection(("127.0.0.1", self.port("redis", direct=direct)), 10))
        assert speaker.ask("AUTH", Path(place.passfile).read_text()) == b"+OK\r\n"
        return speaker

    def postgres(self, *, direct=False, **more):
        """A connection to PostgreSQL."""
        place = self.stack.places()["postgres"]
        given = {"port": self.port("postgres", direct=direct), "passfile": place.passfile, "sslmode": "disable", **more}
        autocommit = given.pop("autocommit", True)
        return psycopg.connect(make_conninfo(place.dsn, **given), autocommit=autocommit)


def command(*words):
    """A command in RESP."""
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


class Speaker:
    """Speaks RESP over a socket, and reads whole answers as they came."""

    def __init__(self, connection):
        self.socket = connection
        self._file = connection.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()
        self.socket.close()

    def say(self, *words):
        """Send a command."""
        self.socket.sendall(command(*words))

    def ask(self, *words):
        """Send it, and read the answer."""
        self.say(*words)
        return self.answer()

    def answer(self):
        """One answer, its bytes; nothing if the connection has ended."""
        line = self._file.readline()
        kind, count = line[:1], line[1:].strip()
        if kind in (b"$", b"!", b"=") and int(count) >= 0:
            return line + self._file.read(int(count) + 2)
        if kind in (b"*", b"~", b">"):
            return line + b"".join(self.answer() for _ in range(max(0, int(count))))
        if kind == b"%":
            return line + b"".join(self.answer() for _ in range(2 * int(count)))
        return line


@contextlib.contextmanager
def stores():
    """Start the servers; end them surely."""
    stack = EmbeddedStack(
        None, wired=("postgres", "redis"), tag=f"wire-{os.getpid()}-{next(NUMBER)}", experiment_folder="."
    )
    try:
        stack.start()
        yield Stores(stack)
    finally:
        stack.stop()
