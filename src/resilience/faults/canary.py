"""What is sent by way of a faulted port to measure the fault, without troubling the part that listens there.

A part listens on TCP. So the same port number is free for UDP, and packets that we send to ourselves by it meet the
same rules: how many arrive is counted by the receiver. Where the port is not on this machine, or not free, connections
are begun instead, and the rules count.
"""

import errno
import math
import socket
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass

BATCH = 50
"""Datagrams that fit into any receive buffer."""
LATE_S = 0.01
KNOCKS = 20
KNOCK_S = 0.05
ENOUGH = 25
"""So many packets should be hit for the share to mean something."""
MOST = 25_000
SIGMAS = 5.0
"""The measured share may be off by so many standard deviations: less than one look in a million is, by chance."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Packets that met the rules, and how many came through (a duplicate counts twice)."""

    sent: int
    came: int

    @property
    def lost(self) -> int:
        """How many did not."""
        return self.sent - self.came


def packets_for(share: float) -> int:
    """How many packets tell that share from nothing."""
    return min(MOST, max(2 * ENOUGH, math.ceil(ENOUGH / share)))


def plausible(trial: Trial, hit: int, share: float) -> bool:
    """Whether that many of them may have been hit if that share was asked for."""
    expected = trial.sent * share
    return abs(hit - expected) <= SIGMAS * math.sqrt(expected * (1 - share)) + 1


def burst(address: str, port: int, count: int, *, back: bool) -> Trial | None:
    """Send datagrams to that port of this machine, or from it, and count what arrives.

    Args:
        address: one of this machine.
        port: the faulted one.
        count: how many.
        back: from the port instead of to it.

    Returns:
        None if the port is not one of this machine, or not free for UDP.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with ExitStack() as opened:
        one, other = (opened.enter_context(socket.socket(family, socket.SOCK_DGRAM)) for _ in range(2))
        try:
            one.bind((address, port))
            other.bind((address, 0))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES}:
                return None
            raise
        sender, receiver = (one, other) if back else (other, one)
        came = 0
        for first in range(0, count, BATCH):
            for _ in range(min(BATCH, count - first)):
                with suppress(PermissionError):  # how a packet that is dropped on its way out is told
                    sender.sendto(b"resilience", receiver.getsockname())
            came += _drain(receiver, 0.0)
        came += _drain(receiver, LATE_S)
    return Trial(count, came)


def _drain(receiver: socket.socket, patience_s: float) -> int:
    """Loopback delivers while `sendto` runs, or a little later on a busy machine."""
    receiver.settimeout(patience_s)
    came = 0
    with suppress(BlockingIOError, TimeoutError):
        while receiver.recv(64):
            came += 1
    return came


def knock(address: str, port: int) -> None:
    """Begin connections and give them up at once: their packets are what the rules count."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with ExitStack() as opened:
        for _ in range(KNOCKS):
            handle = opened.enter_context(socket.socket(family, socket.SOCK_STREAM))
            handle.settimeout(0)
            with suppress(OSError):
                handle.connect((address, port))
        time.sleep(KNOCK_S)


def question(address: str, port: int, words: bytes, bound_s: float) -> str:
    """Send one datagram and wait for another: `answered`, `refused` or `silent`."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as handle:
        handle.settimeout(bound_s)
        try:
            handle.connect((address, port))
            handle.send(words)
            return "answered" if handle.recv(512) else "silent"
        except TimeoutError:
            return "silent"
        except OSError:
            return "refused"
