"""Server-sent events, from bytes to the data of each event. Pure.

Source: WHATWG HTML, "Server-sent events", 9.2.6 (interpreting an event stream): lines end with CR, LF or both; an empty
line ends an event; the lines of `data` of one event are joined; other fields mean nothing here.
"""

from collections.abc import Iterator

LINE_LIMIT = 1024 * 1024
"""Bytes of a line; a longer one is no event."""


class TooLongError(Exception):
    """A line has no end."""


class Events:
    """Takes bytes as they come, and gives the data of every event that is complete."""

    __slots__ = ("_data", "_partial", "_skip")

    def __init__(self) -> None:
        self._partial = b""
        self._data: list[str] = []
        self._skip = False  # the last line ended with CR, so that an LF that follows belongs to that end

    def feed(self, piece: bytes) -> Iterator[str]:
        """The data of the events that end in this piece.

        Raises:
            TooLongError: a line is longer than `LINE_LIMIT`.
        """
        if self._skip and piece:
            piece, self._skip = piece.removeprefix(b"\n"), False
        # A byte order mark is possible and unknown in practice; it would only spoil the first field's name.
        *lines, self._partial = (self._partial + piece).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._skip = piece.endswith(b"\r")
        if len(self._partial) > LINE_LIMIT:
            raise TooLongError(f"a line of more than {LINE_LIMIT} bytes")
        for line in lines:
            if not line:
                if self._data:
                    yield "\n".join(self._data)
                    self._data = []
            elif line.startswith(b"data"):
                name, _, value = line.partition(b":")
                if name == b"data":
                    self._data.append(value.removeprefix(b" ").decode(errors="replace"))
