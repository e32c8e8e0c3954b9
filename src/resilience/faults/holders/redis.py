"""Holds a fault of a Redis server: pauses its clients, keeps it busy, makes it forget, fills it with connections.

Connections carry the holder's name. One that is lost is opened again.
"""

import resource
import selectors
import signal
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import redis

from resilience.faults.handover import taken
from resilience.faults.holder import main
from resilience.faults.redis_server import RENEW, TAKE_BACK, accepted, connect, pause_words

RENEW_S = 0.2
AGAIN_S = 0.02

BUSY = """
local function now() local t = redis.call('TIME') return t[1] * 1000 + t[2] / 1000 end
local ends = now() + tonumber(ARGV[1])
while now() < ends do end
"""

Orders = Mapping[str, Any]


def pause(told: Orders) -> None:
    """Renew the pause of all clients that it finds; told to end, take it back.

    Only a connection that monitors is heard while clients are paused. What it is told of other people's commands is
    thrown away unread.
    """
    (line,) = taken(told["name"])
    while True:
        try:
            with line:
                _renew_on(line)
        except OSError:
            time.sleep(AGAIN_S)
        line = _again(told)


def _renew_on(line: socket.socket) -> None:
    """Until the connection is lost."""
    try:
        while True:
            line.sendall(RENEW)
            due = time.monotonic() + RENEW_S
            while (left := due - time.monotonic()) > 0:
                line.settimeout(left)
                try:
                    if not line.recv(65536):
                        return
                except TimeoutError:
                    break
    finally:
        line.settimeout(0.1)
        line.sendall(TAKE_BACK)


def _again(told: Orders) -> socket.socket:
    """A connection on which all clients are paused."""
    while True:
        try:
            line = socket.create_connection((told["host"], told["port"]), timeout=1.0)
            line.sendall(pause_words(told["name"], _password(told)))
        except OSError:
            time.sleep(AGAIN_S)
        else:
            return line


def busy(told: Orders) -> None:
    """Run a script that takes `busy_ms`, from the beginning of every `interval_ms`."""
    orders = told["orders"]
    _each(told, orders["interval_ms"] / 1e3, lambda client: client.eval(BUSY, 0, str(orders["busy_ms"])))


def forget(told: Orders) -> None:
    """Remove all keys, or make each expire, every `interval_ms`."""
    orders = told["orders"]
    act = (lambda client: client.flushall(asynchronous=True)) if orders["how"] == "flush" else _expire
    _each(told, orders["interval_ms"] / 1e3, act)


def _expire(client: "redis.Redis") -> None:
    cursor: Any = 0
    while True:
        cursor, keys = client.scan(cursor, count=1000)
        steps: Any = client.pipeline(transaction=False)
        for key in keys:
            steps.pexpire(key, 1)
        steps.execute()
        if not cursor:
            return


def _each(told: Orders, interval_s: float, act: Callable[["redis.Redis"], object]) -> None:
    """Do it again and again on a grid of time; what was missed is not caught up."""
    client = connect(told["host"], told["port"], _password(told), None, told["name"])
    due = time.monotonic()
    while True:
        try:
            act(client)
        except redis.RedisError:
            time.sleep(AGAIN_S)
        due = max(due + interval_s, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


def connections(told: Orders) -> None:
    """Keep the connections that it is given, and take every place that becomes free.

    Never more than there are places under the limit: once that is lifted, nothing more is taken.
    """
    most = int(told["changes"][0]["ours"])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with selectors.DefaultSelector() as held:
        for line in taken(told["name"]):
            held.register(line, selectors.EVENT_READ)
        while True:
            try:
                while len(held.get_map()) < most and (more := accepted(told["host"], told["port"])) is not None:
                    held.register(more, selectors.EVENT_READ)
            except OSError:
                time.sleep(AGAIN_S)
            for key, _ in held.select(AGAIN_S):  # nothing is ever said on these but that they are closed
                held.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr]


def _password(told: Orders) -> str:
    return Path(told["passfile"]).read_text().strip() if told["passfile"] else ""


DOES = {function.__name__: function for function in (pause, busy, forget, connections)}


def _leave(*_: object) -> None:
    """As an exception, so that a pause is taken back on the way out."""
    raise SystemExit(0)


def hold(told: Orders) -> None:
    """What it is told."""
    signal.signal(signal.SIGTERM, _leave)
    DOES[told["does"]](told)


if __name__ == "__main__":
    main(hold)
