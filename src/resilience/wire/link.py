"""One connection through a proxy: two ends, and between them a link for each direction with its stages."""

import asyncio
import random
import socket
import struct
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, Protocol

from resilience.wire.stages import TYPES, Sink, Stage

_NOW = struct.pack("ii", 1, 0)
"""SO_LINGER of 0 s: closing resets."""
_HELD = 256 * 1024
"""No more is read from the client while a mind holds more bytes than this."""


class Toxic(Protocol):
    """A toxic as a link needs it."""

    @property
    def type(self) -> str:
        """One of `stages.TYPES`."""

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Whole numbers by name."""

    @property
    def toxicity(self) -> float:
        """The share of connections that it takes."""


class Mind(Protocol):
    """Understands what is said on a connection; stands between the links and the server's end."""

    held: int

    def from_client(self, data: bytes) -> None:
        """Bytes for the server, as far as the rules let them pass."""

    def from_server(self, data: bytes) -> None:
        """Bytes for the client, as far as the rules let them pass."""

    def client_eof(self) -> None:
        """The client says no more."""

    def drop(self) -> None:
        """The connection has ended."""

    def rules_changed(self) -> None:
        """A rule came, went or was changed."""


class Link:
    """One direction: what comes from one end goes through the stages to the other.

    Args:
        source: where bytes come from.
        target: where they go to.
        sink: what takes them after the last stage.
        draw: where what is random comes from.
    """

    def __init__(self, source: "End", target: "End", sink: Sink, draw: random.Random) -> None:
        self._source = source
        self._target = target
        self._sink = sink
        self._draw = draw
        self._loop = asyncio.get_running_loop()
        self._stages: list[Stage] = []
        self._first: Sink = sink
        self._ended = False
        self.held: Callable[[], int] = lambda: 0

    def begin(self, toxics: Iterable[Toxic]) -> None:
        """Stand up with the toxics that there are."""
        self._stages = [self._stage(toxic) for toxic in toxics]
        self._join()

    def feed(self, data: bytes) -> None:
        """Bytes from the source."""
        self._first.feed(data, self._loop.time())
        if self._stages:
            self.relieved()

    def eof(self) -> None:
        """No more from the source."""
        if not self._ended:
            self._ended = True
            self._first.eof()

    def add(self, toxic: Toxic) -> None:
        """A toxic more, after the others."""
        self._stages.append(self._stage(toxic))
        self._join()

    def update(self, index: int, toxic: Toxic) -> None:
        """Other attributes or another toxicity: drawn anew."""
        old, new = self._stages[index], self._stage(toxic)
        self._stages[index] = new
        new.takes_over(old)
        self._join()
        if type(old) is type(new):
            old.drop() if not old.held else old.leave()
        else:
            old.leave()

    def remove(self, index: int) -> None:
        """A toxic less; what it holds goes on."""
        old = self._stages.pop(index)
        if not self._stages[index:]:
            old.then = self._sink
        self._join()
        old.leave()
        self.relieved()

    def relieved(self) -> None:
        """Read from the source, or not, as there is room."""
        full = self._target.paused or self.held() > _HELD or any(stage.held > stage.limit for stage in self._stages)
        self._source.read(not full)

    def collapse(self, *, reset: bool) -> None:
        """End the connection."""
        if reset:
            self._source.reset()
            self._target.reset()
        else:
            self._target.close()

    def drop(self) -> None:
        """The target is gone: forget what was for it."""
        self._ended = True
        for stage in self._stages:
            stage.drop()

    def _stage(self, toxic: Toxic) -> Stage:
        taken = self._draw.random() < toxic.toxicity
        return (TYPES[toxic.type].stage if taken else Stage)(self, toxic.attributes, self._draw)

    def _join(self) -> None:
        for one, other in pairwise(self._stages):
            one.then = other
        if self._stages:
            self._stages[-1].then = self._sink
        self._first = self._stages[0] if self._stages else self._sink


