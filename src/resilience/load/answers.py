"""From bytes to an HTTP answer, whole or said to be none.

The general way is a parser. Most answers of a run, though, begin with a head that has been seen before, byte for byte:
what the parser made of it is then known, and only the length of what follows has to be looked at. See `known`.
"""

from typing import Any

import httptools

from resilience.load.classify import Reply

BODY_LIMIT = 8 * 1024 * 1024
HEAD_LIMIT = 256 * 1024
KNOWN_HEADS = 512
"""So many heads are remembered, and forgotten together when there is one more: dates change every second."""
KNOWN_SIZE = 4096
"""Longer heads are not remembered."""
_INFORMATIONAL = 200
_BODILESS = frozenset({204, 304})


class NoAnswerError(Exception):
    """What came is not a complete answer, and why."""


class _Head:
    """What was made of a head: all of the last answer with it, and whether the connection can be used again."""

    __slots__ = ("data", "headers", "keep", "reply", "size", "status")

    def __init__(self, data: bytes, reply: Reply, *, keep: bool) -> None:
        self.status, self.headers, self.size = reply.status, reply.headers, len(data)
        self.data, self.reply, self.keep = data, reply, keep


_heads: dict[bytes, _Head] = {}


def known(data: bytes) -> tuple[Reply, bool] | None:
    """The answer that this is, and whether the connection can be used again; None if that is for `Answer` to say.

    It says what `Answer` would say: the same head was parsed before, it declared the length of its body, and just so
    many bytes follow. Not for answers to HEAD.
    """
    end = data.find(b"\r\n\r\n") + 4
    head = _heads.get(data[:end])
    if head is None or len(data) != head.size:
        return None
    if data != head.data:
        head.data, head.reply = data, Reply(head.status, head.headers, data[end:])
    return head.reply, head.keep


def _remember(data: bytes, answer: "Answer") -> None:
    """Keep what was made of a head if the next answer with it can only be read in the same way.

    That is if the answer came in one piece, and was framed by its declared length and nothing else. An informational
    answer before it would have a head of its own, whose end is not where the declared length begins to count.
    """
    end = data.find(b"\r\n\r\n") + 4
    lengths = [value for name, value in answer.headers if name == b"content-length"]
    if (
        len(lengths) == 1
        and lengths[0] == b"%d" % (len(data) - end)
        and 3 < end <= KNOWN_SIZE  # noqa: PLR2004 - the blank line was found
        and answer.status not in _BODILESS
        and not answer.extra
        and all(name != b"transfer-encoding" for name, _ in answer.headers)
    ):
        if len(_heads) >= KNOWN_HEADS:
            _heads.clear()
        reply, keep = answer.reply()
        _heads[data[:end]] = _Head(data, reply, keep=keep)


class Answer:
    """Collects one answer from the parser's callbacks.

    Args:
        no_body: it is the answer to HEAD.

    Attributes:
        complete: nothing more belongs to it.
        extra: more came than belongs to it.
        keep: it does not end the connection.
        status: 0 before the head is complete.
    """

    __slots__ = (
        "_chunks",
        "_framed",
        "_no_body",
        "_parser",
        "_received",
        "_size",
        "complete",
        "extra",
        "headers",
        "keep",
        "status",
    )

    def __init__(self, *, no_body: bool) -> None:
        self._no_body = no_body
        self._parser: Any = httptools.HttpResponseParser(self)
        self.complete = self.extra = self.keep = self._framed = False
        self._size = self._received = self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._chunks: list[bytes] = []

    def feed(self, data: bytes) -> bool:
        """Take what was received; nothing is the end of the stream. True if the answer is complete.

        Raises:
            NoAnswerError: it will never be.
        """
        if not data:
            self._at_end_of_stream()
            return True
        first, self._received = not self._received, self._received + len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.complete:
                raise NoAnswerError(f"not HTTP: {type(error).__name__} {error}") from error
            self.extra = True
        if self._size > BODY_LIMIT:
            raise NoAnswerError(f"body too long: more than {BODY_LIMIT} bytes")
        if not self.status and self._received > HEAD_LIMIT:
            raise NoAnswerError(f"head too long: more than {HEAD_LIMIT} bytes")
        if first and self.complete and not self._no_body:
            _remember(data, self)
        return self.complete

    def reply(self) -> tuple[Reply, bool]:
        """The complete answer, and whether the connection can be used again."""
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        return Reply(self.status, tuple(self.headers), body), self.keep and not self.extra

    def _at_end_of_stream(self) -> None:
        """The other side closed: that ends an answer of undeclared length, and breaks any other."""
        if not self._received:
            raise NoAnswerError("closed without an answer")
        if not self.status or self._framed:
            raise NoAnswerError("closed in the middle of the answer")
        self.complete = True

    def on_message_begin(self) -> None:
        """The parser begins an answer."""
        self.extra = self.complete

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser has a header."""
        if self.complete:
            return
        name = name.lower()
        self.headers.append((name, value))
        if name in {b"content-length", b"transfer-encoding"}:
            self._framed = True

    def on_headers_complete(self) -> None:
        """The parser has the head."""
        if self.complete:
            return
        self.status = self._parser.get_status_code()
        if self._no_body and self.status >= _INFORMATIONAL:
            self._end()

    def on_body(self, body: bytes) -> None:
        """The parser has a part of the body."""
        if self.complete:
            self.extra = True
            return
        self._chunks.append(body)
        self._size += len(body)

    def on_message_complete(self) -> None:
        """The parser has all of it."""
        if self.complete:
            return
        if self.status < _INFORMATIONAL:  # 100, 103: the answer itself is still to come
            self.status = 0
            self.headers.clear()
            self._framed = False
        else:
            self._end()

    def _end(self) -> None:
        self.complete = True
        self.keep = self._parser.should_keep_alive()
