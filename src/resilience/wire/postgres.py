"""PostgreSQL: the wire protocol 3, simple and extended, with rules by statement.

What the server answers is matched with what was asked, message by message. Client and server never disagree about the
transaction, because it is always the server that fails:

- a statement that a rule answers with an error is replaced by one that the server refuses (a simple query by words that
  are no SQL, an Execute by one of a portal that does not exist). The server aborts the transaction, skips to the next
  Sync and says itself in which state it is; only the words of its error are replaced.
- after a commit that a rule cuts, nothing is said to the client any more: what tells of the commit is held back until
  the server is ready and outside a transaction, which is the proof, and then the connection ends.

A statement is met when it is executed: of a prepared one its text is remembered by name. TLS, GSS, cancel requests and
replication pass, and rules do not apply to them.
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from resilience.wire.errors import POSTGRES
from resilience.wire.frames import Frame, Frames
from resilience.wire.link import Connection
from resilience.wire.mind import BaseMind, Doom, Lost, Unit
from resilience.wire.proxy import Proxy
from resilience.wire.rules import Rule

_CANCEL, _SSL, _GSS = 80877102, 80877103, 80877104
_NOT_SQL = b"injected by resilience\0"
_NO_PORTAL = b"injected by resilience\0" + bytes(4)
_MOST_NAMES = 10_000
"""Prepared statements whose text is remembered on one connection; of more the oldest are forgotten."""
_MOST_HELD = 4 * 1024 * 1024
"""Answers that are longer are not held back: the commit among them is not cut."""

_NEVER = re.compile(r"\s*(ROLLBACK|ABORT)\b", re.IGNORECASE)
"""What ends a transaction is not answered with an error: a client could not get out of it."""
_COMMITS = ("COMMIT", "INSERT", "UPDATE", "DELETE", "MERGE", "COPY")
"""Command tags of what is durable once the server is idle again; a COMMIT that failed says ROLLBACK."""

_ENDS = {"P": b"1", "B": b"2", "C": b"3", "D": b"Tn", "E": b"CIs", "S": b"Z", "Q": b"Z", "F": b"Z", "startup": b"Z"}
"""What was asked → the answers that end it."""
_EXTENDED = frozenset("PBDEC")
_ANY_TIME = b"NAS"
"""Notices, notifications and parameters come whenever they like."""


@dataclass(slots=True, kw_only=True)
class Message(Unit):
    """A message of the client; `text` is the statement, of those that execute one."""

    frame: Frame
    text: str | None = None


@dataclass(slots=True)
class Asked:
    """Something that the server answers.

    Attributes:
        kind: first byte of the message; `startup`; `copied` for the end of data, which is not answered.
        error: the SQLSTATE that takes the place of the server's own.
        fates: rules that do something to the answer.
    """

    kind: str
    error: str = ""
    fates: list[tuple[Rule, bool]] = field(default_factory=list)


def error_response(state: str, *, fatal: bool = False) -> bytes:
    """An ErrorResponse in the server's words."""
    severity = "FATAL" if fatal else "ERROR"
    fields = {"S": severity, "V": severity, "C": state, "M": POSTGRES[state].message, "H": "Injected by resilience."}
    body = b"".join(name.encode() + text.encode() + b"\0" for name, text in fields.items()) + b"\0"
    return b"E" + (len(body) + 4).to_bytes(4) + body


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4) + body


def _texts(body: bytes, count: int) -> list[str]:
    """The first zero-terminated texts of a body; a text that does not end is as long as what is known of it."""
    parts = body.split(b"\0", count)[:count]
    return [part.decode(errors="replace") for part in parts] + [""] * (count - len(parts))


