"""toxiproxy: which proxies and toxics there are, so that one that is nobody's of ours shows."""

from collections.abc import Mapping, Sequence

from resilience.model import Json, Place
from resilience.model.resources import Reading
from resilience.observe.catalogue import reading
from resilience.observe.watcher import get_json

OURS = "resilience-"
"""What the names of our toxics begin with."""


class Toxiproxy:
    """Asks one server what it has."""

    collector = "toxiproxy"

    def __init__(self, place: Place) -> None:
        self.of = place.name
        self._control = place.control

    def read(self) -> Sequence[Reading]:
        """Proxies and toxics."""
        proxies = get_json(self._control, "/proxies").values()
        toxics = [str(toxic["name"]) for proxy in proxies for toxic in proxy["toxics"]]
        return [
            reading("toxiproxy.proxies", self.of, len(proxies)),
            reading("toxiproxy.proxies.disabled", self.of, sum(not proxy["enabled"] for proxy in proxies)),
            reading("toxiproxy.toxics", self.of, len(toxics)),
            reading("toxiproxy.toxics.foreign", self.of, sum(not name.startswith(OURS) for name in toxics)),
        ]

    def close(self) -> Mapping[str, Json]:
        """Nothing is open."""
        return {}
