"""What the minds of all protocols have in common: what was said waits in order, and rules delay, mute and cut."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from resilience.wire.link import Connection
from resilience.wire.proxy import Proxy
from resilience.wire.rules import Rule


class Lost(Exception):  # noqa: N818 - a state, not a mishap
    """What is said is not understood any more: from here on it only passes."""


@dataclass(slots=True)
class Doom:
    """What the rules do to one thing that was said; each with whether only the token was met."""

    delay_s: float = 0.0
    error: str = ""
    fates: list[tuple[Rule, bool]] = field(default_factory=list)

    def fate(self, action: str) -> list[tuple[Rule, bool]]:
        """The rules with that action."""
        return [(rule, canary) for rule, canary in self.fates if rule.action == action]


@dataclass(slots=True, kw_only=True)
class Unit:
    """A message of the client, or a piece of one that is too large to be kept whole.

    Attributes:
        raw: the bytes.
        first, last: whether it begins a message, and whether it ends one.
        doom: what the rules do to it; None if they were not asked.
    """

    raw: bytes
    first: bool
    last: bool
    doom: Doom | None = None


U = TypeVar("U", bound=Unit)


class BaseMind(ABC, Generic[U]):
    """Stands between the links and the server.

    Args:
        proxy: whose rules hold.
        connection: what it stands in.
    """

    def __init__(self, proxy: Proxy, connection: Connection) -> None:
        self._proxy = proxy
        self._connection = connection
        self._todo: deque[U] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._through = False
        self._mute: Rule | None = None
        self._over = False
        self._eof = False
        self.held = 0

    def from_client(self, data: bytes) -> None:
        """Parse, ask the rules, pass on."""
        if self._through and not self._todo:
            self._connection.server.write(data)
            return
        for unit in self._parse(data):
            self._todo.append(unit)
            self.held += len(unit.raw)
        self._work()

    def client_eof(self) -> None:
        """Close the server's side once everything was said."""
        self._eof = True
        if not self._todo:
            self._connection.server.close()

    def drop(self) -> None:
        """The server is gone."""
        self._todo.clear()
        self.held = 0
        if self._timer is not None:
            self._timer.cancel()

    def rules_changed(self) -> None:
        """A connection that lost an answer by a rule that is gone cannot go on: it ends."""
        if self._mute is not None and self._mute not in self._proxy.rules():
            self._connection.abort()

    @abstractmethod
    def from_server(self, data: bytes) -> None:
        """Parse, match with what was asked, pass on."""

    @abstractmethod
    def _parse(self, data: bytes) -> Iterator[U]:
        """The messages in what the client says."""

    @abstractmethod
    def _judge(self, unit: U) -> Doom:
        """What the rules do to a message."""

    @abstractmethod
    def _say(self, unit: U) -> None:
        """Pass a message on to the server, or do to it what is to be done."""

    def _concerned(self, texts: Sequence[str]) -> list[tuple[Rule, bool]]:
        """The rules that may meet this, each with whether by its token: a token concerns its own rule alone."""
        rules = self._proxy.rules()
        own = [(rule, True) for rule in rules if rule.is_canary(texts)]
        return own or [(rule, False) for rule in rules]

    def _work(self) -> None:
        """Pass on in order until something is delayed."""
        while self._todo and self._timer is None and not self._over:
            unit = self._todo[0]
            if unit.doom is None:
                unit.doom = self._judge(unit)
                if unit.doom.delay_s > 0:
                    self._timer = asyncio.get_running_loop().call_later(unit.doom.delay_s, self._go_on)
                    return
            self._todo.popleft()
            self.held -= len(unit.raw)
            self._say(unit)
        if self._eof and not self._todo:
            self._connection.server.close()

    def _go_on(self) -> None:
        self._timer = None
        self._work()
        self._connection.up.relieved()

    def _to_client(self, data: bytes) -> None:
        if self._mute is None and not self._over:
            self._connection.down.feed(data)

    def _muted(self, rule: Rule) -> None:
        """From here on nothing reaches the client."""
        self._mute = rule

    def _cut(self) -> None:
        """End the connection on both sides; what was passed on before still arrives."""
        if not self._over:
            self._over = True
            self._connection.down.eof()
            self._connection.server.close()
