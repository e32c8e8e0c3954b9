"""Rows of a query as PostgreSQL sends them for `COPY … (FORMAT binary)`, many at a time.

libpq hands a COPY over row by row, which takes longer than the server needs to send it. So on a connection that is not
encrypted the answer is taken from the socket itself, framed as the protocol has framed it since version 3 (PostgreSQL's
manual, "Message Formats"): a type, a length, a content. libpq has sent the query and reads nothing more; the connection
is of no use afterwards and must be closed. On any other connection psycopg's own `copy` does the same, more slowly.
"""

import queue
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import errors

from resilience.columns import Int64
from resilience.host.memory import keep_freed

Bytes = npt.NDArray[np.uint8]

FRAME = struct.Struct(">cI")
"""Before each message: its type, and its length without the type."""

PIECE = 1 << 20
"""So many bytes are looked at together: few steps, and they stay in the processor's cache."""

_ROW = b"d"
_PASSED_OVER = frozenset((b"H", b"N", b"S", b"A", b"c", b"C"))
"""Copying begins, a notice, a setting changed, a notification, copying ended, the command is complete."""
_READY = b"Z"
_END = b"Z\0\0\0\5"
"""How the last message of an answer begins; one letter follows."""
_AHEAD = 8
"""So many pieces are received before they are asked for."""
_FEW = 64
"""Fewer messages of one length in a row than this are not worth a matrix of their own."""


def copied(connection: psycopg.Connection, statement: str, timeout_s: float) -> Iterator[Bytes]:
    """The rows as they come, in matrices: a message of the server in each line, from its frame on.

    Args:
        connection: in a transaction; to be closed afterwards.
        statement: `COPY … TO STDOUT (FORMAT binary)`.
        timeout_s: for which the server may be silent.

    Raises:
        psycopg.Error, OSError: the server refused, or the connection was lost.
    """
    keep_freed()
    pgconn = connection.pgconn
    if pgconn.ssl_in_use or pgconn.used_gssapi:
        yield from _by_psycopg(connection, statement)
        return
    pgconn.send_query(statement.encode())
    with socket.socket(fileno=socket.dup(pgconn.socket)) as wire:
        wire.settimeout(timeout_s)
        yield from _from_wire(wire)


def _by_psycopg(connection: psycopg.Connection, statement: str) -> Iterator[Bytes]:
    """The same rows, asked for one by one."""
    piece = bytearray()
    with connection.cursor().copy(statement.encode()) as copy:
        for row in copy:
            piece += FRAME.pack(_ROW, len(row) + 4) + row
            if len(piece) >= PIECE:
                yield from _rows(np.frombuffer(bytes(piece), np.uint8))[0]
                piece.clear()
    yield from _rows(np.frombuffer(bytes(piece), np.uint8))[0]


def _from_wire(wire: socket.socket) -> Iterator[Bytes]:
    rest = b""
    with _received(wire) as pieces:
        for piece in pieces:
            buffer = rest + piece
            whole, begin = np.frombuffer(buffer, np.uint8), 0
            while True:
                matrices, length = _rows(whole[begin:])
                yield from matrices
                begin += length
                message = _message(buffer, begin)
                if message is None:
                    break
                kind, content = message
                if kind == b"E":
                    raise _refusal(content)
                if kind == _READY:
                    return
                if kind not in _PASSED_OVER:
                    msg = f"the server answered with a message of type {kind!r}, rows were expected"
                    raise psycopg.OperationalError(msg)
                begin += FRAME.size + len(content)
            rest = buffer[begin:]
    msg = "the server closed the connection in the middle of its answer"
    raise psycopg.OperationalError(msg)


@contextmanager
def _received(wire: socket.socket) -> Iterator[Iterator[bytes]]:
    """What arrives, received by a thread of its own: the server need not wait while rows are looked at."""
    pieces: queue.Queue[bytes | OSError] = queue.Queue(_AHEAD)
    given_up = threading.Event()

    def receive() -> None:
        last: bytes | OSError = b"more"
        while last and not isinstance(last, OSError) and not given_up.is_set():
            try:
                last = _piece(wire)
            except OSError as error:
                last = error
            pieces.put(last)

    def arrived() -> Iterator[bytes]:
        while piece := pieces.get():
            if isinstance(piece, OSError):
                raise piece
            yield piece

    thread = threading.Thread(target=receive, name="resilience-truth", daemon=True)
    thread.start()
    try:
        yield arrived()
    finally:
        given_up.set()
        with suppress(OSError):
            wire.shutdown(socket.SHUT_RDWR)
        while thread.is_alive():  # it may wait for room
            with suppress(queue.Empty):
                pieces.get(timeout=0.01)
        thread.join()


def _piece(wire: socket.socket) -> bytes:
    """Receive until it is worth looking at: enough, or its end looks like that of an answer."""
    buffer, filled = bytearray(PIECE), 0
    while filled < PIECE:
        count = wire.recv_into(memoryview(buffer)[filled:])
        filled += count
        if count == 0 or buffer.startswith(_END, max(0, filled - len(_END) - 1), filled):
            break
    return bytes(memoryview(buffer)[:filled])


def _message(buffer: bytes, begin: int) -> tuple[bytes, bytes] | None:
    """The message that begins there, unless it is a row or has not come whole."""
    if len(buffer) - begin < FRAME.size:
        return None
    kind, length = FRAME.unpack_from(buffer, begin)
    end = begin + 1 + length
    return None if kind == _ROW or end > len(buffer) else (kind, buffer[begin + FRAME.size : end])


def _rows(content: Bytes) -> tuple[list[Bytes], int]:
    """All whole messages with rows at the beginning of the content, equally long ones together, and their length."""
    matrices: list[Bytes] = []
    begin, size, few = 0, len(content), _FEW
    while size - begin >= FRAME.size:
        kind, length = FRAME.unpack_from(content.data, begin)
        stride = 1 + length
        count = (size - begin) // stride
        if kind != _ROW or count == 0:
            break
        matrix = content[begin : begin + count * stride].reshape(count, stride)
        same = np.ones(count, np.bool_)
        for place in range(FRAME.size):
            same &= matrix[:, place] == matrix[0, place]
        alike = count if same.all() else int(same.argmin())
        if alike < min(_FEW, count):
            singles, begin = _singly(content, begin, few)
            matrices += singles
            few *= 2  # one odd row among others is soon passed; where there are more, they are not looked at again
            continue
        matrices.append(matrix[:alike])
        begin += alike * stride
        few = _FEW
    return matrices, begin


def _singly(content: Bytes, begin: int, most: int) -> tuple[list[Bytes], int]:
    """The same for messages of many lengths, at most so many: each is visited."""
    view, unpack, size = content.data, FRAME.unpack_from, len(content)
    starts: dict[int, list[int]] = {}
    for _ in range(most):
        if size - begin < FRAME.size:
            break
        kind, length = unpack(view, begin)
        if kind != _ROW or begin + 1 + length > size:
            break
        starts.setdefault(1 + length, []).append(begin)
        begin += 1 + length
    found = []
    for stride, places in starts.items():
        first: Int64 = np.array(places, np.int64)
        found.append(content[first[:, None] + np.arange(stride)])
    return found, begin


def _refusal(content: bytes) -> psycopg.Error:
    """The server's error: fields, each a letter and a text that ends in NUL."""
    fields = {part[:1]: part[1:].decode(errors="replace") for part in content.split(b"\0") if part}
    try:
        kind: type[psycopg.Error] = errors.lookup(fields.get(b"C", ""))
    except KeyError:
        kind = psycopg.OperationalError
    return kind(fields.get(b"M", "the server refused without saying why"))
