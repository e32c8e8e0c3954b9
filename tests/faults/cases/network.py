"""Faults of the network."""

from collections.abc import Callable

from resilience.faults import shaping
from resilience.host import nftables
from tests.faults.case import Case


def without_rights() -> str:
    """Why rules of the packet filter cannot be made here."""
    return str(nftables.lacking() or "")


def without_queue(kind: str) -> Callable[[], str]:
    """Why packets cannot be kept waiting here."""

    def missing() -> str:
        return without_rights() or ("" if shaping.has_queue(kind) else f"this kernel has no queue {kind}")

    return missing


CASES = {
    "network.loss": Case(settings={"percent": 60.0}, missing=without_rights),
    "network.duplicate": Case(settings={"percent": 50.0}, missing=without_rights),
    "network.partition": Case(missing=without_rights),
    "network.reset": Case(missing=without_rights),
    # No server needs to be there: what is measured is that nothing of a question gets through.
    "network.dns": Case(settings={"resolvers": "127.0.0.1,::1", "port": 5399}, missing=without_rights),
    "network.bandwidth": Case(settings={"kbit_per_s": 200}, missing=without_queue("htb")),
    "network.delay": Case(settings={"delay_ms": 600, "direction": "to"}, missing=without_queue("netem")),
}
