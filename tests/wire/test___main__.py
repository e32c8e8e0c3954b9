"""The program: its options, what it refuses, and that a stack runs with it in toxiproxy's place."""

import contextlib
import os
import resource
import socket
import sys

import pytest

from resilience.host import commands
from resilience.model import Service
from resilience.stack.embedded import EmbeddedStack
from tests.wire import twins

pytestmark = pytest.mark.stack


def run(*words):
    return commands.run([*twins.OURS, *words], timeout_s=20)


def test_it_says_which_toxiproxy_it_stands_for():
    """`-version` answers in the form that toxiproxy-server has."""
    assert run("-version").out == "toxiproxy-server version 2.12.0-resilience\n"


def test_other_machines_are_not_served():
    """The control API can break what is behind its proxies: no address but loopback is taken."""
    for host in ("0.0.0.0", "::", "192.0.2.1"):  # noqa: S104 - refused
        done = run("-host", host, "-port", "0")
        assert done.code == 1
        assert "is no loopback address" in done.err


def test_it_takes_more_connections_than_the_usual_limit_allows(tmp_path):
    """Started with 128 file handles, it raises its limit: 200 connections (400 handles) are served at once."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = before[1]
    assert most == resource.RLIM_INFINITY or most >= 1024, "this machine allows too few open files"
    few = ("/bin/sh", "-c", 'ulimit -S -n 128 && exec "$@"', "sh", *twins.OURS)
    with contextlib.ExitStack() as after, twins.Upstream() as upstream:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # 400 of them are on this side
        after.callback(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        server = after.enter_context(twins.serving(tmp_path, *few))
        address = server.proxy("many", upstream.port)
        opened = [after.enter_context(contextlib.closing(socket.create_connection(address, 5))) for _ in range(200)]
        for connection in opened:
            connection.sendall(b"ping")
        assert [twins.exactly(connection, 4) for connection in opened] == [b"ping"] * 200


def test_a_token_is_asked_for_where_one_is_set(tmp_path):
    """With `-token-file` every request needs the token, as `Authorization: Bearer`."""
    secret = tmp_path / "token"
    secret.write_text("sentinel\n")
    with twins.ours(tmp_path, "-token-file", str(secret)) as server:
        assert server.ask("GET", "/version")[0] == 401
        assert server.ask("GET", "/version", None, {"Authorization": "Bearer other"})[0] == 401
        assert server.ask("GET", "/version", None, {"Authorization": "Bearer sentinel"})[0] == 200


def test_what_is_no_http_ends_that_connection_only(tmp_path):
    """Bytes that are no request, a body without end: the connection ends, and the server answers others."""
    with twins.ours(tmp_path) as server:
        for words in (b"\x00\x01\x02\r\n\r\n", b"POST /proxies HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", server.control), 5) as connection:
                connection.sendall(words)
                if words.startswith(b"POST"):
                    with pytest.raises(OSError, match=r"reset|pipe"):
                        connection.sendall(bytes(99_999_999))
                else:
                    assert twins.read_until_end(connection)[1] in {"closed", "reset"}
        assert server.ask("GET", "/version")[0] == 200


def test_a_stack_runs_with_it_in_toxiproxys_place():
    """No toxiproxy-server: the service reaches Redis and PostgreSQL through ours, which the part's command says."""
    stack = EmbeddedStack(
        Service(command=("python", "-m", "fixtures.target")),
        tag=f"own-{os.getpid()}",
        experiment_folder=".",
        environment={**os.environ, "RESILIENCE_TOXIPROXY_SERVER": "own"},
    )
    try:
        stack.start()
        places = stack.places()
        assert places["toxiproxy"].launch.argv[:4] == (sys.executable, "-P", "-m", "resilience.wire")
        proxies = twins.Server(places["toxiproxy"].port).json("GET", "/proxies")
        assert set(proxies) == {"postgres", "redis"}
        assert all(proxy["enabled"] for proxy in proxies.values())
        assert stack.found["toxiproxy-server"] == "2.12.0-resilience, own proxy"
    finally:
        stack.stop()
