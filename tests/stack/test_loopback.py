import socket
from pathlib import Path

import pytest

from resilience.errors import EnvironmentNotReady
from resilience.stack.loopback import HOST, Reservation, candidates, get


def listen(port, *, reuse):
    """A server's socket."""
    server = socket.socket()
    if reuse:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind((HOST, port))
        server.listen()
    except OSError:
        server.close()
        raise
    return server


def test_a_reserved_port_is_free_for_a_server_that_asks_for_reuse_and_for_nobody_else():
    """Also after that server was killed and starts again."""
    held = Reservation(1)
    (port,) = held.ports
    for _ in range(2):
        with pytest.raises(OSError, match="in use"):
            listen(port, reuse=False)
        listen(port, reuse=True).close()
    held.close()
    listen(port, reuse=False).close()


def test_two_reservations_never_share_a_port():
    """Two stacks may start at the same time."""
    among = range(23_000, 23_016)
    first, second = Reservation(5, among), Reservation(5, among)
    assert not set(first.ports) & set(second.ports)
    first.close()
    second.close()


def test_a_port_in_use_is_not_reserved():
    """Of two ports the free one is found."""
    busy = socket.socket()
    busy.bind((HOST, 0))
    busy.listen()
    with pytest.raises(EnvironmentNotReady, match="1 free ports"):
        Reservation(1, [busy.getsockname()[1]])
    busy.close()


def test_no_reserved_port_is_one_of_those_for_outgoing_connections():
    """Otherwise the load's own connections could take the port of a server that is being restarted."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert candidates() == (0,) or max(candidates()) < lowest


def test_a_released_port_is_free_for_anybody():
    """The service may not ask for reuse."""
    held = Reservation(2)
    port = held.ports[0]
    held.release(port)
    listen(port, reuse=False).close()
    assert port not in held.ports
    held.close()


def test_no_answer_is_status_zero_with_the_reason():
    """A server that is not there is not an exception here."""
    held = Reservation(1)
    status, reason = get(held.ports[0], "/")
    held.close()
    assert status == 0
    assert b"refused" in reason
