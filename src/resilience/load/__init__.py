"""Load: an open-model generator on Locust in a process of its own, and the drivers that start such processes.

Only `load.drivers` is imported by the rest of the program; everything else here runs in the load process, because
importing Locust replaces sockets, sleep and threads of the whole interpreter.

A locustfile of one's own may use our users: `from resilience.load import LeanHttpUser`. They are imported only when
they are asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resilience.load.lean import LeanHttpUser as LeanHttpUser
    from resilience.load.lean_stores import PostgresUser as PostgresUser
    from resilience.load.lean_stores import RedisUser as RedisUser
    from resilience.load.lean_websocket import LeanWebSocketUser as LeanWebSocketUser

_PUBLIC = {
    "LeanHttpUser": "resilience.load.lean",
    "LeanWebSocketUser": "resilience.load.lean_websocket",
    "PostgresUser": "resilience.load.lean_stores",
    "RedisUser": "resilience.load.lean_stores",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - as the attribute is
    """A user for locustfiles, imported now."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
