"""What understands each protocol."""

from collections.abc import Mapping

from resilience.wire.postgres import PostgresMind
from resilience.wire.proxy import MakeMind
from resilience.wire.redis import RedisMind

MINDS: Mapping[str, MakeMind] = {"redis": RedisMind, "postgres": PostgresMind}
"""By the name of the protocol, as a proxy names it."""
