"""Ends the sessions of a role in PostgreSQL, again and again."""

import time
from collections.abc import Mapping
from typing import Any

from resilience.faults import holder
from resilience.faults.postgres_server import CANARY, Server, terminate


def hold(told: Mapping[str, Any]) -> None:
    """End all sessions of the role every so often, for ever."""
    with Server.named(told).connect(str(told["name"])) as session:
        while True:
            terminate(session, str(told["role"]), also=CANARY)
            time.sleep(int(told["interval_ms"]) / 1000)


if __name__ == "__main__":
    holder.main(hold)
