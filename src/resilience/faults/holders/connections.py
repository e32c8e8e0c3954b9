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
from resilience.faults.postgres_server import Server, Session, slots, terminate

EVERY_S = 0.05
AT_ONCE = 8
"""Connections opened side by side: a login is mostly the server's work."""


def hold(told: Mapping[str, Any]) -> None:
    """Take slots until others can have no more than told; for ever."""
    server, name, role = Server.named(told), str(told["name"]), str(told["role"])
    # The server ends them, should we be stopped and never come back.
    idle = {"idle_session_timeout": round(float(told["lease_s"]) * 1000)}
    held: list[Session] = []

    def take() -> Session | None:
        with suppress(psycopg.Error):  # the next round counts anew
            return server.connect(name, idle)
        return None

    with server.connect(name) as counting, ThreadPoolExecutor(AT_ONCE) as pool:
        while True:
            now = slots(counting, role, name)
            theirs = now.theirs if told["evict"] else 0
            surplus = now.free + theirs - int(told["leave"])
            # They connect again at once, and then we may have what is reserved for superusers: that is given back.
            if (evicted := min(max(surplus, 0) - now.free, theirs)) > 0:
                terminate(counting, role, evicted)
            elif now.free < 0 and held:
                held.pop().close()
            if surplus > 0:
                held += [one for one in pool.map(lambda _: take(), range(surplus)) if one is not None]
            else:
                time.sleep(EVERY_S)


if __name__ == "__main__":
    holder.main(hold)
