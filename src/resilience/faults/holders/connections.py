"""Holds connections to PostgreSQL, so many that others can have only `leave`; takes those that come free meanwhile.

As the administrator: his connections use the same slots as everybody's, and he gets in when nobody else does. What is
reserved for superusers stays free, but for the one connection that counts.
"""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import psycopg

from resilience.faults import holder
from resilience.faults.postgres_server import Bounds, Server, Session, slots, terminate

EVERY_S = 0.05
AT_ONCE = 8
"""Connections opened side by side: a login is mostly the server's work."""


def hold(told: Mapping[str, Any]) -> None:
    """Take slots until others can have no more than told; for ever."""
    server, name, role = Server.named(told), str(told["name"]), str(told["role"])
    # The server ends them, should we be stopped and never come back.
    idle: Bounds = {"idle_session_timeout": round(float(told["lease_s"]) * 1000)}
    held: list[Session] = []

    def take(number: int) -> None:
        held.extend(one for one in pool.map(lambda _: _take(server, name, idle), range(number)) if one is not None)

    with server.connect(name) as counting, ThreadPoolExecutor(AT_ONCE) as pool:
        while True:
            now, leave = slots(counting, role, name), int(told["leave"])
            theirs = now.theirs if told["evict"] else 0
            if now.free > 0 and now.free + theirs > leave:
                take(min(now.free, now.free + theirs - leave))
            elif theirs > leave:
                # They connect again at once. So as many as they lose are taken before, from what is reserved for
                # superusers but for the last one: no slot comes free in between.
                taken = max(0, min(theirs - leave, now.reserved - 1) + min(now.free, 0))
                take(taken)
                terminate(counting, role, min(theirs - leave, taken - min(now.free, 0)))
            elif now.free <= -now.reserved and held:
                held.pop().close()  # not even a superuser would get in, to give back
            else:
                time.sleep(EVERY_S)


def _take(server: Server, name: str, bounds: Bounds) -> Session | None:
    with suppress(psycopg.Error):  # the next round counts anew
        return server.connect(name, bounds)
    return None


if __name__ == "__main__":
    holder.main(hold)
