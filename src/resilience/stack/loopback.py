"""Ports on the loopback address, and asking what listens there."""

import contextlib
import http.client
import json
import secrets
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path

from resilience.errors import EnvironmentNotReady
from resilience.model import Json

HOST = "127.0.0.1"
_LOWEST = 12_000
_FEWEST = 4_000
_TRIES = 200


def candidates() -> Sequence[int]:
    """Ports that the kernel never gives to outgoing connections.

    A part of the stack that is killed and started again must get its port back. Between the two, a port of the range
    for outgoing connections may be taken by any of the thousands of connections that a load test opens. If that range
    leaves too few others, `(0,)`: the kernel chooses.
    """
    try:
        lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return (0,)
    return range(_LOWEST, lowest) if lowest - _LOWEST >= _FEWEST else (0,)


class Hopeless(Exception):  # noqa: N818 - it says that waiting will not help
    """A program runs and will never serve; the text says why."""


class Reservation:
    """Free ports of the loopback address, held until released.

    They are bound, not listened on, and marked for reuse: a server that asks for reuse too (PostgreSQL, Redis and
    toxiproxy do, as most) can listen beside the reservation, and nobody else can take the port.
    """

    def __init__(self, count: int, among: Sequence[int] | None = None) -> None:
        self._held: dict[int, socket.socket] = {}
        among = candidates() if among is None else among
        for _ in range(_TRIES):
            if len(self._held) == count:
                return
            holder = socket.socket()
            try:
                # Without reuse: fails if anybody has it, also somebody else's reservation.
                holder.bind((HOST, secrets.choice(among)))
            except OSError:
                holder.close()
                continue
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._held[holder.getsockname()[1]] = holder
        self.close()
        raise EnvironmentNotReady(f"{HOST}: {count} free ports were needed and not found in {_TRIES} tries")

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that are held."""
        return tuple(self._held)

    def release(self, port: int) -> None:
        """Let go of one port, for a server that does not ask for reuse."""
        self._held.pop(port).close()

    def close(self) -> None:
        """Let go of all ports. Idempotent."""
        while self._held:
            self._held.popitem()[1].close()


def get(port: int, path: str, *, timeout_s: float = 2.0) -> tuple[int, bytes]:
    """Ask a server on the loopback address; never through a proxy.

    Returns:
        The status and the body; status 0 and the reason if there was no answer.
    """
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout_s)
    with contextlib.closing(connection):
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            answer = connection.getresponse()
            return answer.status, answer.read(64 * 1024)
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error).encode()


def proxies_ready(control: int, wanted: Iterable[str]) -> str:
    """Why toxiproxy does not have all the proxies it was told to have; empty if it does.

    Raises:
        Hopeless: it lacks some. It makes them before it answers, so they will not come.
    """
    status, body = get(control, "/proxies")
    if status != http.client.OK:
        return f"its API answered {status or 'nothing'}: {body[:200].decode(errors='replace')}"
    try:
        known: dict[str, dict[str, Json]] = json.loads(body)
    except ValueError:
        return f"its API answered {body[:200].decode(errors='replace')}"
    missing = [name for name in wanted if not known.get(name, {}).get("enabled")]
    if missing:
        raise Hopeless(f"it has no open proxy {' and no open proxy '.join(missing)}")
    return ""
