"""How a part of the stack is asked whether it is there: one small exchange per protocol, over a fresh connection.

Faults are confirmed by their effect, and not by what a control API says of itself. So each question is the least that
makes a server answer: `PING` for Redis, an SSLRequest for PostgreSQL, a GET for the service. Other parts are only
connected to.
"""

import socket
import struct
import time
from dataclasses import dataclass
from enum import StrEnum

from resilience.model import Place

Address = tuple[str, int]

_SSL_REQUEST = struct.pack("!II", 8, 80877103)
_PROTOCOL = 3 << 16

PATIENCE_S = 1.0
"""A healthy part answers within this, also on a busy machine."""


class Seen(StrEnum):
    """How an exchange ended."""

    ANSWERED = "answered"
    SILENT = "silent"  # connected, or not even that, and nothing came within the bound
    CLOSED = "closed"  # connected, then closed or reset before an answer
    REFUSED = "refused"
    CONNECTED = "connected"  # nothing is known to ask
    UNASKED = "not asked"  # it does not listen: whether its process runs is all that can be known


@dataclass(frozen=True, slots=True)
class Look:
    """One exchange.

    Attributes:
        took_s: from the beginning of the connect to the first byte, or to the end that it had; of something long (see
            `lines`) to its last byte.
        said: the first bytes of the answer.
        received: how many bytes came.
        reads: in how many pieces they came.
    """

    seen: Seen
    took_s: float
    said: bytes = b""
    received: int = 0
    reads: int = 0

    def __str__(self) -> str:
        """`answered in 0.4 ms`."""
        return f"{self.seen.value} {'in' if self.seen is Seen.ANSWERED else 'after'} {self.took_s * 1e3:.1f} ms"


def question(place: Place) -> bytes:
    """What to say to a part so that it answers; empty if that is not known."""
    if place.protocol == "redis":
        return b"PING\r\n"
    if place.protocol == "postgres" or place.dsn:
        return _SSL_REQUEST  # answered with one byte, before any login
    if place.url or place.ready:
        return f"GET {place.ready or '/'} HTTP/1.0\r\nHost: {place.host}\r\nConnection: close\r\n\r\n".encode()
    return b""


def serving(place: Place) -> bytes:
    """What to say to a part so that it tells whether it serves; like `question`, but for PostgreSQL.

    That answers an SSLRequest also while it starts up or recovers from a crash. A startup packet it then refuses.
    """
    if question(place) != _SSL_REQUEST:
        return question(place)
    told = b"user\0resilience\0database\0postgres\0\0"
    return struct.pack("!II", 8 + len(told), _PROTOCOL) + told


def ask(address: Address, words: bytes, bound_s: float = PATIENCE_S) -> Look:
    """Connect, say the words, wait for the first bytes of an answer.

    Args:
        address: host and port.
        words: from `question`; empty only connects.
        bound_s: for all of it.
    """
    began = time.monotonic()

    def look(seen: Seen, said: bytes = b"") -> Look:
        return Look(seen, time.monotonic() - began, said)

    if not address[1]:
        return look(Seen.UNASKED)
    try:
        connection = socket.create_connection(address, timeout=bound_s)
    except TimeoutError:
        return look(Seen.SILENT)
    except OSError:
        return look(Seen.REFUSED)
    with connection:
        if connection.getsockname() == connection.getpeername():
            return look(Seen.REFUSED)  # a closed port among the ephemeral ones: the kernel connected us to ourselves
        if not words:
            return look(Seen.CONNECTED)
        try:
            connection.sendall(words)
            connection.settimeout(max(0.001, bound_s - (time.monotonic() - began)))
            said = connection.recv(64)
        except TimeoutError:
            return look(Seen.SILENT)
        except OSError:
            return look(Seen.CLOSED)
    return look(Seen.ANSWERED, said) if said else look(Seen.CLOSED)


def well(look: Look, words: bytes) -> bool:
    """Whether the part answered, over HTTP with status 200; where nothing is known to ask, connecting must do."""
    if look.seen is Seen.UNASKED:
        return True
    if not words:
        return look.seen is Seen.CONNECTED
    if words.startswith(b"GET "):
        return look.seen is Seen.ANSWERED and look.said.split(b" ")[1:2] == [b"200"]
    if words[4:8] == struct.pack("!I", _PROTOCOL):  # a demand for a password is well, and any refusal of a login, too
        shut = look.said.startswith(b"E") and any(code in look.said for code in (b"C57P", b"C533"))
        return look.seen is Seen.ANSWERED and not shut
    return look.seen is Seen.ANSWERED
