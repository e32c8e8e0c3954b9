"""Traffic through our proxy and through toxiproxy-server, with the same toxics, has the same fate."""

import contextlib
import itertools
import socket
import threading
import time

import pytest

from resilience.wire.link import End
from tests.wire import twins

pytestmark = pytest.mark.stack

NUMBER = itertools.count()
BOTH = pytest.mark.parametrize("which", ["ours", "theirs"])
"""What holds of toxiproxy is tried on it, too: else it would be our idea of toxiproxy that is compared."""


@pytest.fixture
def server(which, request):
    return request.getfixturevalue(which)


class Way:
    """A proxy of its own for a test."""

    def __init__(self, server, upstream):
        self.server = server
        self.name = f"way{next(NUMBER)}"
        self.address = server.proxy(self.name, upstream.port)

    def add(self, kind, stream="downstream", toxicity=1.0, **attributes):
        """Add a toxic."""
        return self.server.json(
            "POST",
            f"/proxies/{self.name}/toxics",
            {"name": kind + stream, "type": kind, "stream": stream, "toxicity": toxicity, "attributes": attributes},
        )

    def change(self, kind, stream="downstream", **attributes):
        """Change its attributes."""
        self.server.json("POST", f"/proxies/{self.name}/toxics/{kind + stream}", {"attributes": attributes})

    def remove(self, kind, stream="downstream"):
        """Remove it."""
        self.server.json("DELETE", f"/proxies/{self.name}/toxics/{kind + stream}")

    def open(self):
        """A connection through the proxy."""
        return contextlib.closing(socket.create_connection(self.address, 5))


@pytest.fixture
def way(server, upstream):
    made = Way(server, upstream)
    yield made
    server.ask("DELETE", f"/proxies/{made.name}")


def exchange(connection, data=b"ping"):
    """Send, wait for the echo; how long it took."""
    began = time.monotonic()
    connection.sendall(data)
    assert twins.exactly(connection, len(data)) == data
    return time.monotonic() - began


@BOTH
def test_bytes_pass_unchanged_both_ways(way):
    """10 MB sent while they come back are the same bytes, in the same order."""
    data = bytes(range(251)) * 40_000
    with way.open() as connection:
        sender = threading.Thread(target=connection.sendall, args=(data,))
        sender.start()
        assert twins.exactly(connection, len(data), 30) == data
        sender.join()


@BOTH
def test_latency_is_added_each_way_and_taken_away(way):
    """200 ms down and 100 ms up, on a connection that is open already; both gone when removed (Requirement F3)."""
    with way.open() as connection:
        assert exchange(connection) < 0.1
        way.add("latency", latency=200)
        assert 0.2 <= exchange(connection) < 0.29
        way.add("latency", "upstream", latency=100)
        assert 0.3 <= exchange(connection) < 0.39
        way.change("latency", latency=50)
        assert 0.15 <= exchange(connection) < 0.24
        way.remove("latency")
        way.remove("latency", "upstream")
        assert exchange(connection) < 0.1


@BOTH
def test_jitter_stays_within_its_bounds(way):
    """60 ms ± 30 ms: never less than 30 ms, hardly more than 90 ms, and not always the same (Requirement F3)."""
    way.add("latency", latency=60, jitter=30)
    with way.open() as connection:
        took = [exchange(connection) for _ in range(20)]
    assert min(took) >= 0.03
    assert sorted(took)[15] < 0.1
    assert max(took) - min(took) > 0.01


@BOTH
def test_latency_does_not_limit_the_rate(way):
    """Pieces in flight are delayed side by side: 2 MB with 200 ms latency take about 200 ms and not 200 ms each."""
    data = b"x" * 2_000_000
    way.add("latency", latency=200)
    with way.open() as connection:
        sender = threading.Thread(target=connection.sendall, args=(data,))
        began = time.monotonic()
        sender.start()
        assert twins.exactly(connection, len(data), 30) == data
        assert 0.2 <= time.monotonic() - began < 2
        sender.join()


