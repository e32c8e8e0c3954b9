"""Who talks to whom on this machine, and ending a conversation that takes too long."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil


def connections_to(port: int) -> int:
    """How many TCP connections to a port of this machine are open now, seen from the connecting side."""
    return sum(
        1
        for connection in psutil.net_connections("tcp")
        if connection.raddr and connection.raddr.port == port and connection.status == psutil.CONN_ESTABLISHED
    )


@contextmanager
def cut_off(descriptor: int, after_s: float) -> Iterator[None]:
    """Cut a TCP connection when what is done over it takes too long.

    For libraries that wait for ever: a stopped PostgreSQL heeds no statement timeout, and libpq has no other.

    Args:
        descriptor: of the connection; it is duplicated, so its owner may close it meanwhile.
        after_s: seconds from now until both directions are shut down; not at all if the block ends before.
    """
    own = socket.socket(fileno=socket.dup(descriptor))

    def cut() -> None:
        with suppress(OSError):
            own.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(after_s, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        own.close()