class PostgresMind(BaseMind[Message]):
    """One connection to PostgreSQL."""

    def __init__(self, proxy: Proxy, connection: Connection) -> None:
        super().__init__(proxy, connection)
        self._said = Frames(typed=False)
        self._answered = Frames(typed=True)
        self._negotiating = False
        self._replaced = False
        self._asked: deque[Asked] = deque()
        self._statements: dict[str, str] = {}
        self._portals: dict[str, str] = {}
        self._status = b"I"
        self._skipping = False
        self._copying = False
        self._held: list[bytes] | None = None
        self._committing: list[tuple[Rule, bool]] = []
        self._free = False
        self._passes = True
        self._dying = False

    # ------------------------------------------------------------------------------------------ what the client says

    def _parse(self, data: bytes) -> Iterator[Message]:
        if self._through:
            yield self._raw(data)
            return
        try:
            for frame in self._said.feed(data):
                yield self._read(frame)
                if self._through:
                    break
        except Lost:
            self._give_up()
        if self._through and (rest := self._said.rest()):
            yield self._raw(rest)

    def _raw(self, data: bytes) -> Message:
        return Message(raw=data, first=True, last=True, frame=Frame(b"-", data), doom=Doom())

    def _read(self, frame: Frame) -> Message:
        """What a message is about, as far as it must be known before the rules are asked."""
        message = Message(raw=frame.raw, first=frame.first, last=frame.last, frame=frame, doom=Doom())
        if not frame.first:
            return message
        if not frame.kind:
            self._begin(message)
        elif frame.kind == b"Q":
            message.text = _texts(frame.body, 1)[0]
            message.doom = None
        elif frame.kind == b"P":
            name, text = _texts(frame.body, 2)
            self._remember(self._statements, name, text)
        elif frame.kind == b"B":
            portal, name = _texts(frame.body, 2)
            self._remember(self._portals, portal, self._statements.get(name, ""))
        elif frame.kind == b"E":
            message.text = self._portals.get(_texts(frame.body, 1)[0], "")
            message.doom = None
        elif frame.kind == b"C":
            names = self._statements if frame.body[:1] == b"S" else self._portals
            names.pop(_texts(frame.body[1:], 1)[0], None)
        return message

    def _begin(self, message: Message) -> None:
        """The messages before the connection has begun, which say what they are by a number."""
        code = int.from_bytes(message.frame.body[:4])
        if code in {_SSL, _GSS}:
            return
        if code == _CANCEL or b"\0replication\0" in b"\0" + message.frame.body[4:]:
            self._through = self._free = True
            return
        self._said.typed = True
        message.doom = None  # connections can be refused

    def _remember(self, names: dict[str, str], name: str, text: str) -> None:
        names.pop(name, None)
        names[name] = text
        if len(names) > _MOST_NAMES:
            del names[next(iter(names))]

    def _judge(self, unit: Message) -> Doom:
        doom = Doom()
        starts = not unit.frame.kind
        if self._skipping or (not starts and unit.text is None):
            return doom
        texts = (unit.frame.body.decode(errors="replace"),) if starts else (unit.text or "",)
        for rule, canary in self._concerned(texts):
            refuses = rule.action == "error" and POSTGRES[rule.error].when == "startup"
            if starts is not refuses or not (canary or starts or rule.finds(texts)):
                continue
            if rule.action == "error" and not starts and (self._status == b"E" or _NEVER.match(unit.text or "")):
                continue
            if rule.action == "cut":
                doom.fates.append((rule, canary))  # whether it fires is decided when something was committed
            elif rule.fires(canary=canary):
                self._add(doom, rule, canary=canary)
        return doom

    @staticmethod
    def _add(doom: Doom, rule: Rule, *, canary: bool) -> None:
        if rule.action == "delay":
            doom.delay_s += rule.delay_s
        elif rule.action == "error":
            doom.error = doom.error or rule.error
        else:
            doom.fates.append((rule, canary))

    # -------------------------------------------------------------------------------------- what reaches the server

    def _say(self, unit: Message) -> None:
        kind = unit.frame.kind
        if not unit.first:
            if self._passes:
                self._connection.server.write(unit.raw)
            return
        self._passes = True
        doom = unit.doom or Doom()
        if kind == b"-":
            self._connection.server.write(unit.raw)
        elif not kind:
            self._start(unit, doom)
        elif self._dying:
            self._passes = False
        elif doom.error and POSTGRES[doom.error].when == "fatal":
            self._asked.append(Asked("fatal", doom.error))
            self._passes, self._dying = False, True
            self._end_if_fatal()
        else:
            if doom.error:
                self._passes = False
                body = _NOT_SQL if kind == b"Q" else _NO_PORTAL
                self._connection.server.write(_message(kind, body))
            else:
                self._connection.server.write(unit.raw)
            self._ask(kind.decode("latin-1"), doom)

    def _start(self, unit: Message, doom: Doom) -> None:
        code = int.from_bytes(unit.frame.body[:4])
        if doom.error:
            self._to_client(error_response(doom.error, fatal=True))
            self._cut()
            return
        self._connection.server.write(unit.raw)
        if code in {_SSL, _GSS}:
            self._negotiating = True
        elif not self._through:
            self._asked.append(Asked("startup"))

    def _ask(self, kind: str, doom: Doom) -> None:
        """Note what will be answered."""
        if kind in "cf":
            self._copying = False
            self._asked.append(Asked("copied"))
        elif kind == "S":
            if not self._copying:  # the server ignores it while it takes data
                self._skipping = False
                self._asked.append(Asked("S"))
        elif kind in _ENDS and not self._skipping:
            self._asked.append(Asked(kind, doom.error, doom.fates))

    def _end_if_fatal(self) -> None:
        """The connection ends as if the server had ended it, if it is the turn of what ends it."""
        self._next()
        if self._asked and self._asked[0].kind == "fatal":
            self._release()
            self._to_client(error_response(self._asked[0].error, fatal=True))
            self._cut()

    # ------------------------------------------------------------------------------------------ what the server says

    def from_server(self, data: bytes) -> None:
        """Match answers with what was asked."""
        if self._negotiating and data:
            self._negotiating = False
            self._to_client(data[:1])
            if data[:1] != b"N":
                self._free = self._through = True  # TLS or GSS begins, or an error that ends it
            data = data[1:]
        if self._free:
            self._to_client(data)
            return
        run = bytearray()
        try:
            for frame in self._answered.feed(data):
                run += self._hear(frame, run)
                if self._dying and self._asked and self._asked[0].kind == "fatal":
                    self._to_client(bytes(run))
                    run.clear()
                    self._end_if_fatal()
        except Lost:
            self._give_up()
            run += self._answered.rest()
        if run:
            self._to_client(bytes(run))

    def _hear(self, frame: Frame, run: bytearray) -> bytes:
        """One message of the server: what of it goes to the client now."""
        if not frame.first:
            out = b"" if self._replaced else frame.raw
        else:
            self._replaced = False
            out = frame.raw if self._free or frame.kind in _ANY_TIME else self._match(frame, run)
        if self._held is None or not out:
            return out
        self._held.append(out)
        if sum(map(len, self._held)) > _MOST_HELD:
            self._release()
        return b""

    def _match(self, frame: Frame, run: bytearray) -> bytes:
        self._next()
        if not self._asked:
            return frame.raw  # the server ends the connection, and says why
        head = self._asked[0]
        self._fall(head, run)
        out = frame.raw
        if frame.kind == b"E":
            out = self._failed(head, frame)
        elif frame.kind == b"C":
            self._completed(head, frame)
        elif frame.kind == b"G" and head.kind == "E":
            self._takes_data()
        elif frame.kind == b"W":
            self._give_up()
        if frame.kind == b"Z":
            self._status = frame.body[:1]
            self._ready(run)
            if self._over:
                return b""
        if frame.kind in _ENDS.get(head.kind, b"") and self._asked and self._asked[0] is head:
            self._asked.popleft()
        return out

    def _fall(self, head: Asked, run: bytearray) -> None:
        """A rule that swallows: what came before goes out, nothing after it."""
        for rule, _ in head.fates:
            if rule.action == "swallow" and self._mute is None:
                self._to_client(bytes(run))
                run.clear()
                self._muted(rule)

    def _failed(self, head: Asked, frame: Frame) -> bytes:
        """The server skips to the next Sync; so do we."""
        self._committing = []
        self._copying = False
        out = frame.raw
        if head.error:
            self._replaced = True
            out = error_response(head.error)
        if head.kind in _EXTENDED:
            while self._asked and self._asked[0].kind not in {"S", "fatal"}:
                self._asked.popleft()
            self._skipping = not self._asked
        return out

    def _completed(self, head: Asked, frame: Frame) -> None:
        """Something was executed; if it may be committed, what tells of it is held back until that is certain."""
        cuts = [(rule, canary) for rule, canary in head.fates if rule.action == "cut"]
        if cuts and _texts(frame.body, 1)[0].split(" ")[0] in _COMMITS:
            self._committing = cuts
            self._held = [] if self._held is None else self._held

    def _ready(self, run: bytearray) -> None:
        """The server is ready: idle after a commit means that it is durable."""
        committing, self._committing = self._committing, []
        if self._status == b"I" and self._held is not None:
            for rule, canary in committing:
                if rule in self._proxy.rules() and rule.fires(canary=canary):
                    self._held = None
                    self._to_client(bytes(run))
                    run.clear()
                    self._cut()
                    return
        if self._held is not None:
            run += b"".join(self._held)
            self._held = None

    def _release(self) -> None:
        held, self._held = self._held, None
        self._committing = []
        self._to_client(b"".join(held or ()))

    def _takes_data(self) -> None:
        """COPY in the extended protocol: the server ignores a Sync that reaches it before the end of the data."""
        done = next((place for place, asked in enumerate(self._asked) if asked.kind == "copied"), None)
        self._copying = done is None
        early = len(self._asked) if done is None else done
        kept = [asked for place, asked in enumerate(self._asked) if place >= early or asked.kind != "S"]
        self._asked = deque(kept)

    def _next(self) -> None:
        """Past what is not answered."""
        while self._asked and self._asked[0].kind == "copied":
            self._asked.popleft()

    def _give_up(self) -> None:
        """Something is not understood: from here on everything passes."""
        self._release()
        self._free = self._through = True