@BOTH
def test_bandwidth_is_what_was_asked(way):
    """300 kB at 300 kB/s take a second, give or take a fifth (Requirement F3)."""
    way.add("bandwidth", rate=300)
    with way.open() as connection:
        assert 0.8 <= exchange(connection, b"x" * 300_000) < 1.3


@BOTH
def test_timeout_swallows_and_closes(way, upstream):
    """Nothing comes back; the connection ends after its time without bytes, never with 0 (Requirement F3)."""
    way.add("timeout", timeout=300)
    with way.open() as connection:
        began = time.monotonic()
        connection.sendall(b"ping")
        assert twins.read_until_end(connection) == (b"", "closed")
        assert 0.25 <= time.monotonic() - began < 0.6
    assert upstream.came == b"ping"
    way.remove("timeout")
    way.add("timeout", timeout=0)
    with way.open() as connection:
        connection.sendall(b"ping")
        assert twins.read_until_end(connection, 0.5) == (b"", "silent")
        way.remove("timeout")
        assert twins.read_until_end(connection) == (b"", "closed")


@BOTH
def test_reset_peer_resets(way):
    """The client sees a reset, `timeout` after its bytes (Requirement F3)."""
    way.add("reset_peer", timeout=200)
    with way.open() as connection:
        began = time.monotonic()
        connection.sendall(b"ping")
        assert twins.read_until_end(connection) == (b"", "reset")
        assert 0.2 <= time.monotonic() - began < 0.4


@BOTH
def test_limit_data_closes_after_so_many_bytes(way):
    """Exactly 100 bytes arrive, whatever the pieces, then the end; the count outlives a change."""
    way.add("limit_data", bytes=100)
    with way.open() as connection:
        connection.sendall(b"x" * 60)
        assert twins.exactly(connection, 60)
        way.change("limit_data", bytes=110)
        connection.sendall(b"y" * 60)
        came, how = twins.read_until_end(connection)
        assert (came, how) == (b"y" * 50, "closed")


@BOTH
def test_slow_close_delays_the_end(way):
    """The server's end reaches the client 300 ms late, its bytes at once."""
    way.add("slow_close", delay=300)
    with way.open() as connection:
        exchange(connection)
        began = time.monotonic()
        connection.shutdown(socket.SHUT_WR)
        assert twins.read_until_end(connection)[0] == b""
        assert 0.3 <= time.monotonic() - began < 0.5


@BOTH
def test_slicer_cuts_into_pieces(way):
    """1000 bytes in pieces of about 100 with 20 ms between them: late, in several pieces, complete."""
    way.add("slicer", average_size=100, size_variation=10, delay=20_000)
    with way.open() as connection:
        began = time.monotonic()
        connection.sendall(b"z" * 1000)
        connection.settimeout(5)
        pieces = []
        while sum(map(len, pieces)) < 1000:
            pieces.append(connection.recv(65536))
        assert len(pieces) >= 5
        assert 0.1 <= time.monotonic() - began < 0.6


@BOTH
def test_toxicity_is_a_share_of_connections(way):
    """Toxicity 0.5 delays about half of 60 connections: 12 to 48 are 4.6 standard deviations (Requirement F3)."""
    way.add("latency", toxicity=0.5, latency=60)
    late = 0
    for _ in range(60):
        with way.open() as connection:
            late += exchange(connection) >= 0.06
    assert 12 <= late <= 48


@BOTH
def test_disabled_means_refused_and_open_connections_end(way):
    """Switched off: connections end, new ones are refused; switched on: they are served on the same port."""
    with way.open() as connection:
        exchange(connection)
        way.server.json("POST", f"/proxies/{way.name}", {"enabled": False})
        assert twins.read_until_end(connection)[1] in {"closed", "reset"}
        assert not twins.reachable(way.address[1])
        way.server.json("POST", f"/proxies/{way.name}", {"enabled": True})
    with way.open() as connection:
        exchange(connection)


