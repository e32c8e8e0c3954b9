"""Hands open connections to a holder: the effect is there at once, and the holder, once it is up, goes on from there.

A holder takes a moment to start. So who injects opens the connections, and passes them on over a socket that only
exists while it waits. It gives them to nobody but the process that it started.
"""

import socket
import struct
import time
from collections.abc import Callable, Sequence

from resilience.errors import FaultError
from resilience.host import processes
from resilience.model import Identity, Problem

WITHIN_S = 5.0
"""A holder is up within this, also on a busy machine."""
BATCH = 200
"""The kernel passes on no more than 253 at a time."""
TURN_S = 0.05
"""So often is looked whether the holder still runs: whoever reverts has ended it, and waits for us."""
AGAIN_S = 0.25
_CREDENTIALS = struct.Struct("3i")


class Handover:
    """Waits for a holder, from before it is started. A context manager.

    Args:
        name: the holder's.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(_address(name))
        self._listening.listen()

    def __enter__(self) -> "Handover":  # noqa: PYI034 - there is nothing below it
        """It listens already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nobody is waited for any more."""
        self._listening.close()

    def give(self, to: Identity, sockets: Sequence[socket.socket], meanwhile: Callable[[], None]) -> None:
        """Pass them on, and do something again and again until the holder has come for them.

        Raises:
            FaultError: it did not come, or is gone.
        """
        deadline = time.monotonic() + WITHIN_S
        again = time.monotonic() + AGAIN_S
        while time.monotonic() < deadline:
            self._listening.settimeout(TURN_S)
            try:
                taker, _ = self._listening.accept()
            except TimeoutError:
                if not processes.alive(to):
                    raise FaultError(Problem(self._name, "what holds the fault has ended before it was up")) from None
                if time.monotonic() >= again:
                    again = time.monotonic() + AGAIN_S
                    meanwhile()
                continue
            with taker:
                pid, _, _ = _CREDENTIALS.unpack(
                    taker.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
                )
                if pid != to.pid:
                    continue
                for first in range(0, len(sockets), BATCH):
                    socket.send_fds(taker, [b"x"], [one.fileno() for one in sockets[first : first + BATCH]])
                return
        raise FaultError(Problem(self._name, f"what holds the fault was not up within {WITHIN_S:g} s"))


def taken(name: str) -> tuple[socket.socket, ...]:
    """For a holder: what it is given.

    Raises:
        OSError: nobody waits for it.
    """
    found: list[int] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as giver:
        giver.settimeout(WITHIN_S)
        giver.connect(_address(name))
        while True:
            said, handles, _, _ = socket.recv_fds(giver, 1, BATCH)
            found += handles
            if not said:
                break
    sockets = tuple(socket.socket(fileno=handle) for handle in found)
    for one in sockets:
        one.settimeout(None)  # whoever opened it had its own time limits
    return sockets


def _address(name: str) -> str:
    """In no folder: there is nothing to tidy up."""
    return f"\0{name}"
