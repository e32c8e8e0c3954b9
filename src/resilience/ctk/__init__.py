"""The face shown to chaostoolkit: actions, probes and the `run` and `validate` commands.

Modules that experiments name have plain types, positional parameters and `__all__`, which is what `chaos discover` can
show. `chaos discover resilience.ctk` needs the three names below: it looks for activities through `discover`.
"""

from typing import Any

from chaoslib.discovery.discover import discover_actions, discover_probes, initialize_discovery_result
from chaoslib.types import DiscoveredActivities, Discovery

from resilience import __version__

__all__ = ["__version__", "discover"]


def discover(discover_system: bool = True) -> Discovery:
    """List the actions and probes for `chaos discover`.

    Args:
        discover_system: ignored; nothing of the system is looked at.

    Returns:
        chaostoolkit's discovery document.
    """
    del discover_system
    found: dict[str, Any] = initialize_discovery_result("resilience", __version__, "resilience")
    activities: list[DiscoveredActivities] = [
        *discover_actions("resilience.ctk.actions"),
        *discover_probes("resilience.ctk.probes"),
    ]
    found["activities"].extend(activities)
    return found