@BOTH
def test_no_server_means_closed(server):
    """Nobody listens upstream: the connection is taken and closed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    name = f"way{next(NUMBER)}"
    address = server.proxy(name, port)
    with contextlib.closing(socket.create_connection(address, 5)) as connection:
        assert twins.read_until_end(connection)[1] in {"closed", "reset"}
    server.ask("DELETE", f"/proxies/{name}")


def test_toxics_come_off_while_a_client_does_not_read(ours, upstream):
    """What hangs toxiproxy 2.12: a client that stops reading. Ours lists and removes toxics all the same."""
    way = Way(ours, upstream)
    way.add("latency", latency=10)
    with way.open() as connection:
        connection.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                connection.send(b"x" * 65536)
                time.sleep(0.0005)
        began = time.monotonic()
        way.remove("latency")
        way.add("bandwidth", rate=1)
        way.remove("bandwidth")
        assert time.monotonic() - began < 1


def test_memory_is_bounded_by_a_client_that_does_not_read(ours, upstream):
    """A client that sends and does not read is held up, as by a real network; it cannot fill the proxy's memory."""
    way = Way(ours, upstream)
    with way.open() as connection:
        connection.settimeout(0.5)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 200_000_000:
                sent += connection.send(b"x" * 65536)
        assert sent < 100_000_000


def test_reset_reaches_open_connections(ours, upstream):
    """Ours resets connections that were open before the toxic came, too; toxiproxy closes those."""
    way = Way(ours, upstream)
    with way.open() as connection:
        exchange(connection)
        way.add("reset_peer", timeout=0)
        connection.sendall(b"ping")
        assert twins.read_until_end(connection) == (b"", "reset")


def test_what_latency_holds_arrives_when_it_is_removed(ours, upstream):
    """Removing a toxic loses nothing: bytes that were waiting go on at once."""
    way = Way(ours, upstream)
    way.add("latency", latency=60_000)
    with way.open() as connection:
        connection.sendall(b"ping")
        twins.until(lambda: upstream.came == b"ping")
        time.sleep(0.05)
        way.remove("latency")
        assert twins.exactly(connection, 4, 2) == b"ping"


def test_the_same_seed_draws_the_same(tmp_path, upstream):
    """Which connections a toxic takes depends on the seed and the proxy's name alone (toxiproxy ignores its seed)."""

    def drawn(seed):
        with twins.ours(tmp_path, "-seed", str(seed)) as server:
            server.json(
                "POST",
                "/proxies",
                {"name": "same", "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{upstream.port}"},
            )
            port = int(server.json("GET", "/proxies/same")["listen"].rpartition(":")[2])
            server.json("POST", "/proxies/same/toxics", {"type": "limit_data", "toxicity": 0.5})
            late = []
            for _ in range(16):
                with contextlib.closing(socket.create_connection(("127.0.0.1", port), 5)) as connection:
                    connection.sendall(b"x")
                    connection.settimeout(2)
                    late.append(connection.recv(1) == b"")
            return late

    first = drawn(7)
    assert first == drawn(7)
    assert first != drawn(8)
    assert 0 < sum(first) < 16


class Listener:
    """Stands for a link: keeps what it is told."""

    def __init__(self):
        self.told = []

    def eof(self):
        """No more."""
        self.told.append("end")


def test_what_came_before_the_server_was_reached_comes_first():
    """However a Python's transports take a pause: nothing of it is lost, nor that it was all."""
    link, end = Listener(), End(lambda _: None)
    end.data_received(b"a")
    end.data_received(b"b")
    assert end.eof_received()
    end.join(link.told.append, link, link)
    end.data_received(b"c")
    assert link.told == [b"ab", "end", b"c"]
