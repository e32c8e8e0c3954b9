"""A proxy: where it listens, where it leads, its toxics and its connections."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from resilience.wire import address
from resilience.wire.link import Connection, Mind

CONNECT_S = 10.0
UPSTREAM, DOWNSTREAM = "upstream", "downstream"


@dataclass(slots=True)
class Toxic:
    """A toxic of a proxy.

    Attributes:
        stream: as it was written, in whatever case.
        rule: for the types that understand a protocol: what it does (see `rules`).
    """

    name: str
    type: str
    stream: str
    toxicity: float
    attributes: dict[str, Any]
    rule: Any = None
    expiry: asyncio.TimerHandle | None = None

    @property
    def direction(self) -> str:
        """`upstream` or `downstream`."""
        return self.stream.lower()

    def document(self) -> dict[str, Any]:
        """As the API shows it."""
        counted = {} if self.rule is None else self.rule.counted()
        return {
            "attributes": self.attributes | counted,
            "name": self.name,
            "type": self.type,
            "stream": self.stream,
            "toxicity": self.toxicity,
        }


MakeMind = Callable[["Proxy", Connection], Mind]


@dataclass(eq=False, slots=True)
class Proxy:
    """A proxy, not listening yet.

    Attributes:
        listen: where to, as asked; once it listens, the address that it has.
        upstream: where connections lead.
        protocol: what is spoken: `redis`, `postgres`, or empty; then it carries bytes.
        draw: where what is random comes from.
        minds: what understands each protocol.
    """

    name: str
    listen: str
    upstream: str
    draw: random.Random
    protocol: str = ""
    minds: Mapping[str, MakeMind] = field(default_factory=dict)
    enabled: bool = False
    toxics: list[Toxic] = field(default_factory=list)
    connections: set[Connection] = field(default_factory=set)
    _listener: asyncio.Server | None = None
    _connecting: set[asyncio.Task[None]] = field(default_factory=set)

    def document(self) -> dict[str, Any]:
        """As the API shows it."""
        document = {"name": self.name, "listen": self.listen, "upstream": self.upstream, "enabled": self.enabled}
        document |= {"protocol": self.protocol} if self.protocol else {}
        return document | {"Logger": {}, "toxics": [toxic.document() for toxic in self.in_order()]}

    def in_order(self) -> list[Toxic]:
        """The toxics, those of the way to the server first."""
        return sorted(self.toxics, key=lambda toxic: toxic.direction != UPSTREAM)

    def rules(self) -> list[Any]:
        """The rules among the toxics."""
        return [toxic.rule for toxic in self.toxics if toxic.rule is not None]

    async def start(self) -> None:
        """Listen. Harmless if it does.

        Raises:
            AddressError: nobody can listen there.
        """
        if self.enabled:
            return
        listener, self.listen = address.listen(self.listen)
        self._listener = await asyncio.get_running_loop().create_server(self._accept, sock=listener, backlog=1024)
        self.enabled = True

    def stop(self) -> None:
        """Listen no more, and end all connections. Harmless if it does not listen."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self.enabled = False
        for task in list(self._connecting):
            task.cancel()
        for connection in list(self.connections):
            connection.abort()

    async def change(self, listen: str, upstream: str, *, enabled: bool) -> None:
        """Take another address or state; connections end if that makes a difference.

        Raises:
            AddressError: nobody can listen there.
        """
        if self.differs(listen, upstream):
            self.stop()
            self.listen, self.upstream = listen, upstream
        if enabled and not self.enabled:
            await self.start()
        elif not enabled:
            self.stop()

    def differs(self, listen: str, upstream: str) -> bool:
        """Whether these addresses are others than it has.

        Raises:
            AddressError: the address to listen at cannot be understood.
        """
        return str(address.resolve(listen)) != self.listen or upstream != self.upstream

    def find(self, name: str) -> Toxic | None:
        """A toxic by name."""
        return next((toxic for toxic in self.in_order() if toxic.name == name), None)

    def add(self, toxic: Toxic) -> None:
        """A toxic more, on open connections too."""
        self.toxics.append(toxic)
        if toxic.rule is not None:
            self._arm(toxic)
            self._rules_changed()
            return
        for connection in self._joined():
            (connection.up if toxic.direction == UPSTREAM else connection.down).add(toxic)

    def updated(self, toxic: Toxic) -> None:
        """A toxic was changed."""
        if toxic.rule is not None:
            self._arm(toxic)
            self._rules_changed()
            return
        index = self._plain(toxic.direction).index(toxic)
        for connection in self._joined():
            (connection.up if toxic.direction == UPSTREAM else connection.down).update(index, toxic)

    def remove(self, toxic: Toxic) -> None:
        """A toxic less, on open connections too."""
        if toxic.rule is not None:
            self.toxics.remove(toxic)
            if toxic.expiry is not None:
                toxic.expiry.cancel()
            self._rules_changed()
            return
        index = self._plain(toxic.direction).index(toxic)
        self.toxics.remove(toxic)
        for connection in self._joined():
            (connection.up if toxic.direction == UPSTREAM else connection.down).remove(index)

    def clear(self) -> None:
        """No toxics."""
        for toxic in list(self.toxics):
            self.remove(toxic)

    def _arm(self, toxic: Toxic) -> None:
        """A rule ends by itself: its time begins when it comes, and anew when it is changed."""
        if toxic.expiry is not None:
            toxic.expiry.cancel()
            toxic.expiry = None
        if toxic.rule.ttl_s:
            toxic.expiry = asyncio.get_running_loop().call_later(toxic.rule.ttl_s, self._expire, toxic)

    def _expire(self, toxic: Toxic) -> None:
        if toxic in self.toxics:
            self.remove(toxic)

    def _plain(self, direction: str) -> list[Toxic]:
        """Toxics that have a stage in every link of a direction."""
        return [toxic for toxic in self.toxics if toxic.rule is None and toxic.direction == direction]

    def _joined(self) -> list[Connection]:
        return [connection for connection in self.connections if connection.server.reads is not None]

    def _rules_changed(self) -> None:
        for connection in self._joined():
            connection.rules_changed()

    def _accept(self) -> asyncio.Protocol:
        connection = Connection(self.draw, self.connections.discard)
        self.connections.add(connection)
        task = asyncio.get_running_loop().create_task(self._connect(connection))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return connection.client

    async def _connect(self, connection: Connection) -> None:
        try:
            to = address.parse(self.upstream)
            async with asyncio.timeout(CONNECT_S):
                await asyncio.get_running_loop().create_connection(
                    lambda: connection.server, to.host or "localhost", to.port
                )
        except (OSError, TimeoutError, address.AddressError):
            connection.client.close()
            return
        if not self.enabled:
            connection.abort()
            return
        mind = self.minds.get(self.protocol)
        connection.join(
            self._plain(UPSTREAM),
            self._plain(DOWNSTREAM),
            None if mind is None else lambda joined: mind(self, joined),
        )
