"""Servers on the loopback address that misbehave as told, and count the requests that they are sent."""

import enum
import socket as plain
import struct
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import gevent
from gevent import socket

_CHUNK = 65536
_PATIENCE_S = 10.0
"""A server that says nothing ends by itself after this."""


class Answer(enum.Enum):
    """What becomes of a request."""

    RESET = "reset after the request"
    LATER = "put off"
    SILENCE = "silence"


SCRIPTS: Mapping[str, tuple[Answer, ...]] = {
    "http": tuple(Answer),
    "job": tuple(Answer),
    "stream": tuple(Answer),
    "redis": tuple(Answer),
}
"""The kinds of operation that there is a server for, and what it can do."""


class Scripted:
    """A server for one trial, while a `with` block lasts.

    Args:
        protocol: what it speaks, one of `SCRIPTS`.
        answer: what becomes of requests.
        well: so many are answered well before.

    Attributes:
        requests: how many came.
    """

    def __init__(self, protocol: str, answer: Answer, *, well: int = 0) -> None:
        self._dialect = _redis if protocol == "redis" else _http
        self._answer, self._well = answer, well
        self.requests = 0
        self._busy: list[gevent.Greenlet] = []
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(16)
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._busy.append(gevent.spawn(self._accept))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End, with all connections."""
        gevent.killall(self._busy)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            self._busy.append(gevent.spawn(self._serve, connection))

    def _serve(self, connection: Any) -> None:  # noqa: ANN401 - gevent's socket
        try:
            for well, later in self._dialect(connection):
                if well is None:  # said before any request, such as a greeting
                    connection.sendall(later)
                    continue
                self.requests += 1
                if self.requests <= self._well:
                    connection.sendall(well)
                elif self._answer is Answer.LATER:
                    connection.sendall(later)
                elif self._answer is Answer.SILENCE:
                    gevent.sleep(_PATIENCE_S)
                else:
                    # Closed with a linger of no length: RST instead of FIN.
                    connection.setsockopt(plain.SOL_SOCKET, plain.SO_LINGER, struct.pack("ii", 1, 0))
                    return
        except OSError:
            return  # the other side has gone
        finally:
            connection.close()


_WELL = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
_LATER = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"


def _http(connection: Any) -> Iterator[tuple[bytes | None, bytes]]:  # noqa: ANN401 - gevent's socket
    """For each request, what answers it well, and what puts it off."""
    content = b""
    while True:
        while b"\r\n\r\n" not in content:
            more = connection.recv(_CHUNK)
            if not more:
                return
            content += more
        head, _, content = content.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = sum(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:"))
        while len(content) < length:
            more = connection.recv(_CHUNK)
            if not more:
                return
            content += more
        content = content[length:]
        yield _WELL, _LATER


_GREETING = {b"AUTH", b"CLIENT", b"SELECT", b"HELLO"}


def _redis(connection: Any) -> Iterator[tuple[bytes | None, bytes]]:  # noqa: ANN401 - gevent's socket
    """The same of commands; what greets is answered at once."""
    import hiredis  # noqa: PLC0415 - not everybody has it

    reader = hiredis.Reader()
    while content := connection.recv(_CHUNK):
        reader.feed(content)
        while (command := reader.gets()) is not False:
            if command[0].upper() in _GREETING:
                yield None, b"+OK\r\n"
            else:
                yield b"+OK\r\n", b"-TRYAGAIN Try again later\r\n"
