"""Finds where messages of the PostgreSQL protocol end, however they are cut into pieces.

A message is handed out with the beginning of its body, which is enough to judge it; what follows of a long one comes in
pieces. So a row of a gigabyte needs no gigabyte here.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from resilience.wire.mind import Lost

KEPT = 16 * 1024
"""Bytes of a body that are waited for."""
_LONGEST = 2**31 - 1
_LONGEST_START = 10_000
"""The server's own limit for what begins a connection; TLS without being asked for looks like more."""
_LENGTH = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """A message, or a further piece of one.

    Attributes:
        kind: the byte that says what it is; empty before the connection has begun.
        raw: the bytes as they came.
        first, last: whether it begins the message, and whether it ends it.
    """

    kind: bytes
    raw: bytes
    first: bool = True
    last: bool = True

    @property
    def body(self) -> bytes:
        """What is known of the body, of a first piece."""
        return self.raw[len(self.kind) + _LENGTH :]


class Frames:
    """One direction of one connection.

    Attributes:
        typed: whether messages begin with the byte that says what they are.
    """

    def __init__(self, *, typed: bool) -> None:
        self.typed = typed
        self._tail = b""
        self._kind = b""
        self._left = 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The messages in what came, with what was left of before.

        Raises:
            Lost: this is not the protocol; `rest` hands out what is left.
        """
        data = self._tail + data if self._tail else data
        position = 0
        self._tail = b""
        try:
            while position < len(data):
                frame = self._rest(data, position) if self._left else self._next(data, position)
                if frame is None:
                    return
                position += len(frame.raw)
                yield frame
        finally:  # also if who reads us stops early
            self._tail = data[position:]

    def rest(self) -> bytes:
        """What was not handed out."""
        rest, self._tail = self._tail, b""
        return rest

    def _rest(self, data: bytes, position: int) -> Frame:
        raw = data[position : position + self._left]
        self._left -= len(raw)
        return Frame(self._kind, raw, first=False, last=not self._left)

    def _next(self, data: bytes, position: int) -> Frame | None:
        """The next message, if enough of it is here."""
        head = position + self.typed
        if len(data) < head + _LENGTH:
            return None
        length = int.from_bytes(data[head : head + _LENGTH])
        if not _LENGTH <= length <= (_LONGEST if self.typed else _LONGEST_START):
            raise Lost
        end = head + length
        enough = min(end, head + _LENGTH + KEPT)
        if len(data) < enough:
            return None
        here = min(end, len(data))
        self._kind = data[position:head]
        self._left = end - here
        return Frame(self._kind, data[position:here], last=not self._left)
