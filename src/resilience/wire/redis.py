"""Redis: RESP 2 and 3, with rules by command and key.

Answers come in the order of the commands, so each is matched by counting. A command that a rule answers is not sent,
and its answer takes its place in the order. Inside MULTI the server must know: after an error its EXEC becomes a
DISCARD and is answered with EXECABORT, as the server itself would.

On a connection that subscribes, monitors, replicates or switches replies off, answers cannot be counted: rules do not
apply to it from then on.
"""

import binascii
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from resilience.wire.errors import REDIS
from resilience.wire.link import Connection
from resilience.wire.mind import BaseMind, Doom, Lost, Unit
from resilience.wire.proxy import Proxy
from resilience.wire.resp import Scanner
from resilience.wire.rules import Rule

MOST_KEPT = 1024 * 1024
"""A command that is longer is judged by what has come of it, and passes in pieces."""

OF_THE_CONNECTION = frozenset(
    {
        "AUTH",
        "HELLO",
        "SELECT",
        "CLIENT",
        "QUIT",
        "RESET",
        "COMMAND",
        "MULTI",
        "EXEC",
        "DISCARD",
        "WATCH",
        "UNWATCH",
        "SUBSCRIBE",
        "UNSUBSCRIBE",
        "PSUBSCRIBE",
        "PUNSUBSCRIBE",
        "SSUBSCRIBE",
        "SUNSUBSCRIBE",
        "MONITOR",
        "SYNC",
        "PSYNC",
        "REPLCONF",
        "ASKING",
        "READONLY",
        "READWRITE",
    }
)
"""Commands that a rule without names does not meet: they are about the connection, not about data."""
_UNCOUNTED = frozenset({"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "MONITOR", "SYNC", "PSYNC"})
_ALL_ARE_KEYS = frozenset({"DEL", "UNLINK", "EXISTS", "TOUCH", "MGET", "WATCH", "SINTER", "SUNION", "SDIFF", "PFCOUNT"})
_EVERY_SECOND = frozenset({"MSET", "MSETNX"})
_COUNTED_KEYS = frozenset({"EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO"})
_DISCARD = b"*1\r\n$7\r\nDISCARD\r\n"
_ABORTED = "EXECABORT Transaction discarded because of previous errors."


@dataclass(slots=True, kw_only=True)
class Command(Unit):
    """A command: its words, as far as they are kept; and whether answers can no longer be counted after it."""

    words: tuple[str, ...] = ()
    uncounted: bool = False

    @property
    def name(self) -> str:
        """In upper case."""
        return self.words[0].upper() if self.words else ""


@dataclass(slots=True)
class Expected:
    """An answer that is due.

    Attributes:
        own: what we answer; None if the server does.
        sent: whether the server answers something.
        uncounted: from here on the server says what it likes.
        transaction: whether it is the answer to EXEC.
        fates: rules that do something to the answer.
    """

    own: bytes | None = None
    sent: bool = True
    uncounted: bool = False
    transaction: bool = False
    fates: list[tuple[Rule, bool]] = field(default_factory=list)


def keys(words: tuple[str, ...]) -> tuple[str, ...]:
    """The keys of a command: its first argument, but of some commands others."""
    name = words[0].upper() if words else ""
    if name in _ALL_ARE_KEYS:
        return words[1:]
    if name in _EVERY_SECOND:
        return words[1::2]
    if name in _COUNTED_KEYS:
        count = int(words[2]) if len(words) > 2 and words[2].isdecimal() else 0  # noqa: PLR2004 - after the script
        return words[3 : 3 + count]
    return words[1:2]


class RedisMind(BaseMind[Command]):
    """One connection to Redis."""

    def __init__(self, proxy: Proxy, connection: Connection) -> None:
        super().__init__(proxy, connection)
        self._asked = Scanner(requests=True)
        self._answered = Scanner()
        self._raw = bytearray()
        self._begun = False
        self._rest_passes = True
        self._expected: deque[Expected] = deque()
        self._multi = False
        self._dirty = False
        self._exec_fates: list[tuple[Rule, bool]] = []
        self._free = False
        self._in_answer = False

    def _parse(self, data: bytes) -> Iterator[Command]:
        if self._through:
            yield Command(raw=data, first=True, last=True, doom=Doom())
            return
        try:
            for piece, ends in self._asked.feed(data):
                self._raw += piece
                if ends or len(self._raw) > MOST_KEPT:
                    yield self._command(ends=ends)
        except Lost:
            # The scanner has passed on everything up to what it did not understand; the rest goes as it is.
            yield Command(raw=bytes(self._raw) + self._asked.rest, first=True, last=True, doom=Doom())
            self._raw.clear()
            self._through = self._free = True

    def _command(self, *, ends: bool) -> Command:
        first, raw = not self._begun, bytes(self._raw)
        self._raw.clear()
        self._begun = not ends
        words = tuple(word.decode("latin-1") for word in self._asked.words) if first else ()
        self._asked.forget()
        name = words[0].upper() if words else ""
        uncounted = name in _UNCOUNTED or (name == "CLIENT" and words[1:2] != () and words[1].upper() == "REPLY")
        doom = None if words and not self._through else Doom()
        self._through = self._through or uncounted  # what the client says from here on is not looked at
        return Command(raw=raw, first=first, last=ends, words=words, uncounted=uncounted, doom=doom)

    def _judge(self, unit: Command) -> Doom:
        doom = Doom()
        named = keys(unit.words)
        for rule, canary in self._concerned(unit.words):
            met = unit.name in rule.names if rule.names else unit.name not in OF_THE_CONNECTION
            if unit.name == "DISCARD" or not (canary or (met and rule.finds(named))):
                continue
            if rule.fires(canary=canary):
                if rule.action == "delay":
                    doom.delay_s += rule.delay_s
                elif rule.action == "error":
                    doom.error = doom.error or self._error(rule.error, named)
                else:
                    doom.fates.append((rule, canary))
        return doom

    def _error(self, name: str, named: tuple[str, ...]) -> str:
        slot = binascii.crc_hqx(named[0].encode("latin-1"), 0) % 16384 if named else 0
        return REDIS[name].format(slot=slot, address=self._proxy.listen)

    def _say(self, unit: Command) -> None:
        if not unit.first:
            if self._rest_passes:
                self._connection.server.write(unit.raw)
            return
        self._rest_passes = True
        doom = unit.doom or Doom()
        if not unit.words:  # an empty line, or an empty array: never answered
            self._connection.server.write(unit.raw)
        elif unit.name == "EXEC" and self._multi and (self._dirty or doom.error):
            self._connection.server.write(_DISCARD)
            self._rest_passes = False
            self._expect(Expected(own=_line(doom.error or _ABORTED)))
            self._multi = False
        elif doom.error:
            self._rest_passes = False
            self._dirty = self._multi
            self._expect(Expected(own=_line(doom.error), sent=False))
        else:
            self._pass(unit, doom)

    def _pass(self, unit: Command, doom: Doom) -> None:
        fates = doom.fates
        if unit.name == "MULTI":
            self._multi, self._dirty, self._exec_fates = True, False, []
        elif unit.name == "EXEC":
            fates, self._multi = fates + self._exec_fates, False
        elif unit.name in {"DISCARD", "RESET"}:
            self._multi = False
        elif self._multi:  # queued is not executed: EXEC's answer is the one that counts
            self._exec_fates += fates
            fates = []
        self._connection.server.write(unit.raw)
        self._expect(Expected(uncounted=unit.uncounted, transaction=unit.name == "EXEC", fates=fates))

    def _expect(self, expected: Expected) -> None:
        self._expected.append(expected)
        self._flush()

    def _flush(self) -> None:
        """Our own answers whose turn it is."""
        while self._expected and not self._expected[0].sent and not self._in_answer:
            self._to_client(self._expected.popleft().own or b"")

    def from_server(self, data: bytes) -> None:
        """Match answers with commands."""
        if self._free or (self._expected and self._expected[0].uncounted and not self._in_answer):
            self._free = True
            self._to_client(data)
            return
        try:
            for piece, ends in self._answered.feed(data):
                self._piece(piece, first=not self._in_answer, ends=ends)
                self._in_answer = not ends
                if ends:
                    self._flush()
        except Lost:
            self._free = self._through = True
            self._to_client(self._answered.rest)

    def _piece(self, piece: bytes, *, first: bool, ends: bool) -> None:
        pushed = self._answered.kind == b">"
        if pushed or not self._expected:
            self._to_client(piece)
            return
        head = self._expected[0]
        if first and head.fates:
            self._fall(head, piece)
        if head.own is None:
            self._to_client(piece)
        elif ends:
            self._to_client(head.own)
        if ends:
            self._expected.popleft()

    def _fall(self, head: Expected, piece: bytes) -> None:
        """The answer has come, so it was executed, unless it says that it was not."""
        refused = piece.startswith((b"-", b"!")) or (head.transaction and piece.startswith((b"*-1", b"_")))
        for rule, canary in head.fates:
            if refused and not canary:
                rule.missed(canary=canary)
            elif rule.action == "cut":
                self._cut()
            else:
                self._muted(rule)


def _line(text: str) -> bytes:
    return f"-{text}\r\n".encode()
