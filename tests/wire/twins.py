"""Our proxy and toxiproxy-server side by side, with an upstream of our own behind each."""

import contextlib
import http.client
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from resilience.host import processes
from resilience.model import Launch
from resilience.stack import loopback, programs

OURS = (sys.executable, "-P", "-m", "resilience.wire")


@dataclass
class Server:
    """One of the two, by its control port."""

    control: int

    def ask(
        self, method: str, path: str, content: object = None, headers: dict | None = None
    ) -> tuple[int, str, bytes]:
        """Status, type of content, body."""
        body = content if isinstance(content, bytes | None) else json.dumps(content).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.control, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Content-Type", ""), answer.read()

    def json(self, method: str, path: str, content: object = None) -> object:
        """The JSON of an answer that must be good."""
        status, _, body = self.ask(method, path, content)
        assert status < 300, body
        return json.loads(body) if body else None

    def proxy(self, name: str, upstream: int, **more: object) -> tuple[str, int]:
        """Make a proxy; where it listens."""
        made = self.json(
            "POST", "/proxies", {"name": name, "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{upstream}", **more}
        )
        host, _, port = made["listen"].rpartition(":")
        return host, int(port)


@contextlib.contextmanager
def serving(folder: Path, *argv: str) -> Iterator[Server]:
    """Run a program with toxiproxy's options until its API answers; end it."""
    reserved = loopback.Reservation(1)
    port = reserved.ports[0]
    reserved.close()
    launch = Launch(
        name="wire",
        argv=(*argv, "-host", "127.0.0.1", "-port", str(port)),
        environment={"PATH": os.environ["PATH"]},
        folder=str(folder),
        log=str(folder / f"{port}.log"),
        tag=f"wire-{os.getpid()}-{time.monotonic_ns()}",
    )
    running = processes.start(launch)
    try:
        server = Server(port)
        until(lambda: reachable(port), 10)
        yield server
    finally:
        processes.end([running], patience_s=2.0)


def reachable(port: int) -> bool:
    """Whether something listens."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def until(true, within_s: float = 5.0) -> None:
    """Wait until it is true."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "not true in time"
        time.sleep(0.01)


@contextlib.contextmanager
def ours(folder: Path, *more: str) -> Iterator[Server]:
    """Ours."""
    with serving(folder, *OURS, *more) as server:
        yield server


@contextlib.contextmanager
def theirs(folder: Path) -> Iterator[Server]:
    """The real one."""
    with serving(folder, str(programs.find("toxiproxy-server").path)) as server:
        yield server


@dataclass
class Upstream:
    """A server that sends back what it gets, or only takes it; keeps what came and how each connection ended."""

    echo: bool = True
    came: bytearray = field(default_factory=bytearray)
    ends: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(2)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    self.came += data
                    if self.echo:
                        connection.sendall(data)
                self.ends.append("closed")
            except OSError:
                self.ends.append("reset")


def read_until_end(connection: socket.socket, bound_s: float = 5.0) -> tuple[bytes, str]:
    """All that comes, and how it ended: closed, reset, or silent for too long."""
    connection.settimeout(bound_s)
    came = bytearray()
    try:
        while data := connection.recv(65536):
            came += data
    except TimeoutError:
        return bytes(came), "silent"
    except OSError:
        return bytes(came), "reset"
    return bytes(came), "closed"


def exactly(connection: socket.socket, count: int, bound_s: float = 10.0) -> bytes:
    """So many bytes."""
    connection.settimeout(bound_s)
    came = bytearray()
    while len(came) < count:
        data = connection.recv(min(65536, count - len(came)))
        assert data, f"the connection ended after {len(came)} of {count} bytes"
        came += data
    return bytes(came)
