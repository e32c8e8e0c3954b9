"""The toxiproxy client against a real server."""

import subprocess
import time

import pytest

from resilience.faults import registry
from resilience.faults.toxiproxy import Toxiproxy
from resilience.model import Place
from resilience.stack import loopback, programs

pytestmark = pytest.mark.stack


@pytest.fixture
def server():
    """Start a server that counts bytes; yields its control address and two free ports."""
    reserved = loopback.Reservation(3)
    control, one, other = reserved.ports
    argv = [str(programs.find("toxiproxy-server").path), "-host", "127.0.0.1", "-port", str(control), "-proxy-metrics"]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{control}"
        assert _answers(address)
        yield address, control, one, other
    finally:
        process.kill()
        process.wait()
        reserved.close()


def _answers(address):
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            Toxiproxy(address).version()
        except Exception:  # noqa: BLE001 - not there yet
            time.sleep(0.02)
        else:
            return True
    return False


def _place(address, name, via):
    return Place(name=name, host="127.0.0.1", port=via, via_port=via, proxy=name, control=address)


def test_bytes_through_a_proxy_are_counted_per_proxy(server):
    """Requirement F7: whether the service uses the path that a fault will be on can be told before the fault."""
    address, control, one, other = server
    client = Toxiproxy(address)
    assert client.received_bytes("used") is None  # nothing came through any proxy: it cannot be told who counts
    client.create("used", f"127.0.0.1:{one}", f"127.0.0.1:{control}")
    client.create("unused", f"127.0.0.1:{other}", f"127.0.0.1:{control}")
    assert Toxiproxy(f"http://127.0.0.1:{one}").version()  # a request through the proxy
    before = registry.traffic(_place(address, "used", one))
    assert before is not None
    assert before > 0
    assert Toxiproxy(f"http://127.0.0.1:{one}").version()
    assert registry.traffic(_place(address, "used", one)) > before
    assert registry.traffic(_place(address, "unused", other)) == 0


def test_a_part_without_a_proxy_has_no_traffic_to_count():
    """The service itself has no proxy in front."""
    place = Place(name="service", host="127.0.0.1", port=1, via_port=1)
    assert registry.traffic(place) is None