class End(asyncio.Protocol):
    """One side of a connection."""

    def __init__(self, ended: Callable[["End"], None]) -> None:
        self._ended = ended
        self._transport: asyncio.Transport | None = None
        self._reading = False
        self.paused = False
        self.gone = False
        self.reads: Link | None = None
        self.writes: Link | None = None
        self._takes: Callable[[bytes], None] | None = None
        self._early = bytearray()
        self._early_end = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(transport)
        self._transport = transport
        transport.pause_reading()  # until the connection is joined

    def join(self, takes: Callable[[bytes], None], reads: Link, writes: Link) -> None:
        """From now on what comes is taken, and what came before is first."""
        self.reads, self.writes, self._takes = reads, writes, takes
        if self._early:
            takes(bytes(self._early))
            self._early.clear()
        if self._early_end:
            reads.eof()

    def data_received(self, data: bytes) -> None:
        """Into the link."""
        if self._takes is not None:
            self._takes(data)
            return
        # Python up to 3.11.2 begins to read after `connection_made`, whatever was said there.
        self._early += data
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """The peer says no more; what is for it may still go out."""
        if self.reads is not None:
            self.reads.eof()
        else:
            self._early_end = True
        return True

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - both ways it has ended
        """It is closed."""
        self.gone = True
        self._ended(self)
        if self.writes is not None:
            self.writes.drop()
        if self.reads is not None:
            self.reads.eof()

    def pause_writing(self) -> None:
        """The peer reads slowly."""
        self.paused = True
        if self.writes is not None:
            self.writes.relieved()

    def resume_writing(self) -> None:
        """The peer has read."""
        self.paused = False
        if self.writes is not None:
            self.writes.relieved()

    def write(self, data: bytes) -> None:
        """To the peer."""
        if self._transport is not None and not self.gone:
            self._transport.write(data)

    def read(self, wanted: bool) -> None:
        """Whether to read."""
        if self._transport is not None and wanted != self._reading and not self._transport.is_closing():
            self._reading = wanted
            if wanted:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def close(self) -> None:
        """When everything is written."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Now, without what is not written yet."""
        if self._transport is not None:
            self._transport.abort()

    def reset(self) -> None:
        """Now, with TCP RST."""
        if self._transport is None:
            return
        handle = self._transport.get_extra_info("socket")
        if handle is not None and not self.gone:
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOW)
        self._transport.abort()


class Outlet:
    """The end of a link: an end of the connection, or the mind before it."""

    def __init__(self, write: Callable[[bytes], None], close: Callable[[], None]) -> None:
        self._write = write
        self._close = close

    def feed(self, data: bytes, at: float) -> None:  # noqa: ARG002 - nothing counts from it any more
        """To the end."""
        self._write(data)

    def eof(self) -> None:
        """Close it."""
        self._close()


class Connection:
    """A client, its server, and what is between them.

    Args:
        draw: where what is random comes from.
        ended: told when both sides are gone.
    """

    def __init__(self, draw: random.Random, ended: Callable[["Connection"], None]) -> None:
        self._ended = ended
        self._mind: Mind | None = None
        self.client = End(self._lost)
        self.server = End(self._lost)
        self.up = Link(self.client, self.server, Outlet(self._to_server, self._client_eof), draw)
        self.down = Link(self.server, self.client, Outlet(self.client.write, self.client.close), draw)

    def join(
        self, up: Iterable[Toxic], down: Iterable[Toxic], make_mind: Callable[["Connection"], Mind] | None
    ) -> None:
        """The server is connected: let bytes flow."""
        self._mind = make_mind(self) if make_mind else None
        self.up.begin(up)
        self.down.begin(down)
        mind = self._mind
        if mind is not None:
            self.up.held = lambda: mind.held
        self.server.join(mind.from_server if mind is not None else self.down.feed, self.down, self.up)
        self.client.join(self.up.feed, self.up, self.down)
        if self.client.gone:
            self.server.close()
        self.client.read(wanted=True)
        self.server.read(wanted=True)

    def abort(self) -> None:
        """End both sides now."""
        self.client.abort()
        self.server.abort()

    def rules_changed(self) -> None:
        """Tell the mind."""
        if self._mind is not None:
            self._mind.rules_changed()

    def _to_server(self, data: bytes) -> None:
        if self._mind is None:
            self.server.write(data)
        else:
            self._mind.from_client(data)
            self.up.relieved()

    def _client_eof(self) -> None:
        if self._mind is None:
            self.server.close()
        else:
            self._mind.client_eof()

    def _lost(self, end: End) -> None:
        if self._mind is not None and end is self.client:
            self._mind.drop()
        if self.client.gone and (self.server.gone or self.server.reads is None):
            self._ended(self)
