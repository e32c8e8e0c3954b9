"""Declarative chaos and load experiments with a verdict that can be trusted."""

from typing import Any

__version__ = "0.1.0"


def discover(discover_system: bool = True) -> dict[str, Any]:
    """List our actions and probes: what `chaos discover resilience` calls. Imports chaostoolkit only then."""
    from resilience.ctk import discover as listing  # noqa: PLC0415 - the package must stay quick to import

    found: dict[str, Any] = listing(discover_system)
    return found
