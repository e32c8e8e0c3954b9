"""A target that lives is heard; one that is gone or hangs is not, unless that is what was asked for. Requirement F7."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

from resilience.model import Event, EventKind, Place, Safety
from resilience.runtime.heartbeat import Held, heartbeat_of


def event(kind: EventKind, name: str = "f", **detail) -> Event:
    """An event of a fault."""
    return Event(0.0, kind, name, detail)


def place(port: int) -> Place:
    """A service on that port."""
    url = f"http://127.0.0.1:{port}"
    return Place(name="service", host="127.0.0.1", port=port, via_port=port, url=url, ready="/ready")


@contextmanager
def unready() -> Iterator[int]:
    """A server that answers 503: it lives."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(503)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@contextmanager
def hung() -> Iterator[int]:
    """A server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def lost_within(beat, within_s: float) -> str:
    """What it says, once it says something; else nothing."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if said := beat.lost():
            return said
        time.sleep(0.02)
    return ""


def test_any_answer_counts():
    """A service that says that it is not ready lives."""
    with unready() as port:
        beat = heartbeat_of(Safety(heartbeat_s=0.8), place(port), Held())
        beat.start()
        assert not lost_within(beat, 2.0)
        beat.stop()


def test_silence_is_told():
    """A target that hangs is told with where it was asked, and what came instead of an answer."""
    with hung() as port:
        beat = heartbeat_of(Safety(heartbeat_s=0.4), place(port), Held())
        beat.start()
        said = lost_within(beat, 5.0)
        beat.stop()
    assert f"127.0.0.1:{port}/ready" in said


def test_a_fault_on_the_service_is_not_counted():
    """While a fault is in place on the service, or a copy, silence is no reason; after it the time begins anew."""
    for part in ("service", "service-2"):
        held = Held()
        held.note(event(EventKind.REQUESTED, on=part))
        with hung() as port:
            beat = heartbeat_of(Safety(heartbeat_s=0.4), place(port), held)
            beat.start()
            assert not lost_within(beat, 1.0)
            held.note(event(EventKind.CLEAR))
            assert not beat.lost()
            assert lost_within(beat, 5.0)
            beat.stop()


def test_a_fault_elsewhere_is():
    """A fault on Redis is no excuse for the service to be silent."""
    held = Held()
    held.note(event(EventKind.REQUESTED, on="redis"))
    assert held.parts == {"redis"}
    assert not held.on_service


def test_nobody_asked():
    """Without `safety.heartbeat` nothing is asked."""
    assert heartbeat_of(Safety(), place(1), Held()) is None
