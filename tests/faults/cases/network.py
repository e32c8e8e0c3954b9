"""Faults of the network."""

from resilience.host import nftables
from tests.faults.case import Case


def without_rights() -> str:
    """Why rules of the packet filter cannot be made here."""
    return str(nftables.lacking() or "")


CASES = {
    "network.loss": Case(settings={"percent": 60.0}, missing=without_rights),
    "network.duplicate": Case(settings={"percent": 50.0}, missing=without_rights),
    "network.partition": Case(missing=without_rights),
    "network.reset": Case(missing=without_rights),
    # No server needs to be there: what is measured is that nothing of a question gets through.
    "network.dns": Case(settings={"resolvers": "127.0.0.1,::1", "port": 5399}, missing=without_rights),
}
