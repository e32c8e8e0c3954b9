"""Finds where values of RESP 2 and 3 end, however they are cut into pieces."""

from collections.abc import Iterator

from resilience.wire.mind import Lost

LONGEST_LINE = 64 * 1024
WORD = 1000
"""Bytes that are kept of a command's word."""
WORDS = 1000

_BULK = b"$=!"
_MANY = {b"*": 1, b"~": 1, b">": 1, b"%": 2, b"|": 2}
"""Values that contain others → how many for each that is counted."""
_SIMPLE = b"+-:_,#("


class Scanner:
    """One direction of one connection.

    Args:
        requests: whether commands come: their words are kept, and a line that is no array is an inline command.

    Attributes:
        kind: first byte of the value that is being read, or was read last.
        words: of the command, as far as they are kept.
        rest: after `Lost`: what was not handed out.
    """

    def __init__(self, *, requests: bool = False) -> None:
        self._requests = requests
        self._line = bytearray()
        self._skip = 0
        self._need = 0
        self._keep = 0
        self._word = bytearray()
        self.kind = b""
        self.words: list[bytes] = []
        self.rest = b""

    def forget(self) -> None:
        """The words are read."""
        self.words = []

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Pieces of what came, each with whether it ends a value; together they are what came.

        Raises:
            Lost: this is not RESP.
        """
        position = start = 0
        while position < len(data):
            if self._skip:
                position = self._bulk(data, position)
                done = not self._skip
            else:
                end = data.find(b"\n", position) + 1
                self._line += data[position : end or len(data)]
                position = end or len(data)
                self.rest = data[start:]
                done = self._header(whole=bool(end))
                if end:
                    self._line.clear()
            if done:
                self._need -= 1
                if not self._need:
                    yield data[start:position], True
                    start = position
        if start < len(data):
            yield data[start:], False

    def _bulk(self, data: bytes, position: int) -> int:
        """As much of a bulk string as is here."""
        here = min(self._skip, len(data) - position)
        if self._keep:
            self._word += data[position : position + min(self._keep, here)]
            self._keep = max(0, self._keep - here)
        self._skip -= here
        if not self._skip and self._requests and len(self.words) < WORDS:
            self.words.append(bytes(self._word))
            self._word.clear()
        return position + here

    def _header(self, *, whole: bool) -> bool:
        """A line; whether it is a whole value."""
        line = self._line
        if len(line) > LONGEST_LINE:
            raise Lost
        if not whole:
            return False
        if not self._need:
            self._need, self.kind = 1, bytes(line[:1])
            if self._requests and line[:1] != b"*":
                self.words = [bytes(word[:WORD]) for word in line.split()[:WORDS]]
                return True
        kind = line[:1]
        if kind in _SIMPLE and kind:
            return True
        try:
            count = int(line[1:])
        except ValueError:
            raise Lost from None
        if kind in _BULK:
            return self._begin_bulk(count)
        if not _MANY.get(bytes(kind)):
            raise Lost
        self._need += _MANY[bytes(kind)] * max(0, count)
        return kind != b"|"  # an attribute is said about the value after it, and is none itself

    def _begin_bulk(self, count: int) -> bool:
        if count < 0:
            return True
        self._skip = count + 2
        self._keep = min(count, WORD) if self._requests else 0
        return False
