"""A small TCP server that sends back what it gets, for the tests of faults of the network."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from resilience.faults import registry
from resilience.model import FaultSpec, Json, Place
from resilience.ports import Fault


@dataclass
class Echo:
    """The server; what it got so far: the beginnings of it, and how much."""

    listening: socket.socket
    got: bytearray = field(default_factory=bytearray)
    sizes: list[int] = field(default_factory=list)
    silent: bool = False

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self.listening.getsockname()[:2]
        return host, port

    def place(self) -> Place:
        """As a part of a stack."""
        host, port = self.address
        return Place(name="echo", host=host, port=port, via_port=port)

    def fault(self, kind: str, *, duration_s: float = 20.0, **settings: Json) -> Fault:
        """A fault of it."""
        fault = registry.build(
            FaultSpec(name="tried", kind=kind, on="echo", duration_s=duration_s, settings=settings), self.place()
        )
        assert isinstance(fault, Fault)
        return fault

    def connect(self, timeout_s: float = 5.0) -> socket.socket:
        """A connection to it."""
        return socket.create_connection(self.address, timeout=timeout_s)

    def serve(self) -> None:
        """Take connections until it is closed."""
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            while True:
                try:
                    words = connection.recv(1 << 16)
                    if not words:
                        return
                    self.got += words[:64]
                    self.sizes.append(len(words))
                    if not self.silent:
                        connection.sendall(words)
                except OSError:
                    return


@contextmanager
def echo(address: str = "127.0.0.1", *, silent: bool = False) -> Iterator[Echo]:
    """Run one on a free port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as listening:
        listening.bind((address, 0))
        listening.listen()
        server = Echo(listening, silent=silent)
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(2.0)


def says(connection: socket.socket, words: bytes, within_s: float) -> bytes:
    """What comes back; nothing if that takes longer."""
    connection.sendall(words)
    return hears(connection, within_s)


def hears(connection: socket.socket, within_s: float) -> bytes:
    """What comes; nothing if that takes longer."""
    connection.settimeout(within_s)
    try:
        return connection.recv(1 << 16)
    except TimeoutError:
        return b""
