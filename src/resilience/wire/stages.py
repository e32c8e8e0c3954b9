"""What toxics do to the bytes of one direction of one connection.

A stage takes pieces in order and hands them on in order, at once or later. It never waits: what it holds it holds in a
queue with a timer. So it can be taken out at any moment, and what it held goes on at once: nothing is lost, and nothing
can hang.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

MIB = 1024 * 1024


class Sink(Protocol):
    """What takes the bytes of one direction."""

    def feed(self, data: bytes, at: float) -> None:
        """More bytes; `at` is the instant from which delays are counted."""

    def eof(self) -> None:
        """There will be no more."""


class Owner(Protocol):
    """The link that a stage is in, as the stage needs it."""

    def relieved(self) -> None:
        """The stage holds less than before."""

    def collapse(self, *, reset: bool) -> None:
        """End the connection, both sides of it; with TCP RST, or as usual."""


class Stage:
    """Hands everything on. The others differ from this.

    Args:
        owner: the link.
        attributes: of the toxic.
        draw: where what is random comes from.
    """

    limit: ClassVar[int] = 64 * 1024
    """No more is read while a stage holds more bytes than this."""

    def __init__(self, owner: Owner, attributes: Mapping[str, Any], draw: random.Random) -> None:
        self._owner = owner
        self._attributes = attributes
        self._draw = draw
        self._loop = asyncio.get_running_loop()
        self.then: Sink = _NOWHERE
        self.held = 0

    def feed(self, data: bytes, at: float) -> None:
        """Hand on."""
        self.then.feed(data, at)

    def eof(self) -> None:
        """Hand on."""
        self.then.eof()

    def leave(self) -> None:
        """Hand on what is held: the stage is taken out."""

    def drop(self) -> None:
        """Forget what is held: the connection has ended."""

    def takes_over(self, old: "Stage") -> None:
        """Begin where another of the same type stopped: its attributes were changed."""


class Queue(Stage):
    """What stages that delay have in common: pieces with the instant at which each goes on."""

    def __init__(self, owner: Owner, attributes: Mapping[str, Any], draw: random.Random) -> None:
        super().__init__(owner, attributes, draw)
        self._waiting: deque[tuple[float, bytes | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._last = 0.0

    def eof(self) -> None:
        """Goes on after everything before it."""
        self._later(self._last, None)

    def leave(self) -> None:
        """Everything goes on now."""
        self._stop()
        now = self._loop.time()
        while self._waiting:
            self._emit(self._waiting.popleft()[1], now)

    def drop(self) -> None:
        """Forget everything."""
        self._stop()
        self._waiting.clear()
        self.held = 0

    def _later(self, due: float, data: bytes | None) -> None:
        self._last = max(due, self._last)
        self.held += len(data or b"")
        self._waiting.append((self._last, data))
        self._run()

    def _run(self) -> None:
        self._stop()
        now = self._loop.time()
        while self._waiting and self._waiting[0][0] <= now:
            due, data = self._waiting.popleft()
            self._emit(data, due)
        if self._waiting and self._timer is None:
            self._timer = self._loop.call_at(self._waiting[0][0], self._run)
        self._owner.relieved()

    def _emit(self, data: bytes | None, at: float) -> None:
        if data is None:
            self.then.eof()
        else:
            self.held -= len(data)
            self.then.feed(data, at)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Latency(Queue):
    """Everything is late by `latency` ms, give or take `jitter`."""

    limit = 32 * MIB

    def feed(self, data: bytes, at: float) -> None:
        """Due its delay after it came in."""
        jitter = self._attributes["jitter"]
        delay = self._attributes["latency"] + (self._draw.randrange(-jitter, jitter) if jitter > 0 else 0)
        self._later(at + delay / 1e3, data)


class Bandwidth(Queue):
    """No more than `rate` kB/s; what is not positive lets nothing through."""

    PIECE_S = 0.1

    def feed(self, data: bytes, at: float) -> None:  # noqa: ARG002 - counted from now: earlier delays are over
        """Each piece is due when the line would have carried it."""
        rate = self._attributes["rate"] * 1e3
        if rate <= 0:
            self._later(float("inf"), data)
            return
        size = max(1, int(rate * self.PIECE_S))
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            self._later(max(self._last, self._loop.time()) + len(piece) / rate, piece)


class Slicer(Queue):
    """Cuts into pieces of `average_size` bytes, give or take `size_variation`, `delay` µs apart."""

    def feed(self, data: bytes, at: float) -> None:
        """Each piece is due a delay after the one before it."""
        size = max(1, self._attributes["average_size"])
        variation = min(max(0, self._attributes["size_variation"]), size - 1)
        delay = self._attributes["delay"] / 1e6
        due, start = max(at, self._last), 0
        while start < len(data):
            end = start + size + (self._draw.randrange(-variation, variation) if variation else 0)
            self._later(due, data[start:end])
            due += delay
            start = end
        self._last = max(self._last, due)


class SlowClose(Stage):
    """The end is late by `delay` ms."""

    def __init__(self, owner: Owner, attributes: Mapping[str, Any], draw: random.Random) -> None:
        super().__init__(owner, attributes, draw)
        self._timer: asyncio.TimerHandle | None = None

    def eof(self) -> None:
        """Later."""
        if self._timer is None:
            self._timer = self._loop.call_later(max(0, self._attributes["delay"]) / 1e3, self.then.eof)

    def leave(self) -> None:
        """The end that is held goes on now."""
        if self._timer is not None and not self._timer.cancelled():
            self._timer.cancel()
            self.then.eof()

    def drop(self) -> None:
        """Forget it."""
        if self._timer is not None:
            self._timer.cancel()


class Timeout(Stage):
    """Swallows everything; closes `timeout` ms after the last bytes, never if that is 0."""

    def __init__(self, owner: Owner, attributes: Mapping[str, Any], draw: random.Random) -> None:
        super().__init__(owner, attributes, draw)
        self._timer: asyncio.TimerHandle | None = None
        self._wind()

    def feed(self, data: bytes, at: float) -> None:  # noqa: ARG002 - swallowed
        """Gone."""
        self._wind()

    def leave(self) -> None:
        """What was swallowed is missing: the connection cannot go on."""
        self.drop()
        self._owner.collapse(reset=False)

    def drop(self) -> None:
        """No alarm any more."""
        if self._timer is not None:
            self._timer.cancel()

    def takes_over(self, old: Stage) -> None:
        """Only the time limit changes."""
        old.drop()

    def _wind(self) -> None:
        self.drop()
        if self._attributes["timeout"] > 0:
            self._timer = self._loop.call_later(
                self._attributes["timeout"] / 1e3, lambda: self._owner.collapse(reset=False)
            )


class ResetPeer(Stage):
    """Resets the connection `timeout` ms after bytes came, or its end."""

    def __init__(self, owner: Owner, attributes: Mapping[str, Any], draw: random.Random) -> None:
        super().__init__(owner, attributes, draw)
        self._timer: asyncio.TimerHandle | None = None

    def feed(self, data: bytes, at: float) -> None:  # noqa: ARG002 - lost with the connection
        """Light the fuse."""
        self.eof()

    def eof(self) -> None:
        """Light the fuse."""
        if self._timer is None:
            self._timer = self._loop.call_later(
                max(0, self._attributes["timeout"]) / 1e3, lambda: self._owner.collapse(reset=True)
            )

    def leave(self) -> None:
        """Bytes that were taken are missing: then the connection ends."""
        if self._timer is not None:
            self._timer.cancel()
            self._owner.collapse(reset=True)

    def drop(self) -> None:
        """No fuse any more."""
        if self._timer is not None:
            self._timer.cancel()


class LimitData(Stage):
    """Closes after `bytes` bytes."""

    def __init__(self, owner: Owner, attributes: Mapping[str, Any], draw: random.Random) -> None:
        super().__init__(owner, attributes, draw)
        self._sent = 0
        self._over = False

    def feed(self, data: bytes, at: float) -> None:
        """As much as is left; then the end."""
        if self._over:
            return
        left = max(0, self._attributes["bytes"] - self._sent)
        if data := data[:left]:
            self._sent += len(data)
            self.then.feed(data, at)
        if self._attributes["bytes"] - self._sent <= 0:
            self._over = True
            self.then.eof()

    def takes_over(self, old: Stage) -> None:
        """What was sent counts."""
        if isinstance(old, LimitData):
            self._sent, self._over = old._sent, old._over  # noqa: SLF001 - of its own class


class _Nowhere:
    """Where a stage leads before it stands in a link."""

    def feed(self, data: bytes, at: float) -> None:
        """Nothing."""

    def eof(self) -> None:
        """Nothing."""


_NOWHERE = _Nowhere()

MakeStage = Callable[[Owner, Mapping[str, Any], random.Random], Stage]


@dataclass(frozen=True, slots=True)
class ToxicType:
    """A type of toxic: its whole-number attributes in the order in which they are shown, and what it does."""

    attributes: tuple[str, ...]
    stage: MakeStage


TYPES: Mapping[str, ToxicType] = {
    "bandwidth": ToxicType(("rate",), Bandwidth),
    "latency": ToxicType(("latency", "jitter"), Latency),
    "limit_data": ToxicType(("bytes",), LimitData),
    "noop": ToxicType((), Stage),
    "reset_peer": ToxicType(("timeout",), ResetPeer),
    "slicer": ToxicType(("average_size", "size_variation", "delay"), Slicer),
    "slow_close": ToxicType(("delay",), SlowClose),
    "timeout": ToxicType(("timeout",), Timeout),
}
"""Toxiproxy's types."""
