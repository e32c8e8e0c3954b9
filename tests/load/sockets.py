"""WebSocket servers for tests: one that sends exactly the bytes it is told, and that of the library `websockets`."""

import base64
import contextlib
import hashlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

from websockets.sync.server import ServerConnection, serve

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, 1.3."""


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bytes = b"") -> bytes:
    """The bytes of a frame (RFC 6455, 5.2)."""
    first = (0x80 if fin else 0) | opcode
    flag = 0x80 if mask else 0
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first, flag | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", first, flag | 126, size)
    else:
        head = struct.pack("!BBQ", first, flag | 127, size)
    if mask:
        payload = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    return head + mask + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame."""
    return frame(8, struct.pack("!H", code) + reason.encode())


def read_frame(connection: socket.socket) -> tuple[int, bytes, bool]:
    """Opcode, unmasked payload, and whether it was masked, of one short frame of a client."""

    def exactly(count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = connection.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    first, second = exactly(2)
    size, masked = second & 127, bool(second & 128)
    assert size < 126, "tests send short messages"
    mask = exactly(4) if masked else b"\0\0\0\0"
    return first & 15, bytes(byte ^ mask[place % 4] for place, byte in enumerate(exactly(size))), masked


class Scripted:
    """A server that shakes hands with each connection, as it should, and then does what the script says.

    Args:
        script: is given the connection; when it returns the connection is closed.
        greeting: what is sent instead of a good handshake; None for a good one.
    """

    def __init__(self, script: Callable[[socket.socket], None], greeting: bytes | None = None) -> None:
        self._script, self._greeting = script, greeting
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.requests: list[bytes] = []
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self._connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError), connection:
            head = b""
            while b"\r\n\r\n" not in head:
                more = connection.recv(4096)
                if not more:
                    return
                head += more
            self.requests.append(head)
            key = next(
                line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-k")
            )
            accept = base64.b64encode(hashlib.sha1(key + GUID).digest())  # noqa: S324 - the protocol's
            good = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            good += b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            connection.sendall(good if self._greeting is None else self._greeting)
            self._script(connection)

    def close(self) -> None:
        """Close everything."""
        self._listening.close()
        for connection in self._connections:
            connection.close()


@contextlib.contextmanager
def library_server(handler: Callable[[ServerConnection], None], **options) -> Iterator[str]:
    """The library's own server, in a thread; its address."""
    with serve(handler, "127.0.0.1", 0, **options) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join(5)
