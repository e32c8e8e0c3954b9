"""The target's heartbeat: it must answer its ready path every now and then, or the run is given up.

Any answer counts, also `503`: a service that says that it is not ready lives, and whether it may say so is for
objectives to judge. While a fault is in place on the service itself, silence is what was asked for, and is not counted;
after such a fault the target has the whole time again.
"""

import http.client
import threading
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from resilience.model import Event, EventKind, Place, Safety

SERVICE = "service"
_AT_MOST_S = 2.0
_WAITING = "the last question is still without an answer"


class Held:
    """Which faults are in place on which part, as the events say; one that was not seen to go is still there."""

    def __init__(self) -> None:
        """Nothing is held."""
        self._on: Mapping[str, str] = {}

    def note(self, event: Event) -> None:
        """Take an event in."""
        if event.kind is EventKind.REQUESTED:
            self._on = {**self._on, event.name: str(event.detail.get("on", ""))}
        elif event.kind in {EventKind.CLEAR, EventKind.STRUCK}:
            self._on = {name: on for name, on in self._on.items() if name != event.name}

    @property
    def parts(self) -> frozenset[str]:
        """The parts with a fault in place."""
        return frozenset(self._on.values())

    @property
    def on_service(self) -> bool:
        """Whether one of them is the service, or a copy of it."""
        return any(part == SERVICE or part.startswith(f"{SERVICE}-") for part in self.parts)


def heartbeat_of(safety: Safety, place: Place, held: Held) -> "Heartbeat | None":
    """The heartbeat that an experiment asks for; None if it does not."""
    return Heartbeat(place, safety.heartbeat_s, held) if safety.heartbeat_s > 0 else None


class Heartbeat:
    """Asks the target in a thread of its own, since a target that hangs would hold up whoever asks.

    Args:
        place: the service.
        within_s: how long it may be silent.
        held: what is in place.
    """

    def __init__(self, place: Place, within_s: float, held: Held) -> None:
        """Nothing is asked before `start`."""
        parts = urlsplit(place.url)
        self._host, self._port = parts.hostname or place.host, parts.port or place.port
        self._path = place.ready or "/"
        self._within_s = within_s
        self._held = held
        self._heard_s = time.monotonic()
        self._said = _WAITING
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to ask; the time counts from now."""
        self._heard_s = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._ended.set()

    def lost(self) -> str:
        """Why the target counts as gone; empty if it does not."""
        if self._held.on_service:
            self._heard_s = time.monotonic()
        silent_s = time.monotonic() - self._heard_s
        if silent_s <= self._within_s:
            return ""
        where = f"http://{self._host}:{self._port}{self._path}"
        return f"the target has not answered for {silent_s:.1f} s at {where}: {self._said}"

    def _run(self) -> None:
        period_s = min(1.0, self._within_s / 5)
        while not self._ended.wait(period_s):
            connection = http.client.HTTPConnection(self._host, self._port, timeout=min(self._within_s, _AT_MOST_S))
            try:
                connection.request("GET", self._path)
                connection.getresponse().read(1)
            except (OSError, http.client.HTTPException) as error:
                self._said = f"{type(error).__name__}: {error}".removesuffix(": ")
            else:
                self._heard_s = time.monotonic()
                self._said = _WAITING
            finally:
                connection.close()
