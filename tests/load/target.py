"""A target that misbehaves as told, and counts what it was asked."""

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Asked:
    """One request as the target got it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Told:
    """What the target does: wait, send these bytes, then keep the connection, close it, or reset it."""

    content: bytes = b""
    wait_s: float = 0.0
    then: str = "keep"


def answer(status: int, document: Any = None, *, body: bytes | None = None, headers: str = "") -> bytes:
    """An ordinary answer."""
    content = body if body is not None else json.dumps(document).encode()
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(content)}\r\n{headers}\r\n".encode() + content


HANG = Told(wait_s=1e9)


@dataclass
class Target:
    """A threaded HTTP server on a free port, ordinarily of loopback, that does what `script` says, and counts.

    A hanging answer ends when the target is closed. With a context it speaks TLS.
    """

    script: Callable[[Asked], Told | bytes]
    host: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None
    connections: int = 0
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._closing = threading.Event()
        self._listener = socket.create_server((self.host, 0), backlog=512)
        self._threads: list[threading.Thread] = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        """Its base address."""
        return f"http{'s' if self.tls else ''}://{self.host}:{self.port}"

    def requests(self) -> Counter[str]:
        """How many requests came, by first part of the path."""
        return Counter(asked.path.split("/")[1] for asked in self.asked)

    def close(self) -> None:
        """Stop listening and end every connection."""
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5.0)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(0.2)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        buffer = b""
        if self.tls is not None:
            connection.settimeout(5.0)
            try:
                connection = self.tls.wrap_socket(connection, server_side=True)
            except OSError:
                connection.close()
                return
            connection.settimeout(0.2)
        with connection, contextlib.suppress(OSError):
            while not self._closing.is_set():
                try:
                    data = connection.recv(65536)
                except TimeoutError:
                    continue
                if not data:
                    return
                buffer += data
                while (split := _split(buffer)) is not None:
                    asked, buffer = split
                    self.asked.append(asked)
                    if not self._do(connection, asked):
                        return

    def _do(self, connection: socket.socket, asked: Asked) -> bool:
        told = self.script(asked)
        told = Told(told) if isinstance(told, bytes) else told
        if told.wait_s and self._closing.wait(min(told.wait_s, 3600.0)):
            return False
        connection.sendall(told.content)
        if told.then == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return told.then == "keep"


def _split(buffer: bytes) -> tuple[Asked, bytes] | None:
    head, found, rest = buffer.partition(b"\r\n\r\n")
    if not found:
        return None
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    length = int(headers.get("content-length", 0))
    if len(rest) < length:
        return None
    method, path, _ = first.split(" ")
    return Asked(method, path, headers, rest[:length]), rest[length:]
