"""Connections on this machine."""

import socket

from resilience.host.network import connections_to


def test_open_connections_to_a_port_are_counted_once():
    """Requirement F7: whether the way that a fault is on is used at all can be told before the fault."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert connections_to(port) == 0  # listening is not being used
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = server.accept()
            assert connections_to(port) == 1
            client.close()  # the connecting side closes first: TIME_WAIT is left, as after a stack's own health check
            accepted.close()
        assert connections_to(port) == 0
