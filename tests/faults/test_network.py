"""Faults of the network, measured by those who send and those who receive; the packet filter is not asked."""

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from resilience.errors import FaultError
from resilience.faults import canary, packets, registry
from resilience.host import commands
from resilience.model import FaultSpec
from resilience.ports import Fault
from tests.faults.echo import Echo, echo, hears, says
from tests.faults.parts import eventually, held
from tests.faults.reasons import without_rights

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(bool(without_rights()), reason=f"needs the right to change the network: {without_rights()}"),
]


@pytest.fixture(params=["127.0.0.1", "::1"])
def server(request: pytest.FixtureRequest) -> Iterator[Echo]:
    with echo(request.param) as running:
        yield running


def nft(*words: str) -> str:
    """Another administrator at work."""
    done = commands.run(["nft", *words], timeout_s=10.0)
    assert done.code == 0, done.err
    return done.out


def received(to: tuple[str, int], count: int) -> int:
    """How many of so many datagrams come by that port of this machine."""
    family = socket.AF_INET6 if ":" in to[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as one, socket.socket(family, socket.SOCK_DGRAM) as other:
        one.bind(to)
        came = 0
        for number in range(count):
            other.sendto(b"x", to)
            one.settimeout(0.2 if number == count - 1 else 0)
            try:
                while one.recv(8):
                    came += 1
            except (TimeoutError, BlockingIOError):
                pass
        return came


def test_loses_the_share_that_was_asked_for(server: Echo):
    """10 % lost is 10 % ± 2 seen by the receiver, and TCP gets everything through nevertheless (Requirement F3)."""
    other = ("127.0.0.1", 1 + server.address[1])
    with held(server.fault("network.loss", percent=10.0)), server.connect() as connection:
        lost = 1 - received(server.address, 5000) / 5000
        assert [says(connection, b"%d" % number, 10.0) for number in range(20)] == [b"%d" % n for n in range(20)]
        assert received(other, 500) == 500, "another port must not notice"
    assert lost == pytest.approx(0.10, abs=0.02)
    assert received(server.address, 500) == 500


def test_cuts_off_old_and_new_connections_and_heals(server: Echo):
    """An open connection falls silent, a new one is not made; afterwards the open one goes on where it was."""
    with server.connect() as old:
        assert says(old, b"one", 2.0) == b"one"
        with held(server.fault("network.partition")):
            assert says(old, b"two", 0.5) == b""
            with pytest.raises(TimeoutError):
                server.connect(0.5)
        assert hears(old, 20.0) == b"two"


@pytest.mark.parametrize(("direction", "reached"), [("to", b""), ("from", b"word")])
def test_cut_in_one_direction_only(server: Echo, direction: str, reached: bytes):
    """Cut to the part, it hears nothing; cut from it, it hears and its answers are lost."""
    with server.connect() as connection, held(server.fault("network.partition", direction=direction)):
        assert says(connection, b"word", 0.5) == b""
        assert bytes(server.got[:4]) == reached


def test_meets_the_port_by_which_clients_come_and_not_the_proxys_way_to_the_part(server: Echo):
    """Of a part behind a proxy the proxy's port falls silent; its own still answers (Requirement F3)."""
    with echo() as proxy:
        place = replace(server.place(), host=proxy.address[0], via_port=proxy.address[1])
        cut = registry.build(FaultSpec(name="cut", kind="network.partition", on="echo", duration_s=20.0), place)
        assert isinstance(cut, Fault)
        with proxy.connect() as client, server.connect() as own, held(cut):
            assert says(client, b"one", 0.5) == b""
            assert says(own, b"two", 2.0) == b"two"


def test_resets_old_and_new_connections(server: Echo):
    """An open connection is reset when it is used, a new one is refused; afterwards new ones are made."""
    with server.connect() as old:
        assert says(old, b"one", 2.0) == b"one"
        with held(server.fault("network.reset")):
            with pytest.raises(ConnectionResetError):
                says(old, b"two", 2.0)
            with pytest.raises(ConnectionRefusedError):
                server.connect()
        with server.connect() as new:
            assert says(new, b"three", 2.0) == b"three"


def test_doubles_the_share_that_was_asked_for(server: Echo):
    """Half of the packets come twice, 5 points up or down, and TCP is not confused."""
    with held(server.fault("network.duplicate", percent=50.0)), server.connect() as connection:
        doubled = received(server.address, 2000) / 2000 - 1
        assert says(connection, b"once", 5.0) == b"once"
        assert hears(connection, 0.2) == b""
    assert doubled == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(("how", "seen"), [("refuse", "refused"), ("drop", "silent")])
def test_names_are_not_resolved(how: str, seen: str):
    """A resolver that answered does not answer while the fault is there, and does afterwards (Requirement F5)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as resolver:
        resolver.bind(("127.0.0.1", 0))
        port = resolver.getsockname()[1]

        def answer() -> None:
            while True:
                words, asker = resolver.recvfrom(512)
                if words == b"end":
                    return
                resolver.sendto(words, asker)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            assert canary.question("127.0.0.1", port, b"who?", 1.0) == "answered"
            with echo() as server, held(server.fault("network.dns", resolvers="127.0.0.1", port=port, how=how)):
                assert canary.question("127.0.0.1", port, b"who?", 0.3) == seen
            assert canary.question("127.0.0.1", port, b"who?", 1.0) == "answered"
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"end", ("127.0.0.1", port))
            thread.join(5.0)


def test_ends_by_itself_when_nobody_ends_it():
    """After its lease the rules do nothing any more, although the table is still there (Requirement F7)."""
    with echo() as server:
        spec = FaultSpec(name="tried", kind="network.partition", on="echo", duration_s=1.0)
        fault = registry.find("network.partition").build({"direction": "both", "lease_s": 1.0}, server.place())
        assert isinstance(fault, Fault)
        assert spec.kind == fault.kind
        undo = fault.prepare()
        fault.inject(undo)
        try:
            assert fault.active(undo)
            eventually(lambda: fault.active(undo) is False)
            with server.connect() as connection:
                assert says(connection, b"back", 2.0) == b"back"
            assert any(str(undo.data["table"]) in found for found in packets.leftovers())
        finally:
            fault.revert(undo)
        assert not any(str(undo.data["table"]) in found for found in packets.leftovers())


def test_refused_where_one_is_already():
    """A second fault of the packet filter on the same port is refused: which one did what could not be told."""
    with echo() as server, held(server.fault("network.loss")), pytest.raises(FaultError, match="already"):
        server.fault("network.partition").prepare()


def test_somebody_elses_rules_survive():
    """Only our own table is removed."""
    theirs = "tests_somebody"
    nft("add", "table", "inet", theirs)
    try:
        with echo() as server, held(server.fault("network.loss")):
            pass
        tables = json.loads(nft("--json", "list", "tables", "inet"))["nftables"]
        assert theirs in [entry["table"]["name"] for entry in tables if "table" in entry]
    finally:
        nft("delete", "table", "inet", theirs)


def test_another_share_than_asked_for_is_said():
    """If the rules are changed by somebody else meanwhile, the fault is not what was asked for, and says so."""
    with echo() as server:
        fault = server.fault("network.loss", percent=10.0)
        with held(fault) as undo:
            table = str(undo.data["table"])
            nft(f"flush chain inet {table} act; add rule inet {table} act drop")
            with pytest.raises(FaultError, match="expected 10 %"):
                fault.active(undo)


def test_a_port_that_is_not_ours_is_measured_by_the_rules():
    """Where the same number is taken for UDP, connections are begun, and the rules count."""
    with echo() as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(server.address)
        fault = server.fault("network.loss", percent=50.0)
        with held(fault):
            assert "packets were lost" in getattr(fault, "proof", "")
        fault = server.fault("network.duplicate", percent=50.0)
        undo = fault.prepare()
        fault.inject(undo)
        try:
            with pytest.raises(FaultError, match="not free"):
                fault.active(undo)
        finally:
            fault.revert(undo)


@pytest.mark.parametrize("named", ["not-an-address", " , "])
def test_resolvers_must_be_addresses(named: str):
    """What is no address is refused before anything is done."""
    with echo() as server, pytest.raises(FaultError, match="resolvers"):
        server.fault("network.dns", resolvers=named)
