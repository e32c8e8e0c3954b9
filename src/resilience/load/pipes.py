"""Standard input and output of a load process, used without ever holding up what is timed."""

import json
import os
from collections import deque

import gevent
import gevent.os
import gevent.socket
from gevent.event import Event

from resilience.model import Json

UNSENT_LIMIT = 1_000_000
"""Bytes of slices kept for a reader that does not read; beyond it slices are left out. Nothing judged is in them."""

ORPHANED = 3
_CHUNK = 65536


class Speaker:
    """Writes JSON lines to a pipe without ever holding up the engine."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._more = Event()
        self._idle = Event()
        self._idle.set()
        gevent.os.make_nonblocking(handle)
        gevent.spawn(self._write)

    def say(self, kind: str, document: dict[str, Json]) -> None:
        """Queue one line."""
        if kind == "slice" and self._size > UNSENT_LIMIT:
            return
        line = json.dumps({"type": kind, **document}, separators=(",", ":")).encode() + b"\n"
        self._waiting.append(line)
        self._size += len(line)
        self._idle.clear()
        self._more.set()

    def drain(self, timeout_s: float) -> None:
        """Wait until everything was written."""
        self._idle.wait(timeout_s)

    def _write(self) -> None:
        while True:
            self._more.wait()
            self._more.clear()
            while self._waiting:
                line = self._waiting.popleft()
                self._size -= len(line)
                try:
                    while line:
                        line = line[gevent.os.nb_write(self._handle, line) :]
                except OSError:
                    os._exit(ORPHANED)  # nobody listens any more
            self._idle.set()


class Commands:
    """Reads lines from standard input."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._buffer = b""

    def next(self) -> str:
        """The next line. At the end of the input the process ends."""
        while b"\n" not in self._buffer:
            gevent.socket.wait_read(self._handle)
            data = os.read(self._handle, _CHUNK)
            if not data:
                os._exit(ORPHANED)  # the runner is gone; what is not sealed will be seen to be unfinished
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode()
